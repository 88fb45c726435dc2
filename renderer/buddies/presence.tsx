import type { BuddyView } from "../../protocol/ipc-schema.ts";
import type { TextId } from "../texts/en.ts";

export type Presence = BuddyView["presence"] | "invisible";

export const PRESENCE_WORDS: Readonly<Record<Presence, TextId>> = {
  online: "presence.online",
  away: "presence.away",
  busy: "presence.busy",
  offline: "presence.offline",
  unknown: "presence.unknown",
  invisible: "presence.invisible",
};

/** The mark differs in shape as well as colour; the word always stands near it. */
export function PresenceMark({ presence }: { readonly presence: Presence }) {
  return (
    <svg className={`presence presence-${presence}`} width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
      <circle cx="7" cy="7" r="5" />
      {presence === "away" && <path d="M7 4.4V7l1.8 1.3" />}
      {presence === "busy" && <path d="M4.7 7h4.6" />}
    </svg>
  );
}
