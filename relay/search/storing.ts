/** What a holder's refusal to store a profile means to whoever offers it. */
import { type ErrorCode, KithError } from "../../protocol/errors.ts";

/** It was reached and has decided: it knows better, or it is not its place. Asking again would change nothing. */
const JUDGED: readonly ErrorCode[] = ["profile-stale", "not-a-holder"];

export function rethrowUnlessJudged(error: unknown): void {
  if (!(error instanceof KithError && JUDGED.includes(error.code))) throw error;
}
