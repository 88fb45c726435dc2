import { VisuallyHidden } from "react-aria-components";
import type { CallView } from "../../protocol/ipc-schema.ts";
import { useAppState } from "../app/kith.tsx";
import { useNow } from "../app/use-now.ts";
import { useText } from "../texts/use-text.ts";
import { callStatus, PATH_WORDS } from "./call-words.ts";
import { formatDuration } from "./duration.ts";

/** Words for what the call is doing, and how long it has lasted. The running clock is not read out every second. */
export function CallStatus({ call, handle }: { readonly call: CallView; readonly handle: string }) {
  const text = useText();
  const status = callStatus(call);
  const path = useAppState((state) => state.callPath);
  return (
    <p className="call-status">
      <span role="status">{status === null ? "" : text(status, { handle })}</span>
      {"connectedAt" in call && call.connectedAt !== null && <Elapsed since={call.connectedAt} />}
      {isSounding(call) && path !== null && <span className="call-path">{text(PATH_WORDS[path])}</span>}
    </p>
  );
}

function isSounding({ phase }: CallView): boolean {
  return phase === "active" || phase === "held";
}

function Elapsed({ since }: { readonly since: number }) {
  const text = useText();
  const now = useNow(1_000);
  const duration = formatDuration(now - since);
  return (
    <span className="call-elapsed">
      <VisuallyHidden elementType="span">{text("call.elapsed")}</VisuallyHidden> <time>{duration}</time>
    </span>
  );
}
