/**
 * The window's media of one call, as the core opens, feeds and closes it. It opens once the
 * relays are known; what is told to it before then waits, in order.
 */
import { KithError } from "../../protocol/errors.ts";
import type { CallId } from "../../protocol/identifiers.ts";
import type { IpcPush, IpcPushes } from "../../protocol/ipc-schema.ts";
import type { Surroundings } from "../core/client-options.ts";
import type { PushListener } from "../core/pushes.ts";
import { type CallRelays, canRelay } from "./call-relays.ts";

export interface WindowMediaParts {
  readonly relays: CallRelays;
  /** Whether the user hides their address: asked anew for every call. */
  readonly relayOnly: () => boolean;
  readonly surroundings: Surroundings;
  readonly push: PushListener;
  /** The call cannot have media. */
  readonly failed: (callId: CallId) => void;
}

/** A supernode that is this slow is left out: a call without one relay is better than none. */
const RELAYS_PATIENCE_MS = 1_500;

type State =
  | { readonly phase: "closed" }
  | { readonly phase: "opening"; readonly callId: CallId; readonly waiting: (() => void)[] }
  | { readonly phase: "open"; readonly callId: CallId };

export class WindowMedia {
  readonly #parts: WindowMediaParts;
  #state: State = { phase: "closed" };
  #cancelPatience: () => void = () => {};
  #cancelRenewal: () => void = () => {};
  /** What the window was told last. */
  #told = "";

  constructor(parts: WindowMediaParts) {
    this.#parts = parts;
  }

  /** A call may begin: asks for relays, so that they are there when it is accepted. */
  prepare(): void {
    this.#parts.surroundings.background.run("relays", this.#parts.relays.refresh());
  }

  open(callId: CallId, initiator: boolean): void {
    const { relays, surroundings } = this.#parts;
    this.#state = { phase: "opening", callId, waiting: [] };
    if (relays.ready) {
      this.#open(callId, initiator);
      return;
    }
    let isOpened = false;
    const proceed = () => {
      this.#cancelPatience();
      const isWanted = this.#state.phase === "opening" && this.#state.callId === callId;
      if (isWanted && !isOpened) this.#open(callId, initiator);
      isOpened = true;
    };
    this.#cancelPatience = surroundings.clock.after(RELAYS_PATIENCE_MS, proceed);
    surroundings.background.run("relays", relays.refresh().then(proceed));
  }

  /** Tells the window something of this call, once its media is open. */
  tell<K extends "mediaSignals" | "setSending">(name: K, value: IpcPush<K> & IpcPush<keyof IpcPushes & K>): void {
    const state = this.#state;
    if (state.phase === "opening") state.waiting.push(() => this.#parts.push(name, value));
    else this.#parts.push(name, value);
  }

  close(callId: CallId): void {
    this.#cancelPatience();
    this.#cancelRenewal();
    this.#state = { phase: "closed" };
    this.#parts.push("closeMedia", { callId });
  }

  /** The relays may be others than before: the call is in trouble, or a supernode has come or gone. */
  renew(): void {
    if (this.#state.phase !== "open") return;
    const { callId } = this.#state;
    const { relays, surroundings } = this.#parts;
    surroundings.background.run(
      "relays",
      relays.refresh().then(() => this.#tellRelays(callId)),
    );
  }

  #open(callId: CallId, initiator: boolean): void {
    const { relays, relayOnly, push, failed } = this.#parts;
    const waiting = this.#state.phase === "opening" ? this.#state.waiting : [];
    const { iceServers } = relays;
    if (relayOnly() && !canRelay(iceServers)) {
      const { code, message } = new KithError("no-relay");
      push("notice", { code, message });
      // After the step that opens: one step at a time.
      queueMicrotask(() => failed(callId));
      return;
    }
    this.#state = { phase: "open", callId };
    this.#told = JSON.stringify(iceServers);
    push("openMedia", { callId, initiator, iceServers, relayOnly: relayOnly() });
    for (const tell of waiting) tell();
    this.#renewInTime();
  }

  #tellRelays(callId: CallId): void {
    if (this.#state.phase !== "open" || this.#state.callId !== callId) return;
    const { iceServers } = this.#parts.relays;
    const told = JSON.stringify(iceServers);
    // Between two homes there is nobody to ask: what the window has is better than nothing.
    if (iceServers.length > 0 && told !== this.#told) {
      this.#told = told;
      this.#parts.push("iceServers", { callId, iceServers });
    }
    this.#renewInTime();
  }

  #renewInTime(): void {
    const { relays, surroundings } = this.#parts;
    const { renewAt } = relays;
    this.#cancelRenewal();
    if (!Number.isFinite(renewAt)) return;
    const waitMs = Math.max(1_000, renewAt - surroundings.clock.now());
    this.#cancelRenewal = surroundings.clock.after(waitMs, () => this.renew());
  }
}
