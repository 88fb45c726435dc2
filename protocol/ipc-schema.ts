/**
 * Every call between the app's main process and its window, once. The preload script, the
 * main process and the window derive their types from here; main checks each argument
 * against it before anything else sees it.
 */
import { z } from "zod";
import { MediaSignal } from "./call-signal.ts";
import { CallId, DeviceId, Handle, MessageId, UserId } from "./identifiers.ts";
import { LIMITS } from "./limits.ts";
import { AccountEntry, LOGIN_METHODS } from "./login-api.ts";
import { ChosenStatus } from "./presence.ts";
import { method, Nothing } from "./rpc.ts";

const time = z.number().int().nonnegative();
/** Typed by a person; main parses it and says what is wrong with it, so the schema only bounds its size. */
const typed = (max: number) => z.string().max(max);

/** What the window shows of an error: the code from errors.ts and its sentence. */
export const Notice = z.object({ code: z.string(), message: z.string() });
export type Notice = z.infer<typeof Notice>;

/** What the user wants to be found by, and whether. */
export const FindableView = z.object({ on: z.boolean(), displayName: z.string(), words: z.string() });
export type FindableView = z.infer<typeof FindableView>;

/** Somebody whom a search has found. Says nothing of their presence. */
export const PersonView = z.object({ userId: UserId, handle: Handle, displayName: z.string(), words: z.string() });
export type PersonView = z.infer<typeof PersonView>;

/** Somebody's keys are not as they should be: shown until the user says that they have seen it. */
export const KeyAlert = z.object({ alertId: z.number().int().positive(), code: z.string(), message: z.string() });
export type KeyAlert = z.infer<typeof KeyAlert>;

/** Who is signed in, and how the connection to the network is. */
export const SessionView = z.discriminatedUnion("phase", [
  z.object({ phase: z.literal("starting") }),
  z.object({
    phase: z.literal("signed-out"),
    /** Proposed in the form: the last one used, or the one given at the start. */
    loginServer: z.string(),
    handle: z.string(),
    /** The link that opened the app; empty for none. */
    invitation: z.string(),
    /** Why, when it was not the user's wish. */
    notice: Notice.nullable(),
    /** The login server is crowded, and is asked again so many ms after this was said. null while nobody waits. */
    nextTryInMs: z.number().nullable(),
  }),
  z.object({
    phase: z.literal("signed-in"),
    userId: UserId,
    deviceId: DeviceId,
    handle: Handle,
    network: z.string(),
    /** Attached to a supernode: presence, messages and calls work. */
    attached: z.boolean(),
    /** The login server answers: the buddy list can be changed. */
    loginServerReachable: z.boolean(),
    status: ChosenStatus,
    statusText: z.string(),
    findable: FindableView,
    /** What the key log has shown to be wrong and the user has not seen to, oldest first. */
    alerts: z.array(KeyAlert),
    /** Standing trouble to show, most serious first; empty most of the time. */
    notices: z.array(Notice),
  }),
]);
export type SessionView = z.infer<typeof SessionView>;

export const BuddyView = z.object({
  userId: UserId,
  handle: Handle,
  relation: z.enum(["buddy", "asked-by-me", "asks-me"]),
  greeting: z.string(),
  /** `unknown`: their supernode does not answer just now. */
  presence: z.enum(["online", "away", "busy", "offline", "unknown"]),
  statusText: z.string(),
  /** null: never seen within the directory's memory. */
  lastSeenAt: time.nullable(),
  unread: z.number().int().nonnegative(),
  /** Time of the latest line of the conversation, for sorting; null if there is none. */
  lastActivityAt: time.nullable(),
  lastLine: z.string(),
  /** What the user calls them; empty for none. Only the user's own devices know it, as they do the groups. */
  alias: z.string(),
  groups: z.array(z.string()),
  /** Their keys are not the pinned ones: nothing is sent until the user decides. */
  keyChanged: z.boolean(),
});
export type BuddyView = z.infer<typeof BuddyView>;

const EndReason = z.enum([
  "hung-up",
  "peer-hung-up",
  "gave-up",
  "no-answer",
  "declined",
  "peer-declined",
  "peer-busy",
  "answered-elsewhere",
  "declined-elsewhere",
  "unreachable",
  "connect-failed",
  "connection-lost",
  "peer-vanished",
  "media-failed",
]);

const onCall = { callId: CallId, peer: UserId, direction: z.enum(["outgoing", "incoming"]) };
const withSound = { ...onCall, connectedAt: time, muted: z.boolean() };
export const CallView = z.discriminatedUnion("phase", [
  z.object({ phase: z.literal("idle") }),
  z.object({ phase: z.literal("outgoing"), ...onCall, ringing: z.boolean() }),
  z.object({ phase: z.literal("incoming"), ...onCall }),
  z.object({ phase: z.literal("connecting"), ...onCall }),
  z.object({ phase: z.literal("active"), ...withSound }),
  z.object({ phase: z.literal("held"), ...withSound, by: z.enum(["us", "peer", "both"]) }),
  z.object({ phase: z.literal("reconnecting"), ...withSound }),
  z.object({
    phase: z.literal("ended"),
    ...onCall,
    reason: EndReason,
    connectedAt: time.nullable(),
    endedAt: time,
  }),
]);
export type CallView = z.infer<typeof CallView>;

const line = { lineId: z.string(), peer: UserId, mine: z.boolean(), at: time };
/** `waiting`: kept in the outbox until a device of the recipient has it. */
const delivery = { delivery: z.enum(["waiting", "sent", "delivered", "read", "received"]) };
/** One line of a conversation. */
export const LineView = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("text"), ...line, ...delivery, messageId: MessageId, text: z.string() }),
  z.object({
    kind: z.literal("voice"),
    ...line,
    ...delivery,
    messageId: MessageId,
    durationMs: time,
  }),
  z.object({
    kind: z.literal("call"),
    ...line,
    callId: CallId,
    reason: EndReason,
    /** null: it never connected. */
    durationMs: time.nullable(),
  }),
]);
export type LineView = z.infer<typeof LineView>;

/** How media reaches the peer; addresses and credentials are main's to know. */
export const IceServer = z.object({
  urls: z.array(z.string()),
  username: z.string().optional(),
  credential: z.string().optional(),
});
export type IceServer = z.infer<typeof IceServer>;

/** What the user has chosen once and for all, on this device. */
export const Settings = z.object({
  /** Calls go through relays only: the peer, and whoever watches them, learns no address of this computer. */
  hideAddress: z.boolean(),
  /** This computer helps the network as a supernode, whenever it can. */
  beSupernode: z.boolean(),
  /** What it may use for that. Megabits a second and gigabytes a month of relayed sound; 0 for any free port. */
  supernodeMbit: z.number().min(0.1).max(1_000),
  supernodeMonthGb: z.number().min(1).max(100_000),
  supernodePort: z.number().int().min(0).max(65_535),
});
export type Settings = z.infer<typeof Settings>;

/** Why this computer is no supernode just now although its user agreed. */
export const SupernodeObstacle = z.enum([
  /** Nobody is signed in, or the login server does not answer. */
  "no-session",
  /** The network takes none from desktop apps. */
  "not-wanted",
  /** Another computer of this account is one. */
  "elsewhere",
  "battery",
  "metered",
]);
export type SupernodeObstacle = z.infer<typeof SupernodeObstacle>;

/** This computer as a supernode. */
export const SupernodeView = z.discriminatedUnion("phase", [
  z.object({ phase: z.literal("off") }),
  z.object({ phase: z.literal("waiting"), obstacle: SupernodeObstacle }),
  z.object({ phase: z.literal("starting") }),
  /** Other supernodes have tried to reach it at this address and could not; it goes on asking them to. */
  z.object({ phase: z.literal("unreachable"), by: z.enum(["udp", "tcp"]), host: z.string(), port: z.number() }),
  z.object({
    phase: z.literal("running"),
    host: z.string(),
    port: z.number(),
    attached: z.number(),
    members: z.number(),
    /** False behind a router: it keeps people attached, and relays no calls. */
    relays: z.boolean(),
    relayedCallEnds: z.number(),
    relayedBytesThisMonth: z.number(),
  }),
  /** It has ended by itself; it is tried again. */
  z.object({ phase: z.literal("failed"), notice: Notice }),
]);
export type SupernodeView = z.infer<typeof SupernodeView>;

/** Window to main. */
export const IPC_METHODS = {
  /** Everything that the pushes below tell piece by piece. */
  snapshot: method(
    Nothing,
    z.object({
      session: SessionView,
      buddies: z.array(BuddyView),
      call: CallView,
      settings: Settings,
      supernode: SupernodeView,
    }),
  ),
  /** `invitation` is a link, or empty; a link says which login server it is. */
  signUp: method(
    z.strictObject({ loginServer: typed(300), handle: typed(100), password: typed(1_100), invitation: typed(1_000) }),
    Nothing,
  ),
  signIn: method(z.strictObject({ loginServer: typed(300), handle: typed(100), password: typed(1_100) }), Nothing),
  /** Ends the waiting for a crowded login server: signUp, signIn or recover ends with `sign-in-cancelled`. */
  cancelSignIn: method(Nothing, Nothing),
  signOut: method(Nothing, Nothing),
  /** Forgotten password: the recovery key sets another one, and signs in with it. */
  recover: method(
    z.strictObject({ loginServer: typed(300), handle: typed(100), recoveryKey: typed(200), password: typed(1_100) }),
    Nothing,
  ),
  /** What the login server knows of the account. */
  account: method(Nothing, AccountEntry),
  /** Another one than this: for this one there is signOut. */
  signOutDevice: method(z.strictObject({ deviceId: DeviceId }), Nothing),
  changePassword: method(z.strictObject({ current: typed(1_100), next: typed(1_100) }), Nothing),
  /** The answer is to be written down, and is kept nowhere; one made before is good no longer. */
  makeRecoveryKey: method(Nothing, z.object({ recoveryKey: z.string() })),
  deleteAccount: method(z.strictObject({ password: typed(1_100) }), Nothing),
  exportData: method(Nothing, z.object({ json: z.string() })),
  /** For administrators of the network. */
  invite: LOGIN_METHODS.invite,
  applicants: LOGIN_METHODS.applicants,
  decideApplicant: method(z.strictObject({ handle: typed(100), admit: z.boolean() }), Nothing),
  dismissAlert: method(z.strictObject({ alertId: z.number().int().positive() }), Nothing),
  setStatus: method(z.strictObject({ status: ChosenStatus, text: typed(LIMITS.maxStatusTextLength) }), Nothing),
  requestBuddy: method(z.strictObject({ handle: typed(100), greeting: typed(LIMITS.maxGreetingLength) }), Nothing),
  setFindable: method(z.strictObject({ on: z.boolean(), displayName: typed(1_000), words: typed(1_000) }), Nothing),
  /** One page of those who let themselves be found; `cursor` from the page before. `isCut`: there are too many to show. */
  searchPeople: method(
    z.strictObject({ text: typed(20_000), cursor: typed(1_000).nullable() }),
    z.object({ people: z.array(PersonView), cursor: z.string().nullable(), isCut: z.boolean() }),
  ),
  acceptBuddy: method(z.strictObject({ userId: UserId }), Nothing),
  declineBuddy: method(z.strictObject({ userId: UserId }), Nothing),
  removeBuddy: method(z.strictObject({ userId: UserId }), Nothing),
  /** Removes them for good: no request of theirs comes through, and they are not told. */
  blockBuddy: method(z.strictObject({ userId: UserId }), Nothing),
  unblockBuddy: method(z.strictObject({ userId: UserId }), Nothing),
  blocked: method(Nothing, z.object({ people: z.array(z.object({ userId: UserId, handle: Handle })) })),
  labelBuddy: method(z.strictObject({ userId: UserId, alias: typed(64), groups: z.array(typed(64)).max(8) }), Nothing),
  /** Lines older than `before` (a line ID; null for the newest), oldest first. */
  lines: method(
    z.strictObject({ peer: UserId, before: z.string().max(64).nullable(), limit: z.number().int().min(1).max(200) }),
    z.object({ lines: z.array(LineView), more: z.boolean() }),
  ),
  sendMessage: method(z.strictObject({ peer: UserId, text: typed(4_000_000) }), LineView),
  sendVoice: method(
    z.strictObject({
      peer: UserId,
      /** Ogg Opus. */
      ogg: z.instanceof(Uint8Array),
      durationMs: z.number().int().min(1).max(LIMITS.maxVoiceMessageMs),
    }),
    LineView,
  ),
  readVoice: method(z.strictObject({ messageId: MessageId }), z.object({ ogg: z.instanceof(Uint8Array) })),
  markRead: method(z.strictObject({ peer: UserId }), Nothing),
  dial: method(z.strictObject({ peer: UserId }), Nothing),
  acceptCall: method(Nothing, Nothing),
  declineCall: method(Nothing, Nothing),
  hangUp: method(Nothing, Nothing),
  mute: method(z.strictObject({ muted: z.boolean() }), Nothing),
  hold: method(z.strictObject({ held: z.boolean() }), Nothing),
  /** The window is about to record a voice message, or has stopped: opens and closes the microphone permission. */
  recording: method(z.strictObject({ on: z.boolean() }), Nothing),
  /** Those that are named change. */
  setSettings: method(Settings.partial().strict(), Nothing),
  mediaState: method(
    z.strictObject({ callId: CallId, media: z.enum(["connected", "interrupted", "failed"]) }),
    Nothing,
  ),
  mediaSignals: method(z.strictObject({ callId: CallId, signals: z.array(MediaSignal).min(1).max(64) }), Nothing),
} as const;

/** Main to window. */
export const IPC_PUSHES = {
  session: SessionView,
  buddies: z.array(BuddyView),
  call: CallView,
  /** A line is new, or has changed (delivery). */
  line: LineView,
  settings: Settings,
  supernode: SupernodeView,
  openMedia: z.object({
    callId: CallId,
    initiator: z.boolean(),
    iceServers: z.array(IceServer),
    /** No path but through a relay may be tried, or told to the peer. */
    relayOnly: z.boolean(),
  }),
  /** Relays that replace those before, in a call that goes on; they are used from the next ICE restart on. */
  iceServers: z.object({ callId: CallId, iceServers: z.array(IceServer) }),
  closeMedia: z.object({ callId: CallId }),
  mediaSignals: z.object({ callId: CallId, signals: z.array(MediaSignal) }),
  setSending: z.object({ callId: CallId, sending: z.boolean() }),
  notice: Notice,
} as const;

export type IpcMethods = typeof IPC_METHODS;
export type IpcPushes = typeof IPC_PUSHES;
export type IpcPush<K extends keyof IpcPushes> = z.infer<IpcPushes[K]>;

/** What the preload script puts into the window as `window.kith`. Answers come as rpc.ts's results. */
export interface KithBridge {
  invoke(name: keyof IpcMethods & string, input: unknown): Promise<unknown>;
  onPush<K extends keyof IpcPushes & string>(name: K, listener: (value: IpcPush<K>) => void): () => void;
}
