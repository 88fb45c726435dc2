/** Sends call signals: at once, in order, and again for as long as they still mean something. */
import type { CallSignal } from "../../protocol/call-signal.ts";
import type { DeviceAddress, MessageId } from "../../protocol/identifiers.ts";
import type { Surroundings } from "../core/client-options.ts";
import { newMessageId } from "../core/randomness.ts";
import type { Attachment } from "../directory/attachment.ts";
import type { DirectoryView } from "../directory/directory-view.ts";
import type { Envelopes } from "../messages/envelopes.ts";
import { SignalLane } from "./signal-lane.ts";

export class SignalSender {
  readonly #envelopes: Envelopes;
  readonly #directory: DirectoryView;
  readonly #attachment: Attachment;
  readonly #surroundings: Surroundings;
  /** Of each device that something is on its way to. */
  readonly #lanes = new Map<string, SignalLane>();
  readonly #sending = new Set<Promise<boolean>>();
  #stopped = false;

  constructor(envelopes: Envelopes, directory: DirectoryView, attachment: Attachment, surroundings: Surroundings) {
    this.#envelopes = envelopes;
    this.#directory = directory;
    this.#attachment = attachment;
    this.#surroundings = surroundings;
  }

  /** @returns whether the device has taken it */
  async send(to: DeviceAddress, signal: CallSignal): Promise<boolean> {
    if (this.#stopped) return false;
    const name = `${to.userId} ${to.deviceId}`;
    const lane = this.#lanes.get(name) ?? this.#openLane(to);
    this.#lanes.set(name, lane);
    const sent = lane.send(signal);
    this.#sending.add(sent);
    const taken = await sent;
    this.#sending.delete(sent);
    if (lane.isEmpty) this.#lanes.delete(name);
    return taken;
  }

  /** Resolves once nothing is on its way any more, or after this time. */
  async drained(patienceMs: number): Promise<void> {
    if (this.#sending.size === 0) return;
    let cancel = () => {};
    const patience = new Promise<void>((resolve) => {
      cancel = this.#surroundings.clock.after(patienceMs, resolve);
    });
    await Promise.race([Promise.all(this.#sending), patience]);
    cancel();
  }

  stop(): void {
    this.#stopped = true;
    for (const lane of this.#lanes.values()) lane.stop();
  }

  #openLane(to: DeviceAddress): SignalLane {
    const { clock, random } = this.#surroundings;
    return new SignalLane({
      clock,
      newId: () => newMessageId(random),
      transmit: (id, signal) => this.#transmit(to, id, signal),
    });
  }

  async #transmit(to: DeviceAddress, id: MessageId, signal: CallSignal): Promise<boolean | null> {
    const device = this.#directory.device(to.userId, to.deviceId);
    if (!device || device.state === "gone") return null;
    try {
      const { home, inbox } = device;
      const envelope = this.#envelopes.seal(id, to, { type: "call", signal });
      return (await this.#attachment.request("send", { home, inbox, envelope })).delivered;
    } catch (error) {
      this.#surroundings.log.info("call signal not sent", { cause: error });
      return false;
    }
  }
}
