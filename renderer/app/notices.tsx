import type { SessionView } from "../../protocol/ipc-schema.ts";
import { useText } from "../texts/use-text.ts";
import { Banner } from "./banner.tsx";
import { useAppState, useKith } from "./kith.tsx";
import { withoutNotice } from "./store.ts";

type SignedIn = Extract<SessionView, { phase: "signed-in" }>;

/** Trouble that stands, then trouble that has passed; the connection comes first. */
export function Notices({ session }: { readonly session: SignedIn }) {
  const text = useText();
  const { store } = useKith();
  const passing = useAppState((state) => state.notices);
  return (
    <div className="notices" role="status">
      {!session.attached && (
        <Banner icon="offline" tone="quiet">
          {text("notice.notAttached")}
        </Banner>
      )}
      {session.attached && !session.loginServerReachable && (
        <Banner icon="info" tone="quiet">
          {text("notice.loginServerUnreachable")}
        </Banner>
      )}
      {session.notices.map((notice) => (
        <Banner key={`${notice.code} ${notice.message}`} icon="info" tone="warning">
          {notice.message}
        </Banner>
      ))}
      {passing.map((notice) => (
        <Banner
          key={`${notice.code} ${notice.message}`}
          icon="info"
          tone="warning"
          onDismiss={() => store.setState((state) => withoutNotice(state, notice))}
        >
          {notice.message}
        </Banner>
      ))}
    </div>
  );
}
