import type { SessionView } from "../../protocol/ipc-schema.ts";
import { useText } from "../texts/use-text.ts";
import { Banner } from "./banner.tsx";
import { useAttempt, useKith } from "./kith.tsx";
import { PassingNotices } from "./passing-notices.tsx";

type SignedIn = Extract<SessionView, { phase: "signed-in" }>;

/** Keys that are not as they should be, then trouble that stands, then trouble that has passed; the connection comes first. */
export function Notices({ session }: { readonly session: SignedIn }) {
  const text = useText();
  const { bridge } = useKith();
  const attempt = useAttempt();
  return (
    <div className="notices" role="status">
      {session.alerts.map(({ alertId, message }) => (
        <Banner
          key={alertId}
          icon="info"
          tone="alarm"
          onDismiss={() => attempt(bridge.invoke("dismissAlert", { alertId }))}
        >
          {message}
        </Banner>
      ))}
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
      <PassingNotices />
    </div>
  );
}
