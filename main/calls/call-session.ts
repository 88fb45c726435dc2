/** Carries out what protocol/call-machine.ts decides: signals, timers, the window's media, the conversation's record. */
import type { CallEffect, CallEvent, CallRecord, CallTimer } from "../../protocol/call-event.ts";
import { stepCall } from "../../protocol/call-machine.ts";
import type { CallSignal, MediaSignal } from "../../protocol/call-signal.ts";
import { type CallState, IDLE, isLive, mayUseMicrophone } from "../../protocol/call-state.ts";
import { KithError } from "../../protocol/errors.ts";
import type { CallId, DeviceAddress, DeviceId, UserId } from "../../protocol/identifiers.ts";
import type { CallView } from "../../protocol/ipc-schema.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { Surroundings } from "../core/client-options.ts";
import type { PushListener } from "../core/pushes.ts";
import { newCallId } from "../core/randomness.ts";
import type { DirectoryView } from "../directory/directory-view.ts";
import type { Pulse } from "../directory/pulse.ts";
import type { CallRelays } from "./call-relays.ts";
import { callView } from "./call-view.ts";
import { SignalBatch } from "./signal-batch.ts";
import type { SignalSender } from "./signal-sender.ts";
import { WindowMedia } from "./window-media.ts";

interface Parts {
  readonly directory: DirectoryView;
  readonly signals: SignalSender;
  readonly relays: CallRelays;
  readonly pulse: Pick<Pulse, "start" | "stop" | "alarm">;
  readonly relayOnly: () => boolean;
  readonly surroundings: Surroundings;
  readonly push: PushListener;
  /** For the conversation. */
  readonly record: (entry: CallRecord) => void;
}

/** A device that changes its supernode is gone for a moment. */
const GONE_GRACE_MS = 2_000;

export class CallSession {
  readonly #parts: Parts;
  readonly #timers = new Map<CallTimer, () => void>();
  readonly #ownSignals: SignalBatch;
  readonly #media: WindowMedia;
  #state: CallState = IDLE;
  /** Devices that our invitation went to. */
  #invited = new Set<DeviceId>();
  #cancelGone: (() => void) | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { clock, times } = parts.surroundings;
    this.#media = new WindowMedia({
      ...parts,
      failed: (callId) => this.#step({ type: "media", callId, media: "failed" }),
    });
    this.#ownSignals = new SignalBatch(clock, times.mediaBatchMs, (callId, signals) =>
      this.#step({ type: "media-signals", callId, signals }),
    );
  }

  get view(): CallView {
    return callView(this.#state);
  }

  get isLive(): boolean {
    return isLive(this.#state);
  }

  get mayUseMicrophone(): boolean {
    return mayUseMicrophone(this.#state);
  }

  /** @throws KithError `call-in-progress` */
  dial(peer: UserId): void {
    if (isLive(this.#state)) throw new KithError("call-in-progress");
    this.#invited = new Set();
    this.#step({ type: "dial", callId: newCallId(this.#parts.surroundings.random), peer });
  }

  /** What the user wants of the call that there is. @throws KithError `no-call` */
  command(event: Extract<CallEvent, { type: "accept" | "decline" | "hang-up" | "mute" | "hold" }>): void {
    if (!isLive(this.#state)) throw new KithError("no-call");
    this.#step(event);
  }

  mediaState(callId: CallId, media: "connected" | "interrupted" | "failed"): void {
    if (media === "interrupted") {
      this.#media.renew();
      this.#parts.pulse.alarm();
    }
    this.#step({ type: "media", callId, media });
  }

  mediaSignals(callId: CallId, signals: readonly MediaSignal[]): void {
    // Dropped now and not when the batch is due: by then the call may have been accepted.
    const ours = isLive(this.#state) && this.#state.callId === callId;
    if (ours && this.mayUseMicrophone) this.#ownSignals.add(callId, signals);
  }

  /** We are attached elsewhere than before. */
  relaysChanged(): void {
    this.#media.renew();
  }

  /** A signal from a buddy's device. */
  receive(from: DeviceAddress, signal: CallSignal, sentAt: number): void {
    const age = this.#now() - sentAt;
    if (age <= TIMES.callSignalMaxAgeMs) {
      this.#step({ type: "signal", from, signal });
    } else if (signal.kind === "invite") {
      // It says that somebody has called, no longer that somebody calls.
      const { callId } = signal;
      const missed = { callId, peer: from.userId, direction: "incoming", reason: "no-answer" } as const;
      this.#parts.record({ ...missed, durationMs: null, endedAt: sentAt });
    }
  }

  /** The directory has news of this user. */
  peerChanged(userId: UserId): void {
    const state = this.#state;
    if (!isLive(state) || state.peer !== userId) return;
    if (state.phase === "outgoing") this.#inviteLatecomers(state.callId, userId);
    else this.#watchPeer({ userId, deviceId: state.peerDevice });
  }

  #watchPeer(peer: DeviceAddress): void {
    const device = this.#parts.directory.device(peer.userId, peer.deviceId);
    this.#cancelGone?.();
    this.#cancelGone = null;
    if (device && this.#parts.directory.isOnline(device)) this.#step({ type: "peer-presence", peer, online: true });
    if (device?.state !== "gone") return;
    this.#cancelGone = this.#parts.surroundings.clock.after(GONE_GRACE_MS, () =>
      this.#step({ type: "peer-presence", peer, online: false }),
    );
  }

  /** Ends whatever goes on; the signals are on their way when this returns. */
  hangUp(): void {
    this.#step({ type: "hang-up" });
  }

  #step(event: CallEvent): void {
    const before = this.#state;
    const { state, effects } = stepCall(before, event, this.#now());
    this.#state = state;
    if (isLive(state)) this.#parts.pulse.start();
    else this.#parts.pulse.stop();
    if (state.phase !== before.phase && (state.phase === "outgoing" || state.phase === "incoming"))
      this.#media.prepare();
    for (const effect of effects) this.#carryOut(effect);
    if (state !== before) this.#parts.push("call", callView(state));
  }

  #carryOut(effect: CallEffect): void {
    const { surroundings, record } = this.#parts;
    switch (effect.type) {
      case "send":
        this.#send(effect);
        return;
      case "start-timer": {
        const { timer } = effect;
        const timeMs = surroundings.times[`${timer}Ms`];
        this.#timers.set(
          timer,
          surroundings.clock.after(timeMs, () => this.#step({ type: "timer", timer })),
        );
        return;
      }
      case "stop-timer":
        this.#timers.get(effect.timer)?.();
        this.#timers.delete(effect.timer);
        return;
      case "ring":
      case "stop-ringing":
        // The phase of the call view says so to window and shell.
        return;
      case "open-media":
        this.#media.open(effect.callId, effect.initiator);
        return;
      case "close-media":
        this.#ownSignals.drop();
        this.#media.close(effect.callId);
        return;
      case "media-signals":
        this.#media.tell("mediaSignals", { callId: effect.callId, signals: [...effect.signals] });
        return;
      case "set-sending":
        this.#media.tell("setSending", { callId: effect.callId, sending: effect.sending });
        return;
      case "record":
        record(effect.entry);
        return;
      default:
        effect satisfies never;
    }
  }

  #send({ to, device, except, signal }: Extract<CallEffect, { type: "send" }>): void {
    const { directory, signals, surroundings } = this.#parts;
    if (device !== "all") {
      surroundings.background.run("call signal", signals.send({ userId: to, deviceId: device }, signal));
      return;
    }
    if (signal.kind === "invite") {
      this.#invite(signal.callId, to);
      return;
    }
    const reachable = directory.online(to).map(({ deviceId }) => deviceId);
    for (const deviceId of new Set([...this.#invited, ...reachable])) {
      if (deviceId === except) continue;
      surroundings.background.run("call signal", signals.send({ userId: to, deviceId }, signal));
    }
  }

  #invite(callId: CallId, peer: UserId): void {
    const devices = this.#parts.directory.online(peer);
    for (const { deviceId } of devices) this.#inviteDevice(callId, { userId: peer, deviceId });
    // Told after the step that dials has ended: one step at a time.
    if (devices.length === 0) queueMicrotask(() => this.#unlessInvited(callId, peer));
  }

  #inviteDevice(callId: CallId, device: DeviceAddress): void {
    const { signals, surroundings } = this.#parts;
    this.#invited.add(device.deviceId);
    const invited = signals.send(device, { kind: "invite", callId }).then((taken) => {
      if (taken) return;
      this.#invited.delete(device.deviceId);
      this.#unlessInvited(callId, device.userId);
    });
    surroundings.background.run("call invitation", invited);
  }

  /** A device of the callee that comes online while we ring, rings too. */
  #inviteLatecomers(callId: CallId, peer: UserId): void {
    for (const { deviceId } of this.#parts.directory.online(peer)) {
      if (!this.#invited.has(deviceId)) this.#inviteDevice(callId, { userId: peer, deviceId });
    }
  }

  /** Nobody rings: unless the directory is just looking for the callee, that is the answer. */
  #unlessInvited(callId: CallId, peer: UserId): void {
    const lookedFor = this.#parts.directory.devices(peer).some(({ state }) => state === "unknown");
    if (this.#invited.size === 0 && !lookedFor) this.#step({ type: "unreachable", callId });
  }

  #now(): number {
    return this.#parts.surroundings.clock.now();
  }
}
