import { type FormEvent, useState } from "react";
import { Button, Dialog, Form, Heading, Label, TextArea, TextField } from "react-aria-components";
import { KithError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { useKith } from "../app/kith.tsx";
import { PlainField } from "../sign-in/plain-field.tsx";
import { useText } from "../texts/use-text.ts";
import { FindPeople } from "./find-people.tsx";

type Attempt =
  | { readonly phase: "idle" }
  | { readonly phase: "running" }
  | { readonly phase: "refused"; readonly message: string };

export function AddBuddyForm({ onDone }: { readonly onDone: () => void }) {
  const text = useText();
  const { bridge } = useKith();
  const [handle, setHandle] = useState("");
  const [greeting, setGreeting] = useState("");
  const [attempt, setAttempt] = useState<Attempt>({ phase: "idle" });

  async function ask(): Promise<void> {
    setAttempt({ phase: "running" });
    try {
      await bridge.invoke("requestBuddy", { handle, greeting });
      onDone();
    } catch (error) {
      setAttempt({ phase: "refused", message: KithError.from(error).message });
    }
  }

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (attempt.phase !== "running") void ask();
  }

  return (
    <Dialog className="dialog">
      <Heading slot="title" className="dialog-title">
        {text("addBuddy.title")}
      </Heading>
      <p className="dialog-words">{text("addBuddy.explain")}</p>
      <FindPeople greeting={greeting} />
      <Form className="form add-by-handle" onSubmit={submit}>
        <PlainField label={text("addBuddy.handle")} value={handle} onChange={setHandle} autoComplete="off" />
        <TextField className="field" value={greeting} onChange={setGreeting} maxLength={LIMITS.maxGreetingLength}>
          <Label className="field-label">{text("addBuddy.greeting")}</Label>
          <TextArea className="field-input" rows={3} placeholder={text("addBuddy.greetingHint")} />
        </TextField>
        <div className="form-error" role="alert">
          {attempt.phase === "refused" && attempt.message}
        </div>
        <div className="dialog-buttons">
          <Button slot="close" className="button">
            {text("dialog.cancel")}
          </Button>
          <Button type="submit" className="button button-primary" isDisabled={attempt.phase === "running"}>
            {text("addBuddy.send")}
          </Button>
        </div>
      </Form>
    </Dialog>
  );
}
