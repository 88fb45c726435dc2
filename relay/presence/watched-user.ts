/** One user whose presence somebody here wants to know: the leases, and for each the word of its home. */
import { equalBytes } from "../../protocol/bytes.ts";
import type { DeviceId, UserId } from "../../protocol/identifiers.ts";
import { decodeLease, type Lease } from "../../protocol/lease.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { DevicePresence, UserPresence } from "../../protocol/presence.ts";
import type { LeaseChange } from "../links/link-peer.ts";
import { forgetAt, type LeaseRecord, type SeenRecord } from "../records/record-store.ts";
import type { InboxSubscriptions, Liveness, Whereabouts } from "./inbox-subscriptions.ts";
import { devicePresence, isHomeToBeAsked, supersedes } from "./presence-view.ts";

const UNREACHABLE: Liveness = { kind: "unreachable" };

type WatchedInboxes = Pick<InboxSubscriptions, "watch" | "unwatch" | "livenessOf">;

interface Device {
  record: SeenRecord;
  /** Where it is asked after; null where that cannot change anything. */
  asked: Whereabouts | null;
}

export class WatchedUser {
  readonly userId: UserId;
  readonly #inboxes: WatchedInboxes;
  readonly #now: () => number;
  readonly #devices = new Map<DeviceId, Device>();
  readonly #changed: () => void;
  #nextChangeAt = Number.POSITIVE_INFINITY;

  /** @param changed is told whenever `presence` may have changed. */
  constructor(userId: UserId, inboxes: WatchedInboxes, now: () => number, changed: () => void) {
    this.userId = userId;
    this.#inboxes = inboxes;
    this.#now = now;
    this.#changed = changed;
  }

  /**
   * Whether it is worth checking what a holder says: nothing that is known or outdated is, and a holder that says it a
   * million times costs a hundredth of as many signatures.
   */
  isNews({ lease: bytes, gone }: Pick<LeaseChange, "lease" | "gone">): boolean {
    let lease: Lease;
    try {
      lease = decodeLease(bytes).value;
    } catch {
      return true;
    }
    const known = this.#devices.get(lease.deviceId)?.record;
    if (!known || lease.sequence > known.lease.value.sequence) return true;
    if (lease.sequence < known.lease.value.sequence) return false;
    return !equalBytes(bytes, known.lease.bytes) || (gone && !known.gone);
  }

  /** @param received with a trusted lease of this user. */
  learn(received: LeaseRecord): void {
    const record = kept(received);
    const { deviceId } = record.lease.value;
    const device = this.#devices.get(deviceId);
    if (!supersedes(record, device?.record) || forgetAt(record) <= this.#now()) return;
    if (!device && this.#devices.size >= LIMITS.maxDevicesPerAccount) this.#forget(this.#leastRecent());
    const entry: Device = device ?? { record, asked: null };
    const isNewLease = entry.record.lease.value.sequence < record.lease.value.sequence;
    entry.record = record;
    this.#devices.set(deviceId, entry);
    this.#askHome(entry, isNewLease);
    this.#nextChangeAt = Math.min(this.#nextChangeAt, ...changesAt(record, this.#now()));
    this.#changed();
  }

  /** Lets time pass: leases lapse, and after 72 hours they are forgotten. */
  age(): void {
    const now = this.#now();
    if (now < this.#nextChangeAt) return;
    for (const [deviceId, device] of this.#devices) {
      if (forgetAt(device.record) <= now) this.#forget(deviceId);
    }
    this.#nextChangeAt = Math.min(...[...this.#devices.values()].flatMap(({ record }) => changesAt(record, now)));
    this.#changed();
  }

  /** @returns null while a home is still to be heard */
  presence(): UserPresence | null {
    const devices = this.#deviceStates((liveness) => liveness);
    return devices.length === this.#devices.size ? { userId: this.userId, devices } : null;
  }

  /** Without waiting any longer: a home that has not answered yet counts as one that does not answer. */
  presenceByNow(): UserPresence {
    const devices = this.#deviceStates((liveness) => (liveness.kind === "asking" ? UNREACHABLE : liveness));
    return { userId: this.userId, devices };
  }

  close(): void {
    for (const deviceId of [...this.#devices.keys()]) this.#forget(deviceId);
  }

  #deviceStates(hear: (liveness: Liveness) => Liveness): DevicePresence[] {
    const now = this.#now();
    return [...this.#devices.values()].flatMap(({ record, asked }) => {
      const liveness = asked ? this.#inboxes.livenessOf(asked) : UNREACHABLE;
      return devicePresence(record, hear(liveness), now) ?? [];
    });
  }

  /** @param isNewLease a home that has said `gone` is asked anew: someone hidden may show themselves again */
  #askHome(device: Device, isNewLease: boolean): void {
    const { home, inbox } = device.record.lease.value;
    const wanted = isHomeToBeAsked(device.record, this.#now()) ? { home, inbox } : null;
    const isToldGone = device.asked !== null && this.#inboxes.livenessOf(device.asked).kind === "gone";
    if (isSamePlace(wanted, device.asked) && !(isNewLease && isToldGone)) return;
    if (device.asked) this.#inboxes.unwatch(device.asked, this.#changed);
    device.asked = wanted;
    if (wanted) this.#inboxes.watch(wanted, this.#changed);
  }

  #forget(deviceId: DeviceId): void {
    const device = this.#devices.get(deviceId);
    if (device?.asked) this.#inboxes.unwatch(device.asked, this.#changed);
    this.#devices.delete(deviceId);
  }

  #leastRecent(): DeviceId {
    const [oldest] = [...this.#devices.values()].sort((a, b) => a.record.lastSeenAt - b.record.lastSeenAt);
    if (!oldest) throw new RangeError("no device to forget");
    return oldest.record.lease.value.deviceId;
  }
}

function isSamePlace(a: Whereabouts | null, b: Whereabouts | null): boolean {
  return a?.home === b?.home && a?.inbox === b?.inbox;
}

/** There is one for everybody who is watched: keys and signature are in the bytes, and need no views of their own. */
function kept({ lease, gone, lastSeenAt }: LeaseRecord): SeenRecord {
  const { deviceId, home, inbox, sequence, issuedAt, validityMs } = lease.value;
  const value = { deviceId, home, inbox, sequence, issuedAt, validityMs };
  return { lease: { value, bytes: lease.bytes }, gone, lastSeenAt };
}

/** When time alone will change what is shown of a record. */
function changesAt(record: SeenRecord, now: number): number[] {
  const { issuedAt, validityMs } = record.lease.value;
  return [issuedAt + validityMs, forgetAt(record)].filter((at) => at > now);
}
