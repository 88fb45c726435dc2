/**
 * What the directory tells of buddies and of our own other devices. Supernodes are not
 * believed: every device must show a lease that its account has signed.
 */
import { KithError } from "../../protocol/errors.ts";
import type { DeviceAddress, DeviceId, InboxId, NetworkId, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { isLeaseValid, type Lease, trustLease } from "../../protocol/lease.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { DevicePresence, SealedStatus, UserPresence } from "../../protocol/presence.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { openStatus } from "./sealed-status.ts";

export interface Device {
  readonly deviceId: DeviceId;
  readonly home: SupernodeId;
  readonly inbox: InboxId;
  readonly state: "online" | "gone" | "unknown";
  readonly lease: Pick<Lease, "sequence" | "issuedAt" | "validityMs">;
  readonly sealedStatus: Uint8Array;
  readonly lastSeenAt: number;
}

export interface PresenceView {
  readonly presence: "online" | "away" | "busy" | "offline" | "unknown";
  readonly statusText: string;
  readonly lastSeenAt: number | null;
}

/**
 * Called after every change of a user's devices.
 * @param appeared those that can be reached now and could not before, or at another place
 */
export type DirectoryListener = (userId: UserId, appeared: readonly DeviceAddress[]) => void;

export class DirectoryView {
  readonly #networkId: NetworkId;
  readonly #self: DeviceId;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #changed: DirectoryListener;
  readonly #users = new Map<UserId, Map<DeviceId, Device>>();

  /** @param self this very device, which is no news to itself */
  constructor(networkId: NetworkId, self: DeviceId, clock: Clock, log: Log, changed: DirectoryListener) {
    this.#networkId = networkId;
    this.#self = self;
    this.#clock = clock;
    this.#log = log;
    this.#changed = changed;
  }

  apply({ userId, devices }: UserPresence): void {
    const before = this.#users.get(userId);
    const after = new Map<DeviceId, Device>();
    for (const presence of devices) {
      const device = presence.deviceId === this.#self ? null : this.#verified(userId, presence);
      if (!device) continue;
      const known = before?.get(device.deviceId);
      // An older lease is a supernode that lags behind, or a replay.
      after.set(device.deviceId, known && known.lease.sequence > device.lease.sequence ? known : device);
    }
    this.#users.set(userId, after);
    const appeared = [...after.values()].filter((device) => {
      const known = before?.get(device.deviceId);
      return this.isReachable(device) && !(known && this.isReachable(known) && known.inbox === device.inbox);
    });
    this.#changed(
      userId,
      appeared.map(({ deviceId }) => ({ userId, deviceId })),
    );
  }

  /** Whoever else was watched before is forgotten. */
  keepOnly(userIds: readonly UserId[]): void {
    const kept = new Set(userIds);
    for (const userId of [...this.#users.keys()]) {
      if (!kept.has(userId)) this.#users.delete(userId);
    }
  }

  /** Whether the directory has answered about this user at all. */
  knows(userId: UserId): boolean {
    return this.#users.has(userId);
  }

  /** Every device seen within the directory's memory. */
  devices(userId: UserId): Device[] {
    return [...(this.#users.get(userId)?.values() ?? [])];
  }

  device(userId: UserId, deviceId: DeviceId): Device | undefined {
    return this.#users.get(userId)?.get(deviceId);
  }

  /** Devices that say that they are there. */
  online(userId: UserId): Device[] {
    return this.devices(userId).filter((device) => this.isOnline(device));
  }

  /** Devices that may take envelopes now, seen or unseen. */
  reachable(userId: UserId): Device[] {
    return this.devices(userId).filter((device) => this.isReachable(device));
  }

  isOnline({ state, lease }: Device): boolean {
    return state === "online" && isLeaseValid(lease, this.#clock.now());
  }

  /**
   * Someone invisible looks gone, but has an inbox and wants messages. Whether anybody is
   * behind it only trying can tell.
   */
  isReachable(device: Device): boolean {
    const { validityMs, issuedAt } = device.lease;
    const mayBeHidden = validityMs === 0 && this.#clock.now() < issuedAt + TIMES.leaseMemoryMs;
    return this.isOnline(device) || mayBeHidden;
  }

  /** @param profileKey null: not received yet; the status is then plainly "online" */
  view(userId: UserId, profileKey: Uint8Array | null): PresenceView {
    const devices = this.devices(userId);
    const online = devices.filter((device) => this.isOnline(device));
    const lastSeenAt = devices.length === 0 ? null : Math.max(...devices.map((device) => device.lastSeenAt));
    if (online.length > 0) {
      const statuses = online.map(({ sealedStatus }) => profileKey && openStatus(sealedStatus, profileKey));
      return { ...mostTelling(statuses), lastSeenAt };
    }
    const unknown = devices.some(({ state, lease }) => state === "unknown" && isLeaseValid(lease, this.#clock.now()));
    return { presence: unknown ? "unknown" : "offline", statusText: "", lastSeenAt };
  }

  #verified(userId: UserId, presence: DevicePresence): Device | null {
    try {
      const { value } = trustLease(this.#networkId, this.#clock.now(), presence.lease);
      const { deviceId, home, inbox } = presence;
      if (value.userId !== userId || value.deviceId !== deviceId || value.home !== home || value.inbox !== inbox) {
        throw new KithError("signature-invalid", { what: "lease" });
      }
      return {
        deviceId,
        home,
        inbox,
        state: presence.state,
        lease: { sequence: value.sequence, issuedAt: value.issuedAt, validityMs: value.validityMs },
        // A copy: what came is a view of a whole frame.
        sealedStatus: new Uint8Array(presence.sealedStatus),
        lastSeenAt: presence.lastSeenAt,
      };
    } catch (error) {
      this.#log.warn("presence without a genuine lease", { code: KithError.from(error).code });
      return null;
    }
  }
}

/** Of several devices: "busy" is a wish and beats all; someone who is at one device is not away. */
const TELLING = { busy: 2, online: 1, away: 0 } as const;

function mostTelling(statuses: readonly (SealedStatus | null)[]): Pick<PresenceView, "presence" | "statusText"> {
  let best: SealedStatus | null = null;
  for (const status of statuses) {
    if (!status) continue;
    const later = best && TELLING[status.status] === TELLING[best.status] && status.at > best.at;
    if (!best || later || TELLING[status.status] > TELLING[best.status]) best = status;
  }
  return { presence: best?.status ?? "online", statusText: best?.text ?? "" };
}
