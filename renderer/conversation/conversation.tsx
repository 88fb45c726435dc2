import { useEffect, useState } from "react";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import { Banner } from "../app/banner.tsx";
import { useText } from "../texts/use-text.ts";
import { Composer } from "./composer.tsx";
import { ConversationHeader } from "./conversation-header.tsx";
import { LineAnnouncer } from "./line-announcer.tsx";
import { LineList } from "./line-list.tsx";
import { useHistory } from "./use-history.ts";
import { useMarkRead } from "./use-mark-read.ts";
import { VoiceComposer } from "./voice-composer.tsx";

/** One buddy's conversation: who it is, what was said, and what to say next. */
export function Conversation({ buddy, ownId }: { readonly buddy: BuddyView; readonly ownId: BuddyView["userId"] }) {
  const text = useText();
  const [composing, setComposing] = useState<"text" | "voice">("text");
  const history = useHistory(buddy.userId);
  useMarkRead(buddy);
  const { keyChanged, relation, handle } = buddy;
  const mayWrite = relation === "buddy" && !keyChanged;
  // A changed key ends a recording that could not be sent.
  useEffect(() => {
    if (!mayWrite) setComposing("text");
  }, [mayWrite]);
  return (
    <article className="conversation" aria-label={text("conversation.with", { handle })}>
      <ConversationHeader buddy={buddy} />
      {keyChanged && (
        <Banner icon="shield" tone="warning">
          {text("conversation.keyChanged", { handle })}
        </Banner>
      )}
      <LineList conversation={history.conversation} loadOlder={history.loadOlder} buddy={buddy} ownId={ownId} />
      <LineAnnouncer lines={history.conversation.lines} handle={handle} />
      {relation === "asked-by-me" && <p className="conversation-waiting">{text("conversation.waiting", { handle })}</p>}
      {mayWrite && composing === "text" && <Composer buddy={buddy} onRecord={() => setComposing("voice")} />}
      {mayWrite && composing === "voice" && <VoiceComposer peer={buddy.userId} onDone={() => setComposing("text")} />}
    </article>
  );
}
