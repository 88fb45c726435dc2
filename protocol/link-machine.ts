/**
 * A node's links to supernodes, as one pure function: one home, and one warm standby that
 * is attached too but holds no lease. At most one attempt to open a link is under way.
 *
 *   stopped ──start──> attaching ──opened──> attached(home, standby: attaching, waiting or ready)
 *                       │     ^                  │ home lost: the standby is home at once
 *                     failed  timer              │ home lost, no standby
 *                       v     │                  v
 *                       waiting <────────────────┘
 */
import type { SupernodeId } from "./identifiers.ts";

export type LinkState =
  | { readonly phase: "stopped" }
  | { readonly phase: "attaching"; readonly attempt: number }
  | { readonly phase: "waiting"; readonly attempt: number }
  | { readonly phase: "attached"; readonly home: SupernodeId; readonly standby: Standby };

export type Standby =
  | { readonly phase: "attaching"; readonly attempt: number }
  | { readonly phase: "waiting"; readonly attempt: number }
  | { readonly phase: "ready"; readonly supernodeId: SupernodeId };

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
      return lost(state, event.supernodeId, []);
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

function atHome(home: SupernodeId, before: readonly LinkEffect[]): LinkStep {
  return {
    state: { phase: "attached", home, standby: { phase: "attaching", attempt: 0 } },
    effects: [...before, { type: "home", supernodeId: home }, { type: "open", except: home }],
  };
}

function opened(state: LinkState, supernodeId: SupernodeId): LinkStep {
  if (state.phase === "attaching") return atHome(supernodeId, []);
  if (state.phase === "attached" && state.standby.phase === "attaching" && state.home !== supernodeId) {
    return stay({ ...state, standby: { phase: "ready", supernodeId } });
  }
  return { state, effects: [{ type: "close", supernodeId }] };
}

function openFailed(state: LinkState): LinkStep {
  if (state.phase === "attaching") return waiting(state.attempt);
  if (state.phase !== "attached" || state.standby.phase !== "attaching") return stay(state);
  return standbyWaiting(state, state.standby.attempt);
}

function standbyWaiting(state: Extract<LinkState, { phase: "attached" }>, attempt: number): LinkStep {
  return {
    state: { ...state, standby: { phase: "waiting", attempt } },
    effects: [{ type: "start-timer", attempt }],
  };
}

function lost(state: LinkState, supernodeId: SupernodeId, closing: readonly LinkEffect[]): LinkStep {
  if (state.phase !== "attached") return stay(state);
  const { home, standby } = state;
  if (standby.phase === "ready" && standby.supernodeId === supernodeId) {
    const step = standbyWaiting(state, 0);
    return { state: step.state, effects: [...closing, ...step.effects] };
  }
  if (home !== supernodeId) return stay(state);
  switch (standby.phase) {
    case "ready":
      return atHome(standby.supernodeId, closing);
    case "attaching":
      // The attempt that is under way becomes the home.
      return { state: { phase: "attaching", attempt: 0 }, effects: [...closing, { type: "homeless" }] };
    case "waiting":
      return waiting(0, [...closing, { type: "stop-timer" }, { type: "homeless" }]);
    default:
      return standby satisfies never;
  }
}

/** With a standby ready it is left at once; without one it is used as long as it is there. */
function leaving(state: LinkState, supernodeId: SupernodeId): LinkStep {
  const replaceable = state.phase === "attached" && state.standby.phase === "ready";
  return replaceable ? lost(state, supernodeId, [{ type: "close", supernodeId }]) : stay(state);
}

function timer(state: LinkState): LinkStep {
  if (state.phase === "waiting") return attaching(state.attempt + 1);
  if (state.phase !== "attached" || state.standby.phase !== "waiting") return stay(state);
  return {
    state: { ...state, standby: { phase: "attaching", attempt: state.standby.attempt + 1 } },
    effects: [{ type: "open", except: state.home }],
  };
}

function hurry(state: LinkState): LinkStep {
  const isWaiting = state.phase === "waiting" || (state.phase === "attached" && state.standby.phase === "waiting");
  if (!isWaiting) return stay(state);
  const step = timer(state);
  return { state: step.state, effects: [{ type: "stop-timer" }, ...step.effects] };
}

function stop(state: LinkState): LinkStep {
  switch (state.phase) {
    case "stopped":
    case "attaching":
      return stay(STOPPED);
    case "waiting":
      return { state: STOPPED, effects: [{ type: "stop-timer" }] };
    case "attached":
      return {
        state: STOPPED,
        effects: [
          ...(state.standby.phase === "waiting" ? [{ type: "stop-timer" } as const] : []),
          ...(state.standby.phase === "ready"
            ? [{ type: "close", supernodeId: state.standby.supernodeId } as const]
            : []),
          { type: "close", supernodeId: state.home },
          { type: "homeless" },
        ],
      };
    default:
      return state satisfies never;
  }
}
