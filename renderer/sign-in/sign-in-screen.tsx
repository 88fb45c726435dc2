import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";
import { KithError } from "../../protocol/errors.ts";
import { parseInvitation } from "../../protocol/invitation.ts";
import type { SessionView } from "../../protocol/ipc-schema.ts";
import { Banner } from "../app/banner.tsx";
import { useKith } from "../app/kith.tsx";
import { Logo } from "../app/logo.tsx";
import { PassingNotices } from "../app/passing-notices.tsx";
import { PasswordField } from "../app/password-field.tsx";
import { PlainField } from "../app/plain-field.tsx";
import { Trouble } from "../app/trouble.tsx";
import { useText } from "../texts/use-text.ts";
import { CrowdWait } from "./crowd-wait.tsx";
import { RecoverDialog } from "./recover-form.tsx";

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
  /** null: not asked for yet. */
  const [invitation, setInvitation] = useState(session.invitation === "" ? null : session.invitation);
  const [attempt, setAttempt] = useState<Attempt>({ phase: "idle" });
  const [recovering, setRecovering] = useState(false);
  const isInvited = invitation !== null && invitation.trim() !== "";
  const running = attempt.phase === "running";
  const isWaiting = session.nextTryInMs !== null;

  async function run(what: "signIn" | "signUp"): Promise<void> {
    if (running || isWaiting) return;
    if (handle.trim() === "" || password === "" || loginServer.trim() === "") {
      setAttempt({ phase: "refused", message: text("signIn.incomplete") });
      return;
    }
    setAttempt({ phase: "running", what });
    try {
      if (what === "signIn") await bridge.invoke("signIn", { loginServer, handle, password });
      else await bridge.invoke("signUp", { loginServer, handle, password, invitation: invitation ?? "" });
      setAttempt({ phase: "idle" });
    } catch (thrown) {
      const { code, message } = KithError.from(thrown);
      setAttempt(code === "sign-in-cancelled" ? { phase: "idle" } : { phase: "refused", message });
      if (code === "invitation-needed") setInvitation((before) => before ?? "");
    }
  }

  /** The link says which login server it is. */
  function changeInvitation(link: string): void {
    setInvitation(link);
    const named = loginServerOf(link);
    if (named !== null) setLoginServer(named);
  }

  function submit(event: FormEvent): void {
    event.preventDefault();
    void run(isInvited ? "signUp" : "signIn");
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
        <PassingNotices />
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
            description={text(session.loginServer === "" ? "signIn.loginServerNeeded" : "signIn.loginServerHint")}
            value={loginServer}
            onChange={setLoginServer}
            autoComplete="url"
          />
          {invitation === null ? (
            <Button className="link-button" onPress={() => setInvitation("")}>
              {text("signIn.haveInvitation")}
            </Button>
          ) : (
            <PlainField
              label={text("signIn.invitation")}
              description={text("signIn.invitationHint")}
              value={invitation}
              onChange={changeInvitation}
              autoComplete="off"
              autoFocus={session.invitation === ""}
            />
          )}
          <Trouble>{attempt.phase === "refused" && attempt.message}</Trouble>
          <div className="sign-in-progress" role="status">
            {running && !isWaiting && text(attempt.what === "signIn" ? "signIn.signingIn" : "signIn.signingUp")}
          </div>
          {session.nextTryInMs !== null && !recovering && <CrowdWait inMs={session.nextTryInMs} />}
          <div className="sign-in-buttons">
            <Button
              type={isInvited ? "button" : "submit"}
              className={isInvited ? "button" : "button button-primary"}
              isPending={running || isWaiting}
              onPress={() => isInvited && void run("signIn")}
            >
              {text("signIn.signIn")}
            </Button>
            <Button
              type={isInvited ? "submit" : "button"}
              className={isInvited ? "button button-primary" : "button"}
              isPending={running || isWaiting}
              onPress={() => !isInvited && void run("signUp")}
            >
              {text("signIn.signUp")}
            </Button>
          </div>
          {!isWaiting && (
            <>
              <Button className="link-button" onPress={() => setRecovering(true)}>
                {text("signIn.forgotten")}
              </Button>
              <p className="sign-in-new">{text(isInvited ? "signIn.invited" : "signIn.new")}</p>
            </>
          )}
        </Form>
        <RecoverDialog
          isOpen={recovering}
          onOpenChange={setRecovering}
          handle={handle}
          loginServer={loginServer}
          nextTryInMs={session.nextTryInMs}
        />
      </div>
    </main>
  );
}

/** null while it is not all there. */
function loginServerOf(link: string): string | null {
  try {
    return parseInvitation(link).loginServer;
  } catch {
    return null;
  }
}
