/** What the preview shows: one named state of the app each. */
import type { BuddyView, CallView, LineView, PersonView, SessionView } from "../../protocol/ipc-schema.ts";

type UserId = BuddyView["userId"];
type CallId = Extract<LineView, { kind: "call" }>["callId"];
type MessageId = Extract<LineView, { kind: "text" }>["messageId"];
type Handle = BuddyView["handle"];

export interface Scene {
  readonly session: SessionView;
  readonly buddies: readonly BuddyView[];
  readonly call: CallView;
  readonly lines: readonly LineView[];
}

const now = Date.now();
const minutes = (count: number) => now - count * 60_000;
const userId = (index: number) => (index * 7919 + 4096).toString(16).padStart(40, "0") as UserId;
const spread = (index: number) => ((index * 40_503) % 65_536).toString(16).padStart(4, "0") + userId(index).slice(4);
const callId = "c".repeat(32) as CallId;

const ME = {
  phase: "signed-in",
  userId: spread(99) as UserId,
  deviceId: "d".repeat(32) as Extract<SessionView, { phase: "signed-in" }>["deviceId"],
  handle: "alice" as Handle,
  network: "kith.example",
  attached: true,
  loginServerReachable: true,
  findable: { on: false, displayName: "", words: "" },
  status: "online",
  statusText: "",
  notices: [],
  alerts: [],
} as const satisfies SessionView;

function buddy(index: number, handle: string, more: Partial<BuddyView> = {}): BuddyView {
  return {
    userId: spread(index) as UserId,
    handle: handle as Handle,
    relation: "buddy",
    greeting: "",
    presence: "offline",
    statusText: "",
    lastSeenAt: null,
    unread: 0,
    lastActivityAt: null,
    lastLine: "",
    keyChanged: false,
    alias: "",
    groups: [],
    ...more,
  };
}

const BOB = buddy(1, "bob", {
  presence: "online",
  statusText: "in the garden",
  lastActivityAt: minutes(1),
  lastLine: "Perfect. Half past seven?",
});

const BUDDIES: readonly BuddyView[] = [
  BOB,
  buddy(2, "carol", {
    presence: "away",
    lastActivityAt: minutes(50),
    unread: 3,
    lastLine: "have you seen the photos?",
  }),
  buddy(3, "dmitri.v", { presence: "busy", lastActivityAt: minutes(300), lastLine: "Voice message" }),
  buddy(4, "erin", { lastSeenAt: minutes(190), lastActivityAt: minutes(2_000), lastLine: "Good night!" }),
  buddy(5, "a-handle-as-long-as-can-be-01234", { presence: "unknown", lastActivityAt: minutes(5_000), lastLine: "…" }),
  buddy(6, "frank", { relation: "asked-by-me" }),
];

/** Whom every search finds. */
export const PEOPLE: readonly PersonView[] = [
  [1, "bob", "Bob Hargreaves", ""],
  [6, "frank", "Frank Castle", "Graz"],
  [11, "greta.l", "Gréta Lindqvist-Österberg of the Long Surname", "choir, Uppsala"],
  [12, "xiaoming", "王小明", "台北"],
  [13, "no-name", "", ""],
].map(([index, handle, displayName, words]) => ({
  userId: spread(Number(index)) as UserId,
  handle: handle as Handle,
  displayName: String(displayName),
  words: String(words),
}));

const ASKING: readonly BuddyView[] = [
  buddy(7, "grace", { relation: "asks-me", greeting: "Hi Alice, Grace from the choir. Bob gave me your handle." }),
];

let count = 0;
function line(at: number, mine: boolean) {
  count += 1;
  const id = count.toString(16).padStart(32, "0");
  return { lineId: id, peer: BOB.userId, mine, at, messageId: id as MessageId };
}
function says(at: number, text: string): LineView {
  return { kind: "text", ...line(at, false), delivery: "received", text };
}
function said(
  at: number,
  text: string,
  delivery: "waiting" | "sent" | "delivered" | "read" | "received" = "read",
): LineView {
  return { kind: "text", ...line(at, true), delivery, text };
}
type Ended = Extract<LineView, { kind: "call" }>;
function called(at: number, mine: boolean, reason: Ended["reason"], durationMs: number | null): LineView {
  const { lineId, peer } = line(at, mine);
  return { kind: "call", lineId, peer, mine, at, callId, reason, durationMs };
}

const DAY = 24 * 60;
const LINES: readonly LineView[] = [
  said(minutes(2 * DAY + 30), "Did the parcel arrive?"),
  says(minutes(2 * DAY + 12), "It did! Everything in one piece."),
  called(minutes(DAY + 90), false, "no-answer", null),
  says(minutes(DAY + 80), "Tried to ring you. Nothing urgent."),
  said(minutes(DAY + 20), "Sorry, I was out. Calling you now."),
  called(minutes(DAY + 10), true, "hung-up", 42_000),
  { kind: "voice", ...line(minutes(40), false), delivery: "received", durationMs: 23_400 },
  said(minutes(12), "Ha! I can hear the blackbird in the background."),
  said(minutes(11), "Shall we cook together on Friday? I could bring the big pot and the <b>chillies</b>."),
  says(
    minutes(8),
    "Yes, please. I will get bread, wine and whatever the market still has at that hour.\n\nThe last time you made the stew with the smoked paprika, everybody asked for the recipe, so do not hold back.",
  ),
  said(minutes(3), "Deal. 19:00 is a little early for me though 🙂", "delivered"),
  says(minutes(2), "Perfect. Half past seven?"),
  called(minutes(1.5), true, "peer-declined", null),
  said(minutes(1), "Half past seven it is.", "waiting"),
];

const BASE: Scene = { session: ME, buddies: BUDDIES, call: { phase: "idle" }, lines: LINES };
const withBob = { callId, peer: BOB.userId, direction: "outgoing" } as const;
const sounding = { ...withBob, connectedAt: now - 42_000, muted: false } as const;

export const DEVICES = [
  { deviceId: ME.deviceId, name: "alices-laptop", lastSeenAt: now, connected: true },
  { deviceId: "e".repeat(32) as typeof ME.deviceId, name: "work", lastSeenAt: minutes(9_000), connected: false },
  { deviceId: "f".repeat(32) as typeof ME.deviceId, name: "<b>kitchen</b>", lastSeenAt: now, connected: true },
] as const;
export const APPLICANTS = [{ handle: "frank" as Handle, createdAt: minutes(200) }] as const;

export const SCENES: Readonly<Record<string, Scene>> = {
  starting: { ...BASE, session: { phase: "starting" } },
  "signed-out": {
    ...BASE,
    session: {
      phase: "signed-out",
      loginServer: "https://kith.example",
      handle: "",
      invitation: "",
      notice: null,
      nextTryInMs: null,
    },
  },
  invited: {
    ...BASE,
    session: {
      phase: "signed-out",
      loginServer: "https://kith.example",
      handle: "",
      invitation: "kith:join?server=https%3A%2F%2Fkith.example&invitation=abcdefghijklmnopqrstuvwxyz012345",
      notice: null,
      nextTryInMs: null,
    },
  },
  crowded: {
    ...BASE,
    session: {
      phase: "signed-out",
      loginServer: "https://kith.example",
      handle: "alice",
      invitation: "",
      notice: null,
      nextTryInMs: 17_000,
    },
  },
  account: { ...BASE },
  recovery: { ...BASE },
  network: { ...BASE },
  "signed-out-notice": {
    ...BASE,
    session: {
      phase: "signed-out",
      loginServer: "https://kith.example",
      handle: "alice",
      invitation: "",
      notice: {
        code: "signed-out-elsewhere",
        message: "This device was signed out of the account. Sign in again.",
      },
      nextTryInMs: null,
    },
  },
  "no-buddies": { ...BASE, buddies: [], lines: [] },
  chat: { ...BASE, buddies: [...BUDDIES, ...ASKING] },
  empty: { ...BASE, lines: [] },
  long: {
    ...BASE,
    buddies: [...BUDDIES, ...Array.from({ length: 500 }, (_, index) => buddy(100 + index, `buddy${index + 1}`))],
    lines: Array.from({ length: 1_000 }, (_, index) =>
      (index % 3 === 0 ? said : says)(minutes(1_000 - index), `Line ${index + 1} of a long talk`),
    ),
  },
  incoming: { ...BASE, call: { phase: "incoming", ...withBob, direction: "incoming" } },
  calling: { ...BASE, call: { phase: "outgoing", ...withBob, ringing: true } },
  active: { ...BASE, call: { phase: "active", ...sounding, muted: true } },
  held: { ...BASE, call: { phase: "held", ...sounding, by: "us" } },
  reconnecting: { ...BASE, call: { phase: "reconnecting", ...sounding } },
  ended: {
    ...BASE,
    call: { phase: "ended", ...withBob, reason: "peer-vanished", connectedAt: now - 42_000, endedAt: now },
  },
  /** look.mjs opens the dialog. */
  settings: BASE,
  "find-people": { ...BASE, buddies: [...BUDDIES, ...ASKING] },
  trouble: {
    ...BASE,
    session: {
      ...ME,
      attached: false,
      notices: [
        {
          code: "clock-skew",
          message: "The clock of this computer is wrong by more than 5 minutes. Set it and try again.",
        },
      ],
    },
    buddies: BUDDIES.map((one) => (one === BOB ? { ...one, keyChanged: true } : one)),
  },
  groups: {
    ...BASE,
    buddies: BUDDIES.map((one, index) => ({
      ...one,
      alias: index === 1 ? "Carol from the choir" : "",
      groups: index < 2 ? ["Choir"] : index === 2 ? ["Work"] : [],
    })),
  },
  asked: { ...BASE, buddies: [buddy(1, "frank", { relation: "asked-by-me" })], lines: [] },
};
