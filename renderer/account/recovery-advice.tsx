import { useState } from "react";
import { Button } from "react-aria-components";
import type { SessionView } from "../../protocol/ipc-schema.ts";
import { useKith } from "../app/kith.tsx";
import { useOnOpen } from "../app/use-on-open.ts";
import { useRequest } from "../app/use-request.ts";
import { useText } from "../texts/use-text.ts";
import { AccountDialog } from "./account-dialog.tsx";

type SignedIn = Extract<SessionView, { phase: "signed-in" }>;

/** Tells who has no recovery key yet that nobody can replace a forgotten password, while the account is new. */
export function RecoveryAdvice({ session }: { readonly session: SignedIn }) {
  const text = useText();
  const { bridge } = useKith();
  const [isMissing, setMissing] = useState(false);
  const [isOpen, setOpen] = useState(false);
  // Without the login server there is nothing to advise.
  const { run } = useRequest();
  const look = () => void run(async () => setMissing((await bridge.invoke("account", {})).recoveryKeySetAt === null));
  useOnOpen(look);

  function opened(isOpen: boolean): void {
    setOpen(isOpen);
    if (!isOpen) look();
  }

  return (
    <>
      {isMissing && (
        <div className="recovery-advice">
          <p>{text("recovery.advice")}</p>
          <Button className="button" aria-haspopup="dialog" onPress={() => setOpen(true)}>
            {text("recovery.open")}
          </Button>
        </div>
      )}
      <AccountDialog session={session} tab="recovery" isOpen={isOpen} onOpenChange={opened} />
    </>
  );
}
