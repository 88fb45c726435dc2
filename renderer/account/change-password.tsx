import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";
import { useKith } from "../app/kith.tsx";
import { PasswordField } from "../app/password-field.tsx";
import { Trouble } from "../app/trouble.tsx";
import { useRequest } from "../app/use-request.ts";
import { useText } from "../texts/use-text.ts";

export function ChangePassword() {
  const text = useText();
  const { bridge } = useKith();
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const { run, isRunning, state, trouble } = useRequest();

  function submit(event: FormEvent): void {
    event.preventDefault();
    void run(async () => {
      await bridge.invoke("changePassword", { current, next });
      setCurrent("");
      setNext("");
    });
  }

  return (
    <Form className="form" onSubmit={submit}>
      <p className="dialog-words">{text("password.explain")}</p>
      <PasswordField label={text("password.current")} value={current} onChange={setCurrent} />
      <PasswordField label={text("password.next")} value={next} onChange={setNext} isNew />
      <Trouble>{trouble}</Trouble>
      <div className="form-done" role="status">
        {state.phase === "done" && text("password.done")}
        {isRunning && text("password.running")}
      </div>
      <div className="dialog-buttons">
        <Button
          type="submit"
          className="button button-primary"
          isPending={isRunning}
          isDisabled={current === "" || next === ""}
        >
          {text("password.change")}
        </Button>
      </div>
    </Form>
  );
}
