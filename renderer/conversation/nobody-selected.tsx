import type { SessionView } from "../../protocol/ipc-schema.ts";
import { RecoveryAdvice } from "../account/recovery-advice.tsx";
import { useAppState } from "../app/kith.tsx";
import { Logo } from "../app/logo.tsx";
import { useText } from "../texts/use-text.ts";

export function NobodySelected({ session }: { readonly session: Extract<SessionView, { phase: "signed-in" }> }) {
  const text = useText();
  const alone = useAppState(({ buddies }) => buddies.length === 0);
  return (
    <div className="nobody-selected">
      <Logo size={64} />
      <p>{text(alone ? "conversation.noBuddies" : "conversation.nobody")}</p>
      {alone && <RecoveryAdvice session={session} />}
    </div>
  );
}
