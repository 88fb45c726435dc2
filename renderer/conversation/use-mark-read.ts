import { useEffect } from "react";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import { useAttempt, useKith } from "../app/kith.tsx";

/** What stands open before the user's eyes counts as read: now, or when the window comes to the front. */
export function useMarkRead({ userId, unread }: Pick<BuddyView, "userId" | "unread">): void {
  const { bridge } = useKith();
  const attempt = useAttempt();
  useEffect(() => {
    if (unread === 0) return;
    const markIfSeen = () => {
      if (document.hasFocus()) attempt(bridge.invoke("markRead", { peer: userId }));
    };
    markIfSeen();
    window.addEventListener("focus", markIfSeen);
    return () => window.removeEventListener("focus", markIfSeen);
  }, [attempt, bridge, unread, userId]);
}
