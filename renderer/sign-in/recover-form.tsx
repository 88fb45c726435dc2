import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";
import { useKith } from "../app/kith.tsx";
import { ModalDialog, type Opening } from "../app/modal-dialog.tsx";
import { PasswordField } from "../app/password-field.tsx";
import { PlainField } from "../app/plain-field.tsx";
import { Trouble } from "../app/trouble.tsx";
import { useRequest } from "../app/use-request.ts";
import { useText } from "../texts/use-text.ts";
import { CrowdWait } from "./crowd-wait.tsx";

interface RecoverFormProps {
  /** As typed on the screen behind it. */
  readonly handle: string;
  readonly loginServer: string;
  /** In how many ms a crowded login server is asked again; null while nobody waits. */
  readonly nextTryInMs: number | null;
}

export function RecoverDialog({ handle, loginServer, nextTryInMs, ...opening }: RecoverFormProps & Opening) {
  const text = useText();
  return (
    <ModalDialog title={text("recover.title")} {...opening}>
      <RecoverForm handle={handle} loginServer={loginServer} nextTryInMs={nextTryInMs} />
    </ModalDialog>
  );
}

/** A forgotten password: the recovery key sets another one, and signs in with it. */
function RecoverForm(typed: RecoverFormProps) {
  const text = useText();
  const { bridge } = useKith();
  const [handle, setHandle] = useState(typed.handle);
  const [loginServer, setLoginServer] = useState(typed.loginServer);
  const [recoveryKey, setRecoveryKey] = useState("");
  const [password, setPassword] = useState("");
  const { run, refuse, isRunning, trouble } = useRequest();

  function submit(event: FormEvent): void {
    event.preventDefault();
    if ([handle, loginServer, recoveryKey, password].some((field) => field.trim() === "")) {
      refuse(text("recover.incomplete"));
      return;
    }
    void run(() => bridge.invoke("recover", { loginServer, handle, recoveryKey, password }));
  }

  return (
    <>
      <p className="dialog-words">{text("recover.explain")}</p>
      <Form className="form" onSubmit={submit}>
        <PlainField label={text("signIn.handle")} value={handle} onChange={setHandle} autoComplete="username" />
        <PlainField
          label={text("recover.key")}
          value={recoveryKey}
          onChange={setRecoveryKey}
          autoComplete="off"
          autoFocus
        />
        <PasswordField label={text("password.next")} value={password} onChange={setPassword} isNew />
        <PlainField
          label={text("signIn.loginServer")}
          value={loginServer}
          onChange={setLoginServer}
          autoComplete="url"
        />
        <Trouble>{trouble}</Trouble>
        <div className="sign-in-progress" role="status">
          {isRunning && typed.nextTryInMs === null && text("recover.running")}
        </div>
        {typed.nextTryInMs !== null && <CrowdWait inMs={typed.nextTryInMs} />}
        <div className="dialog-buttons">
          <Button slot="close" className="button">
            {text("dialog.cancel")}
          </Button>
          <Button type="submit" className="button button-primary" isPending={isRunning}>
            {text("recover.now")}
          </Button>
        </div>
      </Form>
    </>
  );
}
