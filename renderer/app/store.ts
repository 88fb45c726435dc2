/** What the window shows: fed by main's snapshot and pushes alone, plus what the user looks at. */
import { createStore, type StoreApi } from "zustand/vanilla";
import type {
  BuddyView,
  CallView,
  LineView,
  Notice,
  SessionView,
  Settings,
  SupernodeView,
} from "../../protocol/ipc-schema.ts";
import type { CallPath } from "../media/call-path.ts";
import { type ConversationState, EMPTY_CONVERSATION, withLine, withOlderLines } from "./conversation-state.ts";

type UserId = BuddyView["userId"];

export interface AppState {
  readonly session: SessionView;
  readonly buddies: readonly BuddyView[];
  readonly call: CallView;
  /** Which way its sound goes; null while nobody knows. */
  readonly callPath: CallPath | null;
  /** Null until main has told them. */
  readonly settings: Settings | null;
  /** This computer as a supernode. */
  readonly supernode: SupernodeView;
  /** Whose conversation is open. */
  readonly selected: UserId | null;
  readonly conversations: ReadonlyMap<UserId, ConversationState>;
  /** Typed and not yet sent. */
  readonly drafts: ReadonlyMap<UserId, string>;
  /** Passing trouble, until the user has read it. */
  readonly notices: readonly Notice[];
}

export type Store = StoreApi<AppState>;

const NOTHING: Omit<AppState, "session" | "settings" | "supernode"> = {
  buddies: [],
  call: { phase: "idle" },
  callPath: null,
  selected: null,
  conversations: new Map(),
  drafts: new Map(),
  notices: [],
};

export function createAppStore(): Store {
  return createStore<AppState>(() => ({
    ...NOTHING,
    session: { phase: "starting" },
    settings: null,
    supernode: { phase: "off" },
  }));
}

/** Signing out, or in as somebody else, forgets everything that was on the screen. */
export function withSession(state: AppState, session: SessionView): AppState {
  const before = state.session.phase === "signed-in" ? state.session.userId : null;
  const after = session.phase === "signed-in" ? session.userId : null;
  return before === after || before === null
    ? { ...state, session }
    : { ...NOTHING, session, settings: state.settings, supernode: state.supernode };
}

/** Buddies in the order of the list: whom one talked to last comes first, then by handle. */
export function withBuddies(state: AppState, buddies: readonly BuddyView[]): AppState {
  const sorted = buddies.toSorted(
    (a, b) => (b.lastActivityAt ?? 0) - (a.lastActivityAt ?? 0) || (a.handle < b.handle ? -1 : 1),
  );
  const selected = sorted.some(({ userId }) => userId === state.selected) ? state.selected : null;
  return { ...state, buddies: sorted, selected };
}

/** A line of a conversation that was never opened is fetched when it is. */
export function withPushedLine(state: AppState, line: LineView): AppState {
  const conversation = state.conversations.get(line.peer);
  return conversation === undefined ? state : withConversation(state, line.peer, withLine(conversation, line));
}

export function withHistory(state: AppState, peer: UserId, history: ConversationState["history"]): AppState {
  return withConversation(state, peer, { ...conversationOf(state, peer), history });
}

export function withPage(state: AppState, peer: UserId, page: readonly LineView[], more: boolean): AppState {
  return withConversation(state, peer, withOlderLines(conversationOf(state, peer), page, more));
}

export function withDraft(state: AppState, peer: UserId, text: string): AppState {
  return { ...state, drafts: new Map(state.drafts).set(peer, text) };
}

/** The same trouble is told once, however often it comes. */
export function withNotice(state: AppState, notice: Notice): AppState {
  const others = state.notices.filter(({ code, message }) => code !== notice.code || message !== notice.message);
  return { ...state, notices: [...others, notice] };
}

export function withoutNotice(state: AppState, notice: Notice): AppState {
  return { ...state, notices: state.notices.filter((other) => other !== notice) };
}

export function conversationOf(state: AppState, peer: UserId): ConversationState {
  return state.conversations.get(peer) ?? EMPTY_CONVERSATION;
}

function withConversation(state: AppState, peer: UserId, conversation: ConversationState): AppState {
  return { ...state, conversations: new Map(state.conversations).set(peer, conversation) };
}
