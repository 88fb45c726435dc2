/**
 * Carries what the outbox and the receipts hold to the devices it is for, as soon as they
 * are online, in the sender's order, again and again until they have said that they have it.
 */
import { backoffMs } from "../../protocol/backoff.ts";
import type { DeviceAddress, DeviceId, UserId } from "../../protocol/identifiers.ts";
import type { Surroundings } from "../core/client-options.ts";
import { uniform } from "../core/randomness.ts";
import type { Attachment } from "../directory/attachment.ts";
import type { Device, DirectoryView } from "../directory/directory-view.ts";

/** One envelope that is due. */
export interface Consignment {
  /** Names it among what is due to one device. */
  readonly name: string;
  seal(): Uint8Array;
  /** The recipient's supernode says that the device has taken it. */
  taken(): Promise<void>;
  /** It stays due until the device itself has said so: sent again after this, doubling. null: `taken` is the end of it. */
  readonly retryMs: number | null;
}

/** What is due to a device, in order. */
export interface ConsignmentSource {
  /** @param underWay names of what waits for the device's word; not to be given again */
  dueTo(device: DeviceAddress, underWay: ReadonlySet<string>): Promise<Consignment[]>;
}

/**
 * Somebody who looks gone may be invisible or not there at all. After so many failures they are tried more rarely by
 * this factor: when they come back, wherever that is, they are told of at once.
 */
const FAILURES_OF_THE_ABSENT = 6;
const ABSENT_FACTOR = 10;

/** Envelopes on their way to one device at once. */
export const WINDOW = 8;

interface Lane {
  readonly device: DeviceAddress;
  running: boolean;
  /** Something happened while it ran. */
  again: boolean;
  failures: number;
  cancelTimer: () => void;
  /** What was taken and waits for the device's word: when it is sent again, in ms since 1970. */
  readonly underWay: Map<string, { resendAt: number; waitMs: number }>;
}

export class Courier {
  readonly #source: ConsignmentSource;
  readonly #directory: Pick<DirectoryView, "device" | "isReachable" | "reachable">;
  readonly #attachment: Pick<Attachment, "home" | "request">;
  readonly #surroundings: Surroundings;
  readonly #lanes = new Map<string, Lane>();
  #stopped = false;

  constructor(
    source: ConsignmentSource,
    directory: Pick<DirectoryView, "device" | "isReachable" | "reachable">,
    attachment: Pick<Attachment, "home" | "request">,
    surroundings: Surroundings,
  ) {
    this.#source = source;
    this.#directory = directory;
    this.#attachment = attachment;
    this.#surroundings = surroundings;
  }

  /** Something may be due to this user, or can be sent now. */
  kick(userId: UserId): void {
    if (this.#stopped) return;
    for (const { deviceId } of this.#directory.reachable(userId)) this.#run(this.#lane({ userId, deviceId }));
  }

  /** The device has come (back) online: what waited for its word may have been lost with its last connection. */
  reappeared(device: DeviceAddress): void {
    const lane = this.#lane(device);
    for (const [name, entry] of lane.underWay) lane.underWay.set(name, { ...entry, resendAt: 0 });
    lane.failures = 0;
    this.#run(lane);
  }

  /** The device has said that it has this. */
  settled({ userId, deviceId }: DeviceAddress, name: string): void {
    this.#lanes.get(laneName(userId, deviceId))?.underWay.delete(name);
  }

  stop(): void {
    this.#stopped = true;
    for (const lane of this.#lanes.values()) lane.cancelTimer();
  }

  #lane(device: DeviceAddress): Lane {
    const name = laneName(device.userId, device.deviceId);
    const existing = this.#lanes.get(name);
    if (existing) return existing;
    const lane: Lane = {
      device,
      running: false,
      again: false,
      failures: 0,
      cancelTimer: () => {},
      underWay: new Map(),
    };
    this.#lanes.set(name, lane);
    return lane;
  }

  #run(lane: Lane): void {
    if (this.#stopped) return;
    lane.again = lane.running;
    if (lane.running) return;
    lane.running = true;
    lane.cancelTimer();
    const run = this.#drain(lane).finally(() => {
      lane.running = false;
      if (lane.again) this.#run(lane);
      else this.#rest(lane);
    });
    this.#surroundings.background.run("courier", run);
  }

  async #drain(lane: Lane): Promise<void> {
    while (!this.#stopped) {
      lane.again = false;
      const target = this.#target(lane);
      if (!target) return;
      const now = this.#surroundings.clock.now();
      const waiting = new Set([...lane.underWay].filter(([, { resendAt }]) => resendAt > now).map(([name]) => name));
      const due = await this.#source.dueTo(lane.device, waiting);
      forgetSettled(lane, waiting, due);
      if (due.length === 0) return;
      const allTaken = await this.#sendAll(target, due);
      this.#expectWord(lane, due);
      lane.failures = allTaken ? 0 : lane.failures + 1;
      if (!allTaken) return;
    }
  }

  /** A few at a time without waiting for each other: one connection keeps their order. */
  async #sendAll(target: Device, due: readonly Consignment[]): Promise<boolean> {
    for (let start = 0; start < due.length; start += WINDOW) {
      const taken = await Promise.all(due.slice(start, start + WINDOW).map((one) => this.#send(target, one)));
      if (taken.includes(false)) return false;
    }
    return true;
  }

  #target({ device }: Lane): Device | null {
    const target = this.#directory.device(device.userId, device.deviceId);
    return target && this.#directory.isReachable(target) && this.#attachment.home ? target : null;
  }

  async #send({ home, inbox }: Device, due: Consignment): Promise<boolean> {
    try {
      const { delivered } = await this.#attachment.request("send", { home, inbox, envelope: due.seal() });
      if (delivered) await due.taken();
      return delivered;
    } catch (error) {
      this.#surroundings.log.info("envelope not sent", { cause: error });
      return false;
    }
  }

  #expectWord(lane: Lane, due: readonly Consignment[]): void {
    const { clock, times } = this.#surroundings;
    const expected = new Map(due.flatMap(({ name, retryMs }) => (retryMs === null ? [] : [[name, retryMs] as const])));
    for (const [name, retryMs] of expected) {
      const before = lane.underWay.get(name);
      const waitMs = before ? Math.min(before.waitMs * 2, times.receiptRetryMaxMs) : retryMs;
      lane.underWay.set(name, { resendAt: clock.now() + waitMs, waitMs });
    }
  }

  /** Sets the timer for what has failed or what waits for the device's word. */
  #rest(lane: Lane): void {
    // Without a way to the device there is nothing to wait for: its return is told by `kick` and `reappeared`.
    const target = this.#target(lane);
    if (this.#stopped || !target) return;
    const { clock, random } = this.#surroundings;
    const waits: number[] = [];
    const factor = target.state === "gone" && lane.failures > FAILURES_OF_THE_ABSENT ? ABSENT_FACTOR : 1;
    if (lane.failures > 0) waits.push(200 + factor * backoffMs(lane.failures, uniform(random)));
    for (const { resendAt } of lane.underWay.values()) waits.push(Math.max(0, resendAt - clock.now()));
    if (waits.length === 0) return;
    lane.cancelTimer = clock.after(Math.min(...waits), () => this.#run(lane));
  }
}

/** What was to be sent again but is not due any more has been settled by other means. */
function forgetSettled(lane: Lane, waiting: ReadonlySet<string>, due: readonly Consignment[]): void {
  const names = new Set(due.map(({ name }) => name));
  for (const name of lane.underWay.keys()) {
    if (!waiting.has(name) && !names.has(name)) lane.underWay.delete(name);
  }
}

function laneName(userId: UserId, deviceId: DeviceId): string {
  return `${userId} ${deviceId}`;
}
