/** What `npm start -- --check` reports; the names are a contract with whoever runs it. */
import type { EndReason } from "../protocol/call-state.ts";
import type { ActorHandle } from "./check-stage.ts";
import type { Scenario } from "./start-options.ts";

/** How well a person's app hears the other's recording, and that it does not hear its own. */
export interface Hearing {
  readonly recognised: boolean;
  /** Likeness to the other's recording, and to the own one; see speech-match.ts. */
  readonly score: number;
  readonly ownScore: number;
  readonly heardSeconds: number;
}

export interface CheckReport {
  ok: boolean;
  /** Why not. */
  reason?: string;
  readonly scenario: Scenario;
  electron: string | null;
  readonly call: {
    path: "direct" | "relayed" | "none";
    /** From the click on Call until the callee's window shows who calls. */
    ringMs: number | null;
    /** From the click on Accept until both apps have decoded the first sound of the other. */
    setupMs: number | null;
    /** Each app heard the other's recording, and nothing that is like its own. */
    audioHeard: boolean;
    /** One way, the mean of both, IP and UDP headers included, while both speak. */
    bytesPerSecond: number | null;
    /** The caller's reason; `ends` has both. */
    end: EndReason | null;
    ends: Partial<Record<ActorHandle, EndReason>>;
    /** From the first sound to the end, as the caller's conversation keeps it. */
    durationMs: number | null;
    hearing: Partial<Record<ActorHandle, Hearing>>;
    /** Of all samples that were played, those that had to be made up: a busy machine raises it. */
    concealedShare: Partial<Record<ActorHandle, number>>;
    /** With callee-killed: from the kill until the caller's app has ended the call. */
    endNoticedMs?: number;
  };
  readonly chat: { sent: number; received: number };
  readonly screenshots: string[];
}

export function emptyReport(scenario: Scenario): CheckReport {
  return {
    ok: false,
    scenario,
    electron: null,
    call: {
      path: "none",
      ringMs: null,
      setupMs: null,
      audioHeard: false,
      bytesPerSecond: null,
      end: null,
      ends: {},
      durationMs: null,
      hearing: {},
      concealedShare: {},
    },
    chat: { sent: 0, received: 0 },
    screenshots: [],
  };
}

/** The report for a person at a terminal. */
export function describeReport({ ok, reason, scenario, electron, call, chat, screenshots }: CheckReport): string {
  const ms = (value: number | null) => (value === null ? "-" : `${value} ms`);
  const heard = (["alice", "bob"] as const).map((handle) => {
    const hearing = call.hearing[handle];
    return `${handle} ${hearing?.recognised ? "yes" : "no"} (${hearing?.score.toFixed(2) ?? "-"})`;
  });
  return [
    `Scenario ${scenario} on Electron ${electron ?? "-"}: ${ok ? "held" : `FAILED: ${reason}`}`,
    `  call      ${call.path}, rang after ${ms(call.ringMs)}, sound after ${ms(call.setupMs)}`,
    `  heard     ${heard.join(", ")}; ${call.bytesPerSecond ?? "-"} bytes a second each way`,
    `  end       ${call.end ?? "-"} after ${ms(call.durationMs)}`,
    `  messages  ${chat.sent} sent, ${chat.received} received`,
    ...screenshots.map((file) => `  picture   ${file}`),
  ].join("\n");
}
