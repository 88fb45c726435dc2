/**
 * A node's links to supernodes, as one pure function: one home, and one warm standby that
 * is attached too but holds no lease. At most one attempt to open a link is under way.
 *
 *   stopped ──start──> attaching ──opened──> attached(home, standby: attaching, waiting or ready) <──┐
 *                       │     ^                  │ home lost or leaving: the standby is home at once   │
 *                     failed  timer              │ home leaving, no standby: moving(home, next) ──opened┘
 *                       v     │                  │ home lost, no standby
 *                       waiting <────────────────┘
 */
import type { SupernodeId } from "./identifiers.ts";

export type LinkState =
  | { readonly phase: "stopped" }
  | { readonly phase: "attaching"; readonly attempt: number }
  | { readonly phase: "waiting"; readonly attempt: number }
  | { readonly phase: "attached"; readonly home: SupernodeId; readonly standby: Standby }
  /** The home has said that it goes; it is used until the next one is there. */
  | { readonly phase: "moving"; readonly home: SupernodeId; readonly next: Attempt };

/** At a second link. */
export type Attempt =
  | { readonly phase: "attaching"; readonly attempt: number }
  | { readonly phase: "waiting"; readonly attempt: number };

export type Standby = Attempt | { readonly phase: "ready"; readonly supernodeId: SupernodeId };

type Attached = Extract<LinkState, { phase: "attached" }>;
type Moving = Extract<LinkState, { phase: "moving" }>;

export type LinkEvent =
  | { readonly type: "start" }
  | { readonly type: "stop" }
  | { readonly type: "opened"; readonly supernodeId: SupernodeId }
  | { readonly type: "open-failed" }
  /** The link has closed without our doing. */
  | { readonly type: "lost"; readonly supernodeId: SupernodeId }
  /** The supernode says that it will go away. */
  | { readonly type: "leaving"; readonly supernodeId: SupernodeId }
  /** More supernodes are known than before: no reason to wait on. */
  | { readonly type: "more-known" }
  | { readonly type: "timer" };

export type LinkEffect =
  /** Open a link to the best supernode but this one; answer with `opened` or `open-failed`. */
  | { readonly type: "open"; readonly except: SupernodeId | null }
  | { readonly type: "close"; readonly supernodeId: SupernodeId }
  /** Close it once the lease is at the new home: until then the old one is where others look. */
  | { readonly type: "retire"; readonly supernodeId: SupernodeId }
  /** This link carries the lease from now on. */
  | { readonly type: "home"; readonly supernodeId: SupernodeId }
  /** There is no home any more. */
  | { readonly type: "homeless" }
  /** Wait as backoff.ts says for this attempt. */
  | { readonly type: "start-timer"; readonly attempt: number }
  | { readonly type: "stop-timer" };

export interface LinkStep {
  readonly state: LinkState;
  readonly effects: readonly LinkEffect[];
}

export const STOPPED: LinkState = { phase: "stopped" };

/**
 * A standby is no hurry after trouble, when everybody else needs a home: it is waited for as
 * long as after so many failed attempts more (backoff.ts: up to 16 s).
 */
const STANDBY_PATIENCE = 5;

export function stepLink(state: LinkState, event: LinkEvent): LinkStep {
  switch (event.type) {
    case "start":
      return state.phase === "stopped" ? attaching(0) : stay(state);
    case "stop":
      return stop(state);
    case "opened":
      return opened(state, event.supernodeId);
    case "open-failed":
      return openFailed(state);
    case "lost":
      return lost(state, event.supernodeId);
    case "leaving":
      return leaving(state, event.supernodeId);
    case "more-known":
      return hurry(state);
    case "timer":
      return timer(state);
    default:
      return event satisfies never;
  }
}

function stay(state: LinkState): LinkStep {
  return { state, effects: [] };
}

function attaching(attempt: number): LinkStep {
  return { state: { phase: "attaching", attempt }, effects: [{ type: "open", except: null }] };
}

function waiting(attempt: number, before: readonly LinkEffect[] = []): LinkStep {
  return { state: { phase: "waiting", attempt }, effects: [...before, { type: "start-timer", attempt }] };
}

/** @param standby how its search begins */
function atHome(home: SupernodeId, standby: Attempt, after: readonly LinkEffect[] = []): LinkStep {
  const search: LinkEffect =
    standby.phase === "attaching" ? { type: "open", except: home } : { type: "start-timer", attempt: standby.attempt };
  return {
    state: { phase: "attached", home, standby },
    effects: [{ type: "home", supernodeId: home }, ...after, search],
  };
}

function opened(state: LinkState, supernodeId: SupernodeId): LinkStep {
  if (state.phase === "attaching") {
    const { attempt } = state;
    const isCalm = attempt === 0;
    return atHome(
      supernodeId,
      isCalm ? { phase: "attaching", attempt } : { phase: "waiting", attempt: attempt + STANDBY_PATIENCE },
    );
  }
  if (state.phase === "attached" && state.standby.phase === "attaching" && state.home !== supernodeId) {
    return stay({ ...state, standby: { phase: "ready", supernodeId } });
  }
  if (state.phase === "moving" && state.next.phase === "attaching" && state.home !== supernodeId) {
    return takeOver(supernodeId, [{ type: "retire", supernodeId: state.home }]);
  }
  return { state, effects: [{ type: "close", supernodeId }] };
}

function openFailed(state: LinkState): LinkStep {
  if (state.phase === "attaching") return waiting(state.attempt);
  if (state.phase === "moving" && state.next.phase === "attaching") {
    const { attempt } = state.next;
    return { state: { ...state, next: { phase: "waiting", attempt } }, effects: [{ type: "start-timer", attempt }] };
  }
  if (state.phase !== "attached" || state.standby.phase !== "attaching") return stay(state);
  return standbyWaiting(state, state.standby.attempt);
}

function standbyWaiting(state: Attached, attempt: number, before: readonly LinkEffect[] = []): LinkStep {
  return {
    state: { ...state, standby: { phase: "waiting", attempt } },
    effects: [...before, { type: "start-timer", attempt }],
  };
}

/** Another link is home at once. */
function takeOver(home: SupernodeId, after: readonly LinkEffect[] = []): LinkStep {
  return atHome(home, { phase: "waiting", attempt: STANDBY_PATIENCE }, after);
}

function lost(state: LinkState, supernodeId: SupernodeId): LinkStep {
  if (state.phase === "moving" && state.home === supernodeId) return homeless(state.next);
  if (state.phase !== "attached") return stay(state);
  const { home, standby } = state;
  if (standby.phase === "ready" && standby.supernodeId === supernodeId) return standbyWaiting(state, 0);
  if (home !== supernodeId) return stay(state);
  return standby.phase === "ready" ? takeOver(standby.supernodeId) : homeless(standby);
}

/** @param attempt at a second link, which becomes the home */
function homeless({ phase }: Attempt): LinkStep {
  if (phase === "attaching") return { state: { phase, attempt: 0 }, effects: [{ type: "homeless" }] };
  return waiting(0, [{ type: "stop-timer" }, { type: "homeless" }]);
}

/** With a standby ready the home is left at once; without one it is used as long as it is there. */
function leaving(state: LinkState, supernodeId: SupernodeId): LinkStep {
  if (state.phase !== "attached") return stay(state);
  const { home, standby } = state;
  if (standby.phase === "ready" && standby.supernodeId === supernodeId) {
    return standbyWaiting(state, 0, [{ type: "close", supernodeId }]);
  }
  if (home !== supernodeId) return stay(state);
  switch (standby.phase) {
    case "ready":
      return takeOver(standby.supernodeId, [{ type: "retire", supernodeId }]);
    case "attaching":
      return stay({ phase: "moving", home, next: standby });
    case "waiting":
      return {
        state: { phase: "moving", home, next: { phase: "attaching", attempt: 0 } },
        effects: [{ type: "stop-timer" }, { type: "open", except: home }],
      };
    default:
      return standby satisfies never;
  }
}

function timer(state: LinkState): LinkStep {
  if (state.phase === "waiting") return attaching(state.attempt + 1);
  if (state.phase === "attached" && state.standby.phase === "waiting") {
    return openSecond({ ...state, standby: { phase: "attaching", attempt: state.standby.attempt + 1 } });
  }
  if (state.phase === "moving" && state.next.phase === "waiting") {
    return openSecond({ ...state, next: { phase: "attaching", attempt: state.next.attempt + 1 } });
  }
  return stay(state);
}

function openSecond(state: Attached | Moving): LinkStep {
  return { state, effects: [{ type: "open", except: state.home }] };
}

/** Old failures say nothing about new supernodes: it begins anew. */
function hurry(state: LinkState): LinkStep {
  if (state.phase === "waiting") {
    const step = attaching(0);
    return { state: step.state, effects: [{ type: "stop-timer" }, ...step.effects] };
  }
  const step = timer(state);
  return step.state === state ? step : { state: step.state, effects: [{ type: "stop-timer" }, ...step.effects] };
}

function stop(state: LinkState): LinkStep {
  switch (state.phase) {
    case "stopped":
    case "attaching":
      return stay(STOPPED);
    case "waiting":
      return { state: STOPPED, effects: [{ type: "stop-timer" }] };
    case "attached":
      return leaveAll(state.home, state.standby);
    case "moving":
      return leaveAll(state.home, state.next);
    default:
      return state satisfies never;
  }
}

function leaveAll(home: SupernodeId, second: Standby): LinkStep {
  const effects: LinkEffect[] = [];
  if (second.phase === "waiting") effects.push({ type: "stop-timer" });
  if (second.phase === "ready") effects.push({ type: "close", supernodeId: second.supernodeId });
  effects.push({ type: "close", supernodeId: home }, { type: "homeless" });
  return { state: STOPPED, effects };
}
