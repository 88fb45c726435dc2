import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";
import { KithError } from "../../protocol/errors.ts";
import type { SessionView } from "../../protocol/ipc-schema.ts";
import { Banner } from "../app/banner.tsx";
import { useKith } from "../app/kith.tsx";
import { Logo } from "../app/logo.tsx";
import { useText } from "../texts/use-text.ts";
import { PasswordField } from "./password-field.tsx";
import { PlainField } from "./plain-field.tsx";

type Attempt =
  | { readonly phase: "idle" }
  | { readonly phase: "running"; readonly what: "signIn" | "signUp" }
  | { readonly phase: "refused"; readonly message: string };

/** One form for both: whoever is new presses the other button. */
export function SignInScreen({ session }: { readonly session: Extract<SessionView, { phase: "signed-out" }> }) {
  const text = useText();
  const { bridge } = useKith();
  const [handle, setHandle] = useState(session.handle);
  const [password, setPassword] = useState("");
  const [loginServer, setLoginServer] = useState(session.loginServer);
  const [attempt, setAttempt] = useState<Attempt>({ phase: "idle" });
  const running = attempt.phase === "running";

  async function run(what: "signIn" | "signUp"): Promise<void> {
    if (running) return;
    if (handle.trim() === "" || password === "" || loginServer.trim() === "") {
      setAttempt({ phase: "refused", message: text("signIn.incomplete") });
      return;
    }
    setAttempt({ phase: "running", what });
    try {
      await bridge.invoke(what, { loginServer, handle, password });
      setAttempt({ phase: "idle" });
    } catch (error) {
      setAttempt({ phase: "refused", message: KithError.from(error).message });
    }
  }

  function submit(event: FormEvent): void {
    event.preventDefault();
    void run("signIn");
  }

  return (
    <main className="sign-in-screen">
      <div className="sign-in-card">
        <header className="sign-in-header">
          <Logo size={56} />
          <h1>{text("signIn.title")}</h1>
          <p>{text("signIn.subtitle")}</p>
        </header>
        {session.notice !== null && attempt.phase === "idle" && (
          <Banner icon="info" tone="warning">
            {session.notice.message}
          </Banner>
        )}
        <Form className="form" onSubmit={submit} aria-label={text("signIn.title")}>
          <PlainField
            label={text("signIn.handle")}
            value={handle}
            onChange={setHandle}
            autoComplete="username"
            autoFocus={session.handle === ""}
          />
          <PasswordField value={password} onChange={setPassword} autoFocus={session.handle !== ""} />
          <PlainField
            label={text("signIn.loginServer")}
            description={text("signIn.loginServerHint")}
            value={loginServer}
            onChange={setLoginServer}
            autoComplete="url"
          />
          <div className="form-error" role="alert">
            {attempt.phase === "refused" && attempt.message}
          </div>
          <div className="sign-in-progress" role="status">
            {running && text(attempt.what === "signIn" ? "signIn.signingIn" : "signIn.signingUp")}
          </div>
          <div className="sign-in-buttons">
            <Button type="submit" className="button button-primary" isDisabled={running}>
              {text("signIn.signIn")}
            </Button>
            <Button className="button" isDisabled={running} onPress={() => void run("signUp")}>
              {text("signIn.signUp")}
            </Button>
          </div>
          <p className="sign-in-new">{text("signIn.new")}</p>
        </Form>
      </div>
    </main>
  );
}
