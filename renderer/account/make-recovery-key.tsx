import { useState } from "react";
import { Button } from "react-aria-components";
import { FormattedDate } from "react-intl";
import type { SessionView } from "../../protocol/ipc-schema.ts";
import { useKith } from "../app/kith.tsx";
import { Trouble } from "../app/trouble.tsx";
import { useRequest } from "../app/use-request.ts";
import { useText } from "../texts/use-text.ts";
import type { AccountView } from "./account-view.ts";
import { saveText } from "./save-text.ts";

/** The key is shown once, to be printed, saved or written down. */
export function MakeRecoveryKey({
  account,
  session,
  onMade,
}: {
  readonly account: AccountView;
  readonly session: Extract<SessionView, { phase: "signed-in" }>;
  readonly onMade: () => void;
}) {
  const text = useText();
  const { bridge } = useKith();
  const [recoveryKey, setRecoveryKey] = useState("");
  const { run, isRunning, trouble } = useRequest();
  const about = { handle: session.handle, network: session.network };

  function make(): void {
    void run(async () => setRecoveryKey((await bridge.invoke("makeRecoveryKey", {})).recoveryKey)).then(onMade);
  }

  function save(): void {
    saveText(
      `kith-recovery-key-${session.handle}.txt`,
      "text/plain",
      `${text("recovery.sheet", about)}\n\n${recoveryKey}\n`,
    );
  }

  return (
    <>
      <p className="dialog-words">{text("recovery.explain")}</p>
      {recoveryKey === "" ? (
        <p className="dialog-words">
          {account.recoveryKeySetAt === null ? (
            text("recovery.none")
          ) : (
            <>
              {text("recovery.madeOn")} <FormattedDate value={account.recoveryKeySetAt} dateStyle="long" />.{" "}
              {text("recovery.replaces")}
            </>
          )}
        </p>
      ) : (
        <section className="recovery-sheet" aria-label={text("account.recovery")}>
          <p>{text("recovery.sheet", about)}</p>
          <p className="recovery-key">{recoveryKey}</p>
        </section>
      )}
      <Trouble>{trouble}</Trouble>
      <div className="dialog-buttons">
        {recoveryKey === "" ? (
          <Button className="button button-primary" isPending={isRunning} onPress={make}>
            {text("recovery.make")}
          </Button>
        ) : (
          <>
            <Button className="button" onPress={save}>
              {text("recovery.save")}
            </Button>
            <Button className="button button-primary" autoFocus onPress={() => window.print()}>
              {text("recovery.print")}
            </Button>
          </>
        )}
      </div>
    </>
  );
}
