/** What a device's lease and the word of its home add up to. Pure: no clock, no network. */
import type { DevicePresence } from "../../protocol/presence.ts";
import { isSaidToBeThere, type SeenRecord } from "../records/record-store.ts";
import type { Liveness } from "./inbox-subscriptions.ts";

const NO_STATUS = new Uint8Array(0);

/**
 * The home's word on the inbox counts most; where it is silent, the record's; where
 * neither knows, the device is `unknown`.
 * @returns null while the home is still to be heard
 */
export function devicePresence(record: SeenRecord, liveness: Liveness, now: number): DevicePresence | null {
  if (record.lease.value.validityMs === 0) return shown(record, "gone", record.lastSeenAt);
  switch (liveness.kind) {
    case "online":
      return { ...shown(record, "online", now), sealedStatus: liveness.sealedStatus };
    case "gone":
      return shown(record, "gone", Math.min(now, Math.max(record.lastSeenAt, liveness.lastSeenAt)));
    case "asking":
      // Not even a holder that says `gone` is believed before the home has had its say.
      return null;
    case "unreachable":
      return shown(record, isSaidToBeThere(record, now) ? "unknown" : "gone", record.lastSeenAt);
  }
}

/** Whether the home could still say that the device is there, whatever a holder says. */
export function isHomeToBeAsked(record: SeenRecord, now: number): boolean {
  return isSaidToBeThere({ ...record, gone: false }, now) && record.lease.value.validityMs > 0;
}

/** Whether `received` says something newer of the same device than `known`. */
export function supersedes(received: SeenRecord, known: SeenRecord | undefined): boolean {
  if (!known) return true;
  const difference = received.lease.value.sequence - known.lease.value.sequence;
  return difference > 0 || (difference === 0 && received.gone && !known.gone);
}

function shown(record: SeenRecord, state: DevicePresence["state"], lastSeenAt: number): DevicePresence {
  const { deviceId, home, inbox } = record.lease.value;
  return { deviceId, state, home, inbox, lease: record.lease.bytes, sealedStatus: NO_STATUS, lastSeenAt };
}
