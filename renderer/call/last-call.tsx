import { useState } from "react";
import type { CallView } from "../../protocol/ipc-schema.ts";
import { Banner } from "../app/banner.tsx";
import { useAppState } from "../app/kith.tsx";
import { useNow } from "../app/use-now.ts";
import { useText } from "../texts/use-text.ts";
import { endedText, isMissed } from "./call-words.ts";
import { formatDuration } from "./duration.ts";

/** Long enough to read; the conversation keeps it anyway. */
const SHOWN_MS = 15_000;

/** How the last call ended, in words. */
export function LastCall() {
  const call = useAppState((state) => state.call);
  return (
    <div className="last-call" role="status">
      {call.phase === "ended" && <Ended key={call.callId} call={call} />}
    </div>
  );
}

function Ended({ call }: { readonly call: Extract<CallView, { phase: "ended" }> }) {
  const text = useText();
  const now = useNow(1_000);
  const [dismissed, setDismissed] = useState(false);
  const peer = useAppState(({ buddies }) => buddies.find(({ userId }) => userId === call.peer));
  if (dismissed || now - call.endedAt > SHOWN_MS) return null;
  const handle = peer?.handle ?? text("call.somebody");
  const duration =
    call.connectedAt === null
      ? ""
      : text("callLine.duration", { duration: formatDuration(call.endedAt - call.connectedAt) });
  return (
    <Banner icon={isMissed(call) ? "missed" : "info"} tone="quiet" onDismiss={() => setDismissed(true)}>
      {text(endedText(call), { handle })}
      {duration !== "" && ` ${duration}`}
    </Banner>
  );
}
