/** With what the process ends when it ends by itself: whoever watches over it starts it again, unless that would mend nothing. */
import type { ErrorCode } from "../protocol/errors.ts";

/** RestartPreventExitStatus of the systemd unit. */
const REMOVED = 3;
const FAILED = 1;

export function exitStatusOf(code: ErrorCode): number {
  return code === "supernode-removed" ? REMOVED : FAILED;
}
