/** A fake bridge, to look at the window without the app behind it. A test double: no product code imports it. */
import { KithError } from "../../protocol/errors.ts";
import type {
  IpcMethods,
  IpcPush,
  IpcPushes,
  KithBridge,
  LineView,
  Settings,
  SupernodeView,
} from "../../protocol/ipc-schema.ts";
import type { Handlers } from "../../protocol/rpc.ts";
import { APPLICANTS, DEVICES, PEOPLE, SCENES, type Scene } from "./scenes.ts";

const scene: Scene | undefined = SCENES[location.hash.slice(1)];
if (scene === undefined) throw new Error(`no such scene; there are ${Object.keys(SCENES).join(", ")}`);
const { session, buddies, call, lines } = scene;

type Listener = (value: never) => void;
const listeners = new Map<string, Set<Listener>>();
const voices = new Map<string, Uint8Array>();

function push<K extends keyof IpcPushes & string>(name: K, value: IpcPush<K>): void {
  for (const listener of listeners.get(name) ?? []) (listener as (value: IpcPush<K>) => void)(value);
}

function newLine(peer: LineView["peer"]) {
  const id = crypto.randomUUID().replaceAll("-", "");
  const messageId = id as Extract<LineView, { kind: "text" }>["messageId"];
  return { lineId: id, messageId, peer, mine: true, at: Date.now(), delivery: "sent" } as const;
}

function added<T extends LineView>(line: T): T {
  push("line", line);
  return line;
}

let settings: Settings = {
  hideAddress: true,
  beSupernode: true,
  supernodeMbit: 4,
  supernodeMonthGb: 20,
  supernodePort: 0,
};
const supernode: SupernodeView = {
  phase: "running",
  host: "198.51.100.7",
  port: 40_443,
  attached: 17,
  members: 214,
  relays: true,
  relayedCallEnds: 3,
  relayedBytesThisMonth: 1_234_567_890,
};

function definedOnly(changes: Readonly<Record<string, boolean | number | undefined>>): Partial<Settings> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}

const nothing = () => ({});

const handlers: Partial<Handlers<IpcMethods>> = {
  snapshot: () => ({ session, buddies: [...buddies], call, settings, supernode }),
  setSettings: (changes) => {
    settings = { ...settings, ...definedOnly(changes) };
    push("settings", settings);
    return {};
  },
  lines: ({ peer, before, limit }) => {
    const all = lines.map((line) => ({ ...line, peer }));
    const end = before === null ? all.length : all.findIndex(({ lineId }) => lineId === before);
    const start = Math.max(0, end - limit);
    return { lines: all.slice(start, end), more: start > 0 };
  },
  sendMessage: ({ peer, text }) => added({ kind: "text", ...newLine(peer), text }),
  sendVoice: ({ peer, ogg, durationMs }) => {
    const line = added({ kind: "voice" as const, ...newLine(peer), durationMs });
    voices.set(line.messageId, ogg);
    return line;
  },
  readVoice: ({ messageId }) => {
    const ogg = voices.get(messageId);
    if (ogg === undefined) throw new KithError("no-such-message");
    return { ogg };
  },
  setFindable: (findable) => {
    if (session.phase === "signed-in") push("session", { ...session, findable });
    return {};
  },
  searchPeople: ({ text }) => {
    if (text.length < 2) throw new KithError("search-too-short");
    return { people: [...PEOPLE], cursor: "next", isCut: false };
  },
  account: () => ({
    role: "administrator",
    createdAt: Date.now() - 3e10,
    recoveryKeySetAt: null,
    devices: [...DEVICES],
  }),
  makeRecoveryKey: () => ({ recoveryKey: "7M3K-0QXW-R5TD-81JN-VPGA-46ZC-HYE9-2BSF" }),
  applicants: () => ({ applicants: [...APPLICANTS] }),
  invite: () => ({ link: "https://kith.example/i/abcdefghijklmnopqrstuvwxyz012345", expiresAt: Date.now() + 6e8 }),
  signIn: () => {
    throw new KithError("wrong-password");
  },
  requestBuddy: ({ handle }) => {
    throw new KithError("no-such-user", { handle });
  },
};

const kith: KithBridge = {
  async invoke(name, input) {
    try {
      const handle = (handlers[name] ?? nothing) as (input: unknown) => unknown;
      return { ok: true, value: await handle(input) };
    } catch (error) {
      return { ok: false, error: KithError.from(error).toWire() };
    }
  },
  onPush(name, listener) {
    const of = listeners.get(name) ?? new Set();
    listeners.set(name, of.add(listener as Listener));
    return () => of.delete(listener as Listener);
  },
};
Object.assign(window, { kith, push });

await import("../../renderer/index.tsx");
