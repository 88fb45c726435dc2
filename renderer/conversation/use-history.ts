import { useCallback, useEffect } from "react";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import { type ConversationState, EMPTY_CONVERSATION } from "../app/conversation-state.ts";
import { useAppState, useAttempt, useKith } from "../app/kith.tsx";
import { conversationOf, withHistory, withPage } from "../app/store.ts";

const PAGE = 60;

/** The lines of a conversation; the newest page is fetched when it is first opened, older ones on demand. */
export function useHistory(peer: BuddyView["userId"]): {
  readonly conversation: ConversationState;
  readonly loadOlder: () => void;
} {
  const { bridge, store } = useKith();
  const attempt = useAttempt();
  const conversation = useAppState((state) => state.conversations.get(peer)) ?? EMPTY_CONVERSATION;

  const fetchPage = useCallback(async () => {
    const { history: before, lines } = conversationOf(store.getState(), peer);
    if (before === "loading" || before === "complete") return;
    store.setState((state) => withHistory(state, peer, "loading"));
    try {
      const oldest = before === "unasked" ? null : (lines[0]?.lineId ?? null);
      const page = await bridge.invoke("lines", { peer, before: oldest, limit: PAGE });
      store.setState((state) => withPage(state, peer, page.lines, page.more));
    } catch (error) {
      store.setState((state) => withHistory(state, peer, before));
      throw error;
    }
  }, [bridge, store, peer]);

  useEffect(() => {
    if (conversationOf(store.getState(), peer).history === "unasked") attempt(fetchPage());
  }, [attempt, fetchPage, peer, store]);

  const loadOlder = useCallback(() => attempt(fetchPage()), [attempt, fetchPage]);
  return { conversation, loadOlder };
}
