/** What the command line asks of the running server, over a loopback port of its own: one table for both ends. */
import { z } from "zod";
import { Handle } from "../../protocol/identifiers.ts";
import { InvitationToken } from "../../protocol/invitation.ts";
import { TIMES } from "../../protocol/limits.ts";
import { Nothing } from "../../protocol/rpc.ts";

/** Where the server says how to be reached; in the data folder, for its owner's eyes only. */
export const ADMIN_FILE = "admin.json";
export const AdminFile = z.object({ url: z.url(), token: z.string().min(32) });

const MAX_INVITATION_DAYS = 366;
const time = z.number().int().nonnegative();
const about = z.strictObject({ handle: Handle });
const command = <N extends string, I extends z.ZodType, O extends z.ZodType>(name: N, input: I, output: O) => ({
  verb: "POST" as const,
  path: `/v1/admin/${name}` as const,
  input,
  output,
});

const Role = z.enum(["member", "administrator"]);
export const Standing = z.enum(["active", "waiting", "blocked"]);
const User = z.object({ userId: z.string(), handle: Handle, role: Role, standing: Standing, createdAt: time });
const Device = z.object({ deviceId: z.string(), name: z.string(), lastSeenAt: time, connected: z.boolean() });

export const InvitationDraft = z.strictObject({
  uses: z.number().int().min(1).max(10_000),
  days: z.number().int().min(1).max(MAX_INVITATION_DAYS),
  note: z.string().max(200),
  administrator: z.boolean(),
  handle: Handle.nullable(),
});
const Issued = z.object({
  invitationId: z.string(),
  link: z.url(),
  appLink: z.string(),
  token: InvitationToken,
  expiresAt: time,
});

export const KeyChange = z.strictObject({
  /** `stolen`: the old key ends at once, and everybody has to confirm the new one. */
  reason: z.enum(["planned", "stolen"]),
  /** How long before it begins to sign it is announced. */
  noticeMs: z.number().int().min(0).max(TIMES.maxNetworkKeyNoticeMs),
  /** How long what the old key has signed is good from then on. */
  overlapMs: z.number().int().min(0).max(TIMES.maxNetworkKeyOverlapMs),
  /** Even if that of the last change is not over. */
  endOverlap: z.boolean(),
});
const NetworkKeys = z.object({
  networkId: z.string(),
  /** For those who have to confirm the newest key. */
  confirmationLink: z.string(),
  keys: z.array(
    z.object({
      /** From 1, the first. */
      number: z.number().int(),
      fingerprint: z.string(),
      state: z.enum(["over", "overlap", "present", "announced"]),
      /** null: from the beginning */
      from: time.nullable(),
      /** null: nothing has been said of its end */
      until: time.nullable(),
      /** Why it took the place of the one before; null for the first. */
      reason: z.enum(["planned", "stolen"]).nullable(),
    }),
  ),
});

export const ADMIN_API = {
  users: command(
    "users",
    z.strictObject({
      standing: Standing.nullable(),
      after: z.string().max(64),
      limit: z.number().int().min(1).max(1_000),
    }),
    z.object({ users: z.array(User) }),
  ),
  user: command("user", about, z.object({ user: User, devices: z.array(Device), hasRecoveryKey: z.boolean() })),
  block: command("block", about, Nothing),
  unblock: command("unblock", about, Nothing),
  approve: command("approve", about, Nothing),
  decline: command("decline", about, Nothing),
  signOut: command("sign-out", about, Nothing),
  delete: command("delete", about, Nothing),
  promote: command("promote", about, Nothing),
  demote: command("demote", about, Nothing),
  /** The account begins anew with new keys, by a link for this handle alone: the server has no key to give back. */
  reset: command("reset", about, Issued),
  invitations: command(
    "invitations",
    Nothing,
    z.object({
      invitations: z.array(
        z.object({
          invitationId: z.string(),
          role: Role,
          handle: Handle.nullable(),
          uses: z.number().int(),
          usesLeft: z.number().int(),
          note: z.string(),
          createdBy: z.string(),
          createdAt: time,
          expiresAt: time,
        }),
      ),
    }),
  ),
  invite: command("invite", InvitationDraft, Issued),
  revokeInvitation: command("revoke-invitation", z.strictObject({ invitationId: z.string().max(64) }), Nothing),
  supernodes: command(
    "supernodes",
    Nothing,
    z.object({
      supernodes: z.array(
        z.object({ supernodeId: z.string(), host: z.string(), port: z.number(), issuedAt: time, expiresAt: time }),
      ),
    }),
  ),
  removeSupernode: command(
    "remove-supernode",
    z.strictObject({ supernodeId: z.string().max(64) }),
    // null: a member's, who had none.
    z.object({ enrolmentToken: z.string().nullable() }),
  ),
  replaceEnrolmentToken: command("replace-enrolment-token", Nothing, z.object({ enrolmentToken: z.string() })),
  networkKey: command("network-key", Nothing, NetworkKeys),
  rotateNetworkKey: command("rotate-network-key", KeyChange, NetworkKeys),
  statistics: command(
    "statistics",
    Nothing,
    z.object({
      accounts: z.number().int(),
      waiting: z.number().int(),
      blocked: z.number().int(),
      administrators: z.number().int(),
      devices: z.number().int(),
      connectedDevices: z.number().int(),
      connectedAccounts: z.number().int(),
      invitations: z.number().int(),
      supernodes: z.number().int(),
      uptimeSeconds: z.number().int(),
      memoryMb: z.number().int(),
    }),
  ),
  audit: command(
    "audit",
    z.strictObject({ limit: z.number().int().min(1).max(10_000) }),
    z.object({
      entries: z.array(
        z.object({ at: time, actor: z.string(), action: z.string(), subject: z.string(), details: z.string() }),
      ),
    }),
  ),
} as const;
export type AdminApi = typeof ADMIN_API;
