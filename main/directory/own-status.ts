/** How this device wants to be seen. */
import type { ChosenStatus } from "../../protocol/presence.ts";

export interface OwnStatus {
  readonly status: ChosenStatus;
  readonly text: string;
}

/** As the profile keeps it. */
export interface KeptStatus extends OwnStatus {
  /** Since when this device looks offline though it is there, ms since 1970; null if it does not. */
  readonly hiddenSince: number | null;
}
