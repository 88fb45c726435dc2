import { type FormEvent, useState } from "react";
import { Button, Form, Label, TextArea, TextField } from "react-aria-components";
import { LIMITS } from "../../protocol/limits.ts";
import { useKith } from "../app/kith.tsx";
import { PlainField } from "../app/plain-field.tsx";
import { Trouble } from "../app/trouble.tsx";
import { useRequest } from "../app/use-request.ts";
import { useText } from "../texts/use-text.ts";
import { FindPeople } from "./find-people.tsx";

export function AddBuddyForm({ onDone }: { readonly onDone: () => void }) {
  const text = useText();
  const { bridge } = useKith();
  const [handle, setHandle] = useState("");
  const [greeting, setGreeting] = useState("");
  const { run, isRunning, trouble } = useRequest();

  function submit(event: FormEvent): void {
    event.preventDefault();
    void run(async () => {
      await bridge.invoke("requestBuddy", { handle, greeting });
      onDone();
    });
  }

  return (
    <>
      <p className="dialog-words">{text("addBuddy.explain")}</p>
      <FindPeople greeting={greeting} />
      <Form className="form add-by-handle" onSubmit={submit}>
        <PlainField label={text("addBuddy.handle")} value={handle} onChange={setHandle} autoComplete="off" />
        <TextField className="field" value={greeting} onChange={setGreeting} maxLength={LIMITS.maxGreetingLength}>
          <Label className="field-label">{text("addBuddy.greeting")}</Label>
          <TextArea className="field-input" rows={3} placeholder={text("addBuddy.greetingHint")} />
        </TextField>
        <Trouble>{trouble}</Trouble>
        <div className="dialog-buttons">
          <Button slot="close" className="button">
            {text("dialog.cancel")}
          </Button>
          <Button type="submit" className="button button-primary" isPending={isRunning}>
            {text("addBuddy.send")}
          </Button>
        </div>
      </Form>
    </>
  );
}
