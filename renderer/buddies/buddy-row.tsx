import { ListBoxItem } from "react-aria-components";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import { Avatar } from "../app/avatar.tsx";
import { useText } from "../texts/use-text.ts";
import { buddyName } from "./buddy-name.ts";
import { PRESENCE_WORDS, PresenceMark } from "./presence.tsx";

export function BuddyRow({ buddy }: { readonly buddy: BuddyView }) {
  const text = useText();
  const asked = buddy.relation === "asked-by-me";
  const presence = text(PRESENCE_WORDS[buddy.presence]);
  const state = asked ? text("buddies.asked") : presence;
  const unread = buddy.unread > 0 ? text("buddies.unread", { count: buddy.unread }) : "";
  const words = asked ? "" : buddy.lastLine || buddy.statusText;
  const called = buddyName(buddy);
  const name = [called, state.toLowerCase(), unread, words].filter((part) => part !== "").join(", ");
  return (
    <ListBoxItem id={buddy.userId} className="buddy-row" textValue={called} aria-label={name}>
      <span className="avatar-with-presence">
        <Avatar userId={buddy.userId} handle={buddy.handle} />
        {!asked && <PresenceMark presence={buddy.presence} />}
      </span>
      <span className="buddy-words">
        <span className="buddy-handle">{called}</span>
        <span className="buddy-state">
          <span className={asked ? "" : `presence-word-${buddy.presence}`}>{state}</span>
          {words !== "" && <span className="buddy-last">{words}</span>}
        </span>
      </span>
      {buddy.unread > 0 && <span className="unread-badge">{buddy.unread > 99 ? "99+" : buddy.unread}</span>}
    </ListBoxItem>
  );
}
