import { useState } from "react";
import { Button, Menu, MenuItem, MenuTrigger, Popover } from "react-aria-components";
import { FormattedRelativeTime } from "react-intl";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import { Avatar } from "../app/avatar.tsx";
import { ConfirmDialog } from "../app/confirm-dialog.tsx";
import { Icon } from "../app/icon.tsx";
import { useAppState, useAttempt, useKith } from "../app/kith.tsx";
import { buddyName } from "../buddies/buddy-name.ts";
import { PRESENCE_WORDS, PresenceMark } from "../buddies/presence.tsx";
import { useText } from "../texts/use-text.ts";
import { LabelBuddy } from "./label-buddy.tsx";

export function ConversationHeader({ buddy }: { readonly buddy: BuddyView }) {
  const text = useText();
  const { bridge } = useKith();
  const attempt = useAttempt();
  const [dialog, setDialog] = useState<"label" | "block" | "remove" | null>(null);
  const opening = (which: typeof dialog) => ({
    isOpen: dialog === which,
    onOpenChange: (isOpen: boolean) => setDialog(isOpen ? which : null),
  });
  const talkingTo = useAppState(({ call }) => (call.phase === "idle" || call.phase === "ended" ? null : call.peer));
  const { userId, handle, relation, presence, statusText, keyChanged } = buddy;
  return (
    <header className="conversation-header">
      <Avatar userId={userId} handle={handle} />
      <div className="conversation-who">
        <h2>
          {buddyName(buddy)}
          {buddy.alias !== "" && <span className="conversation-handle">{handle}</span>}
        </h2>
        {relation === "buddy" && (
          <p className="conversation-presence">
            <PresenceMark presence={presence} />
            <span>{text(PRESENCE_WORDS[presence])}</span>
            {presence === "offline" && buddy.lastSeenAt !== null && <LastSeen at={buddy.lastSeenAt} />}
            {statusText !== "" && <span className="conversation-status">{statusText}</span>}
          </p>
        )}
      </div>
      {relation === "buddy" && talkingTo !== userId && (
        <Button
          className="button button-primary button-call"
          isDisabled={talkingTo !== null || keyChanged}
          onPress={() => attempt(bridge.invoke("dial", { peer: userId }))}
        >
          <Icon name="phone" />
          {text("conversation.call")}
        </Button>
      )}
      <MenuTrigger>
        <Button className="icon-button" aria-label={text("conversation.menu")}>
          <Icon name="more" />
        </Button>
        <Popover className="popover" placement="bottom end">
          <Menu className="menu" onAction={(action) => setDialog(action as typeof dialog)}>
            <MenuItem id="label" className="menu-item">
              {text("labelBuddy.open")}
            </MenuItem>
            <MenuItem id="block" className="menu-item menu-item-danger">
              {text("blockBuddy.open")}
            </MenuItem>
            <MenuItem id="remove" className="menu-item menu-item-danger">
              <Icon name="trash" size={18} />
              {text("removeBuddy.open")}
            </MenuItem>
          </Menu>
        </Popover>
      </MenuTrigger>
      <LabelBuddy buddy={buddy} {...opening("label")} />
      <ConfirmDialog
        title={text("blockBuddy.title", { handle })}
        explanation={text("blockBuddy.explain")}
        confirm={text("blockBuddy.confirm")}
        onConfirm={() => attempt(bridge.invoke("blockBuddy", { userId }))}
        {...opening("block")}
      />
      <ConfirmDialog
        title={text("removeBuddy.title", { handle })}
        explanation={text("removeBuddy.explain")}
        confirm={text("removeBuddy.confirm")}
        onConfirm={() => attempt(bridge.invoke("removeBuddy", { userId }))}
        {...opening("remove")}
      />
    </header>
  );
}

/** In the largest unit that fits: minutes, hours, then days. */
function LastSeen({ at }: { readonly at: number }) {
  const text = useText();
  const { clock } = useKith();
  const minutes = Math.round((at - clock.now()) / 60_000);
  const [value, unit] =
    minutes > -60
      ? ([minutes, "minute"] as const)
      : minutes > -24 * 60
        ? ([Math.round(minutes / 60), "hour"] as const)
        : ([Math.round(minutes / (24 * 60)), "day"] as const);
  return (
    <span className="conversation-status">
      {text("presence.lastSeen")} <FormattedRelativeTime value={Math.min(value, 0)} unit={unit} numeric="auto" />
    </span>
  );
}
