/** Sends call signals: at once, in order, and again for as long as they still mean something. */
import type { CallSignal } from "../../protocol/call-signal.ts";
import type { DeviceAddress } from "../../protocol/identifiers.ts";
import type { Attachment } from "./attachment.ts";
import type { Surroundings } from "./client-options.ts";
import type { DirectoryView } from "./directory-view.ts";
import type { Envelopes } from "./envelopes.ts";
import { newMessageId } from "./randomness.ts";

/** Long enough to change the home supernode on both sides; a call waits no longer for anything. */
const GIVE_UP_MS = 15_000;
const RETRY_MS = 400;

export class SignalSender {
  readonly #envelopes: Envelopes;
  readonly #directory: DirectoryView;
  readonly #attachment: Attachment;
  readonly #surroundings: Surroundings;
  /** The last signal on its way to each device: the next one follows it. */
  readonly #last = new Map<string, Promise<unknown>>();
  #stopped = false;

  constructor(envelopes: Envelopes, directory: DirectoryView, attachment: Attachment, surroundings: Surroundings) {
    this.#envelopes = envelopes;
    this.#directory = directory;
    this.#attachment = attachment;
    this.#surroundings = surroundings;
  }

  /** @returns whether the device has taken it */
  send(to: DeviceAddress, signal: CallSignal): Promise<boolean> {
    const lane = `${to.userId} ${to.deviceId}`;
    const sent = (this.#last.get(lane) ?? Promise.resolve()).then(() => this.#persist(to, signal));
    this.#last.set(lane, sent);
    void sent.then(() => {
      if (this.#last.get(lane) === sent) this.#last.delete(lane);
    });
    return sent;
  }

  /** Resolves once nothing is on its way any more, or after this time. */
  async drained(patienceMs: number): Promise<void> {
    if (this.#last.size === 0) return;
    let cancel = () => {};
    const patience = new Promise<void>((resolve) => {
      cancel = this.#surroundings.clock.after(patienceMs, resolve);
    });
    await Promise.race([Promise.all(this.#last.values()), patience]);
    cancel();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #persist(to: DeviceAddress, signal: CallSignal): Promise<boolean> {
    const { clock, random } = this.#surroundings;
    const id = newMessageId(random);
    const giveUpAt = clock.now() + GIVE_UP_MS;
    while (!this.#stopped) {
      const device = this.#directory.device(to.userId, to.deviceId);
      if (!device || device.state === "gone") return false;
      try {
        const { home, inbox } = device;
        const envelope = this.#envelopes.seal(id, to, { type: "call", signal });
        const { delivered } = await this.#attachment.request("send", { home, inbox, envelope });
        if (delivered) return true;
      } catch (error) {
        this.#surroundings.log.info("call signal not sent", { cause: error });
      }
      if (clock.now() + RETRY_MS >= giveUpAt) return false;
      await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
    }
    return false;
  }
}
