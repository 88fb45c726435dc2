import type { SessionView } from "../../protocol/ipc-schema.ts";
import { AddBuddy } from "../buddies/add-buddy.tsx";
import { BuddyList } from "../buddies/buddy-list.tsx";
import { BuddyRequests } from "../buddies/buddy-requests.tsx";
import { OwnProfile } from "../buddies/own-profile.tsx";
import { CallPanel } from "../call/call-panel.tsx";
import { IncomingCall } from "../call/incoming-call.tsx";
import { LastCall } from "../call/last-call.tsx";
import { useRinging } from "../call/use-ringing.ts";
import { Conversation } from "../conversation/conversation.tsx";
import { NobodySelected } from "../conversation/nobody-selected.tsx";
import { useText } from "../texts/use-text.ts";
import { useAppState } from "./kith.tsx";
import { Notices } from "./notices.tsx";

type SignedIn = Extract<SessionView, { phase: "signed-in" }>;

export function MainWindow({ session }: { readonly session: SignedIn }) {
  const text = useText();
  const selected = useAppState(({ buddies, selected }) => buddies.find(({ userId }) => userId === selected));
  useRinging(session.status);
  return (
    <div className="main-window">
      <nav className="side" aria-label={text("buddies.side")}>
        <OwnProfile session={session} />
        <BuddyRequests />
        <BuddyList />
        <AddBuddy />
      </nav>
      <main className="stage">
        <Notices session={session} />
        <CallPanel />
        <LastCall />
        {selected === undefined ? (
          <NobodySelected session={session} />
        ) : (
          <Conversation key={selected.userId} buddy={selected} ownId={session.userId} />
        )}
      </main>
      <IncomingCall />
    </div>
  );
}
