import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Button, TextArea, TextField } from "react-aria-components";
import { KithError } from "../../protocol/errors.ts";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { Icon } from "../app/icon.tsx";
import { useAppState, useKith } from "../app/kith.tsx";
import { withDraft } from "../app/store.ts";
import { useText } from "../texts/use-text.ts";

/** From here on the room that is left is shown. */
const NEARLY_FULL = LIMITS.maxMessageLength * 0.9;

export function Composer({ buddy, onRecord }: { readonly buddy: BuddyView; readonly onRecord: () => void }) {
  const text = useText();
  const { bridge, store } = useKith();
  const peer = buddy.userId;
  const draft = useAppState((state) => state.drafts.get(peer)) ?? "";
  const [refusal, setRefusal] = useState("");
  const input = useRef<HTMLTextAreaElement>(null);
  const over = draft.length - LIMITS.maxMessageLength;
  const sendable = draft.trim() !== "" && over <= 0;

  // Whoever chooses a buddy wants to write; a frame later, because the click itself moves the focus to the list.
  useEffect(() => {
    const frame = requestAnimationFrame(() => input.current?.focus());
    return () => cancelAnimationFrame(frame);
  }, []);

  function write(typed: string): void {
    setRefusal("");
    store.setState((state) => withDraft(state, peer, typed));
  }

  async function send(): Promise<void> {
    if (!sendable) return;
    write("");
    try {
      await bridge.invoke("sendMessage", { peer, text: draft });
    } catch (error) {
      setRefusal(KithError.from(error).message);
      // Given back, unless the next one is being typed already.
      store.setState((state) => (state.drafts.get(peer) === "" ? withDraft(state, peer, draft) : state));
    }
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void send();
  }

  return (
    <footer className="composer">
      <div className="composer-words" role="status">
        {refusal}
        {over > 0 && text("composer.tooLong", { limit: LIMITS.maxMessageLength, over })}
        {over <= 0 && draft.length > NEARLY_FULL && text("composer.left", { left: -over })}
      </div>
      <div className="composer-line">
        <TextField className="composer-field" aria-label={text("composer.message")} value={draft} onChange={write}>
          <TextArea
            ref={input}
            className="composer-input"
            placeholder={text("composer.hint", { handle: buddy.handle })}
            rows={1}
            onKeyDown={onKeyDown}
          />
        </TextField>
        <Button className="icon-button" aria-label={text("composer.record")} onPress={onRecord}>
          <Icon name="microphone" size={22} />
        </Button>
        <Button
          className="icon-button icon-button-primary"
          aria-label={text("composer.send")}
          isDisabled={!sendable}
          onPress={() => void send()}
        >
          <Icon name="send" size={22} />
        </Button>
      </div>
    </footer>
  );
}
