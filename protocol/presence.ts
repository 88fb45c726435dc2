/** What buddies see of each other. */
import { z } from "zod";
import { bytesUpTo, DeviceId, InboxId, SupernodeId, UserId } from "./identifiers.ts";
import { MAX_LEASE_BYTES } from "./lease.ts";
import { LIMITS } from "./limits.ts";

/** What a person chooses; "invisible" looks offline to everyone. */
export const ChosenStatus = z.enum(["online", "away", "busy", "invisible"]);
export type ChosenStatus = z.infer<typeof ChosenStatus>;

/** What travels, sealed with the account's profile key (secretbox: 24-byte nonce, then the box over this as JSON). */
export const SealedStatus = z.strictObject({
  status: z.enum(["online", "away", "busy"]),
  text: z.string().max(LIMITS.maxStatusTextLength),
  /** Of two statuses of one device the later one holds. */
  at: z.number().int().nonnegative(),
});
export type SealedStatus = z.infer<typeof SealedStatus>;

/**
 * How one device of a watched user is doing, as the directory tells it:
 * - `online`: attached, says its home supernode;
 * - `gone`: its socket has closed, or it signed out; `lastSeenAt` is when;
 * - `unknown`: its home supernode does not answer.
 */
export const DevicePresence = z.strictObject({
  deviceId: DeviceId,
  state: z.enum(["online", "gone", "unknown"]),
  home: SupernodeId,
  inbox: InboxId,
  /** The lease as the device signed it: the watcher checks it and need not believe the supernode. */
  lease: bytesUpTo(MAX_LEASE_BYTES),
  /** Opaque to supernodes; empty when none was set. */
  sealedStatus: bytesUpTo(LIMITS.maxSealedStatusBytes),
  lastSeenAt: z.number().int().nonnegative(),
});
export type DevicePresence = z.infer<typeof DevicePresence>;

/** Everything the directory knows of one user; a user without devices has not been seen for 72 hours. */
export const UserPresence = z.strictObject({
  userId: UserId,
  devices: z.array(DevicePresence).max(LIMITS.maxDevicesPerAccount),
});
export type UserPresence = z.infer<typeof UserPresence>;
