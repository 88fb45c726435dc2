/**
 * Whether sound still comes through, as one pure function: (state, event) to (state, actions).
 * Chromium calls a dead path *disconnected* only after some 6.5 s; a listener notices within one.
 * So: no sound for a while although some was due, a probe over the data channel, and if that
 * is not answered either, the path is called interrupted and ICE is restarted.
 */

export interface LinkSample {
  /** ms, on the clock of all events here */
  readonly at: number;
  /** RTP packets of sound received since the call began. */
  readonly audioPackets: number;
  /** The candidate pair in use, and how many of its connectivity checks the peer has answered. */
  readonly pair: string | null;
  readonly checksAnswered: number;
  readonly connection: RTCPeerConnectionState;
}

export type LinkEvent =
  | { readonly type: "sample"; readonly sample: LinkSample }
  /** Anything over the data channel. */
  | { readonly type: "heard"; readonly at: number }
  /** The relay that we send through is no longer among those that we may use: it has most likely died. */
  | { readonly type: "relay-gone" }
  /** The peer says whether it sends sound: muted or on hold, none is due. */
  | { readonly type: "peer-sending"; readonly at: number; readonly sending: boolean }
  /** The peer's WebRTC connection is gone for good; if that is a hang-up, its signal follows. */
  | { readonly type: "closed" };

export type LinkAction = "report-connected" | "report-interrupted" | "probe" | "restart";

export type LinkState =
  | { readonly phase: "opening"; readonly restartAt: number }
  | {
      readonly phase: "flowing";
      readonly peerSends: boolean;
      readonly audioPackets: number;
      /** When the peer was last heard, by sound or data. */
      readonly heardAt: number;
    }
  | {
      readonly phase: "interrupted";
      readonly peerSends: boolean;
      readonly audioPackets: number;
      readonly pair: string | null;
      readonly checksAnswered: number;
      /** When the next ICE restart is due. */
      readonly restartAt: number;
    }
  | { readonly phase: "closed" };

export interface LinkStep {
  readonly state: LinkState;
  readonly actions: readonly LinkAction[];
}

/** A pause under DTX still brings a packet every 400 ms. */
export const PROBE_AFTER_MS = 600;
export const TROUBLE_AFTER_MS = 1_000;
/** One restart at a time: gathering and checking take about a second on a good line. */
export const RESTART_EVERY_MS = 4_000;
/** The side that cannot restart by itself asks for it only if the other has not noticed. */
export const ASK_AFTER_MS = 600;

export const OPENING: LinkState = { phase: "opening", restartAt: 0 };

/** @param initiator the side whose offers restart ICE; it restarts at once, the other asks for it a little later */
export function stepLink(state: LinkState, event: LinkEvent, initiator: boolean): LinkStep {
  switch (event.type) {
    case "sample":
      return sampled(state, event.sample, initiator);
    case "heard":
      return heard(state, event.at);
    case "relay-gone":
      // The old path stays in use until there is a new one, so that a mistake is not heard.
      return { state, actions: state.phase === "flowing" ? ["restart"] : [] };
    case "peer-sending":
      return peerSending(state, event.at, event.sending);
    case "closed":
      return closed(state);
    default:
      return event satisfies never;
  }
}

function sampled(state: LinkState, sample: LinkSample, initiator: boolean): LinkStep {
  switch (state.phase) {
    case "opening":
      return opening(state, sample);
    case "flowing":
      return flowing(state, sample, initiator);
    case "interrupted":
      return interrupted(state, sample);
    case "closed":
      return { state, actions: [] };
    default:
      return state satisfies never;
  }
}

function opening(state: Extract<LinkState, { phase: "opening" }>, sample: LinkSample): LinkStep {
  if (sample.connection === "connected" && sample.audioPackets > 0) {
    const { audioPackets, at: heardAt } = sample;
    return { state: { phase: "flowing", peerSends: true, audioPackets, heardAt }, actions: ["report-connected"] };
  }
  if (sample.connection !== "failed" || sample.at < state.restartAt) return { state, actions: [] };
  return { state: { ...state, restartAt: sample.at + RESTART_EVERY_MS }, actions: ["restart"] };
}

function flowing(state: Extract<LinkState, { phase: "flowing" }>, sample: LinkSample, initiator: boolean): LinkStep {
  const sound = sample.audioPackets > state.audioPackets;
  const next = sound ? { ...state, audioPackets: sample.audioPackets, heardAt: sample.at } : state;
  const lost = sample.connection === "disconnected" || sample.connection === "failed";
  const silentMs = sample.at - next.heardAt;
  if (!sound && (lost || (next.peerSends && silentMs >= TROUBLE_AFTER_MS))) {
    const { peerSends, audioPackets } = next;
    const { pair, checksAnswered } = sample;
    const restartAt = sample.at + (initiator ? RESTART_EVERY_MS : ASK_AFTER_MS);
    return {
      state: { phase: "interrupted", peerSends, audioPackets, pair, checksAnswered, restartAt },
      actions: initiator ? ["report-interrupted", "restart"] : ["report-interrupted"],
    };
  }
  return { state: next, actions: next.peerSends && silentMs >= PROBE_AFTER_MS ? ["probe"] : [] };
}

function interrupted(state: Extract<LinkState, { phase: "interrupted" }>, sample: LinkSample): LinkStep {
  const sound = sample.audioPackets > state.audioPackets;
  const checks =
    sample.connection === "connected" &&
    sample.checksAnswered > (sample.pair === state.pair ? state.checksAnswered : 0);
  if (sound || checks) return recovered(state, sample.at, sample.audioPackets);
  if (sample.at < state.restartAt) return { state, actions: ["probe"] };
  return { state: { ...state, restartAt: sample.at + RESTART_EVERY_MS }, actions: ["probe", "restart"] };
}

function recovered(
  state: Extract<LinkState, { phase: "interrupted" }>,
  heardAt: number,
  audioPackets: number,
): LinkStep {
  return {
    state: { phase: "flowing", peerSends: state.peerSends, audioPackets, heardAt },
    actions: ["report-connected"],
  };
}

function heard(state: LinkState, at: number): LinkStep {
  if (state.phase === "flowing") return { state: { ...state, heardAt: at }, actions: [] };
  if (state.phase === "interrupted") return recovered(state, at, state.audioPackets);
  return { state, actions: [] };
}

function peerSending(state: LinkState, at: number, sending: boolean): LinkStep {
  const step = heard(state, at);
  if (step.state.phase !== "flowing") return step;
  return { ...step, state: { ...step.state, peerSends: sending } };
}

function closed(state: LinkState): LinkStep {
  const actions: LinkAction[] = state.phase === "flowing" ? ["report-interrupted"] : [];
  return { state: { phase: "closed" }, actions };
}
