/**
 * The login server's interface: JSON over HTTP to register, log in and enrol, then one
 * socket.io session per device for the buddy list and its pushes.
 */
import { z } from "zod";
import { bytesUpTo, DeviceId, Handle, NetworkId, SupernodeId, UserId } from "./identifiers.ts";
import { InvitationToken } from "./invitation.ts";
import { KEY_LOG_ENTRY_BYTES, KEY_LOG_HEAD_BYTES, MAX_KEY_LOG_ENTRIES, MAX_KEY_LOG_HEADS } from "./key-log.ts";
import { HASH_BYTES, MAX_PATH_STEPS } from "./key-tree.ts";
import { LIMITS } from "./limits.ts";
import { MAX_SUCCESSIONS_BYTES } from "./network-key.ts";
import { MAX_REVOCATION_LIST_BYTES } from "./revocations.ts";
import { method, Nothing } from "./rpc.ts";

/** Bytes inside JSON. */
const base64 = (maxBytes: number) => z.base64().max(Math.ceil(maxBytes / 3) * 4);
const time = z.number().int().nonnegative();
/** OPAQUE messages are opaque to us: base64url text, as @serenity-kit/opaque makes it. */
const opaqueMessage = z
  .string()
  .min(1)
  .max(4_096)
  .regex(/^[A-Za-z0-9_-]+$/);
const deviceName = z.string().trim().min(1).max(64);

/** The secret keys of an account, sealed under OPAQUE's export key: nonce 24 + (sign seed 32 + box secret 32 + profile key 32) + tag 16. */
export const VAULT_BYTES = 24 + 96 + 16;
const vault = z.base64().length(Math.ceil(VAULT_BYTES / 3) * 4);

/**
 * How one becomes a member: by anybody's wish, with an invitation, after an administrator's
 * approval, or not at all. An invitation lets in under any of them but the last.
 */
export const RegistrationMode = z.enum(["invitation", "open", "approval", "closed"]);
export type RegistrationMode = z.infer<typeof RegistrationMode>;

/** Every HTTP error answer has this body. */
export const HttpError = z.object({
  error: z.object({
    code: z.string().max(64),
    message: z.string().max(2_000),
    details: z.record(z.string(), z.union([z.string().max(2_000), z.number()])),
  }),
});

const post = <I extends z.ZodType, O extends z.ZodType>(path: string, input: I, output: O) => ({
  verb: "POST" as const,
  path,
  input,
  output,
});
const get = <O extends z.ZodType>(path: string, output: O) => ({ verb: "GET" as const, path, input: Nothing, output });

const accountKeys = {
  signKey: base64(32),
  boxKey: base64(32),
  /** The signing key's signature (domain `keyBinding`) over boxKey. */
  keyBinding: base64(64),
};

export const LOGIN_HTTP = {
  /** What this server is. The network key is the root of all trust; the client pins it at first use. */
  network: get(
    "/v1/network",
    z.object({
      kith: z.literal("login-server"),
      protocolVersion: z.number().int().positive(),
      networkId: NetworkId,
      /** The network's first key, … */
      networkKey: base64(32),
      /** … and what leads from it to the present one (network-key.ts). */
      successions: base64(MAX_SUCCESSIONS_BYTES).default(""),
      name: z.string().max(253),
      registration: RegistrationMode,
      now: time,
    }),
  ),
  registerStart: post(
    "/v1/register/start",
    z.strictObject({ handle: Handle, request: opaqueMessage, invitation: InvitationToken.optional() }),
    z.object({ response: opaqueMessage }),
  ),
  /** `proof` signs (domain `registration`) networkId + handle (UTF-8) + signKey + boxKey + vault + deviceId. */
  registerFinish: post(
    "/v1/register/finish",
    z.strictObject({
      handle: Handle,
      record: opaqueMessage,
      ...accountKeys,
      vault,
      deviceId: DeviceId,
      deviceName,
      proof: base64(64),
      invitation: InvitationToken.optional(),
    }),
    z.object({ certificate: base64(LIMITS.maxCertificateBytes) }),
  ),
  loginStart: post(
    "/v1/login/start",
    z.strictObject({ handle: Handle, request: opaqueMessage }),
    z.object({ attempt: z.string().max(64), response: opaqueMessage }),
  ),
  loginFinish: post(
    "/v1/login/finish",
    z.strictObject({ attempt: z.string().max(64), request: opaqueMessage, deviceId: DeviceId, deviceName }),
    z.object({ certificate: base64(LIMITS.maxCertificateBytes), vault }),
  ),
  /**
   * The way to another password begins with a proof: of the old one by a login attempt that is finished here, …
   */
  passwordProve: post(
    "/v1/password/prove",
    z.strictObject({ attempt: z.string().max(64), request: opaqueMessage, registration: opaqueMessage }),
    z.object({ change: z.string().max(64), response: opaqueMessage }),
  ),
  /** … or of the recovery key, over this nonce. The answer is the same for a handle that nobody has. */
  recoveryStart: post(
    "/v1/recovery/start",
    z.strictObject({ handle: Handle }),
    z.object({ attempt: z.string().max(64), nonce: base64(32) }),
  ),
  /** `proof` signs (domain `recovery`) networkId + nonce + handle (UTF-8). `vault` is the one sealed under the recovery key. */
  recoveryProve: post(
    "/v1/recovery/prove",
    z.strictObject({ attempt: z.string().max(64), proof: base64(64), registration: opaqueMessage }),
    z.object({ change: z.string().max(64), response: opaqueMessage, vault }),
  ),
  /** It ends with the new password's record and the vault, sealed anew: both are stored, or neither is. */
  passwordFinish: post(
    "/v1/password/finish",
    z.strictObject({ change: z.string().max(64), record: opaqueMessage, vault }),
    Nothing,
  ),
  /** Deletes the account whose password the attempt proves. */
  accountDelete: post(
    "/v1/account/delete",
    z.strictObject({ attempt: z.string().max(64), request: opaqueMessage }),
    Nothing,
  ),
  /** The signed supernode list. */
  supernodes: get("/v1/supernodes", z.object({ list: base64(4 * 1024 * 1024) })),
  /** What supernodes pass on of the login server's: the newest head of the key log (empty: none yet), the revocation list. */
  notices: get(
    "/v1/notices",
    z.object({
      keyLogHead: base64(KEY_LOG_HEAD_BYTES),
      revocations: base64(MAX_REVOCATION_LIST_BYTES),
      successions: base64(MAX_SUCCESSIONS_BYTES).default(""),
    }),
  ),
  /** A supernode says that it is there. `proof` signs login-proof.ts's reportStatement. Whoever is silent for an hour leaves the list. */
  report: post(
    "/v1/supernodes/report",
    z.strictObject({
      supernodeId: SupernodeId,
      at: time,
      room: z.number().int().min(0).max(0xffff_ffff),
      proof: base64(64),
    }),
    Nothing,
  ),
  /**
   * A supernode joins, or renews its certificate. `proof` signs (domain `enrolment`)
   * networkId + signKey + tlsFingerprint + host (UTF-8) + ":" + port (decimal).
   */
  enrol: post(
    "/v1/supernodes/enrol",
    z.strictObject({
      token: z.string().min(1).max(256),
      signKey: base64(32),
      tlsFingerprint: base64(32),
      host: z.string().min(1).max(253),
      port: z.number().int().min(1).max(65_535),
      proof: base64(64),
    }),
    z.object({ certificate: base64(LIMITS.maxCertificateBytes) }),
  ),
} as const;

/** Path of the socket.io endpoint on the login server; both ends use the parser of wire-parser.ts (login-socket.ts). */
export const LOGIN_SOCKET_PATH = "/v1/session";

/** How a person stands to another one, as the owner of the list sees it. */
export const BuddyState = z.enum(["buddy", "asked-by-me", "asks-me", "removed"]);

/** The handle in the line of somebody whose account was deleted: the server has none left. Nobody can register it. */
export const DEPARTED_HANDLE = Handle.parse("deleted-account");

/** One line of a buddy list. `removed` lines are kept so that a device that was away learns of the removal. */
export const BuddyEntry = z.strictObject({
  userId: UserId,
  handle: Handle,
  state: BuddyState,
  /** The greeting that came with the request; empty once they are buddies. */
  greeting: z.string().max(LIMITS.maxGreetingLength),
  /** The latest certificate of any of their devices: their keys. Empty once their account was deleted (state `removed`). */
  certificate: bytesUpTo(LIMITS.maxCertificateBytes),
  /** The owner wants nothing from them; they are not told. State is `removed` then. */
  blocked: z.boolean(),
  /** Alias and groups, sealed by the owner's devices for each other; empty for none. */
  label: bytesUpTo(LIMITS.maxBuddyLabelBytes),
  /** The list's revision when this line changed last. */
  revision: z.number().int().nonnegative(),
});
export type BuddyEntry = z.infer<typeof BuddyEntry>;

/** Of those who wait, as many as one answer holds; the rest follows once these are decided. */
export const MAX_APPLICANTS = 500;

/** Lines of one delta: fewer where certificates, greetings and labels are long, so that they fit one frame. */
export const MAX_DELTA_ENTRIES = 256;

/** A device that is signed in to the account. */
export const DeviceEntry = z.strictObject({
  deviceId: DeviceId,
  name: z.string().max(64),
  lastSeenAt: time,
  connected: z.boolean(),
});

export const AccountEntry = z.strictObject({
  role: z.enum(["member", "administrator"]),
  createdAt: time,
  /** null: no recovery key was made. */
  recoveryKeySetAt: time.nullable(),
  devices: z.array(DeviceEntry).max(LIMITS.maxDevicesPerAccount),
});

/** Somebody who waits for an administrator to let them in. */
const Applicant = z.strictObject({ handle: Handle, createdAt: time });

export const BuddyDelta = z.strictObject({
  /** Lines changed after the revision that was asked for, oldest change first. */
  entries: z.array(BuddyEntry).max(MAX_DELTA_ENTRIES),
  /** What is known up to here: the `since` of the next request. */
  revision: z.number().int().nonnegative(),
  /** There are later lines: ask again (a push is followed by the next one by itself). */
  more: z.boolean(),
});
export type BuddyDelta = z.infer<typeof BuddyDelta>;

/** Device to login server. All but `open` need an open session. */
export const LOGIN_METHODS = {
  /** `proof` signs (domain `loginSession`) networkId + the challenge's nonce + deviceId. An expired certificate is good enough here: the device is looked up. */
  open: method(
    z.strictObject({ certificate: bytesUpTo(LIMITS.maxCertificateBytes), proof: bytesUpTo(64) }),
    z.strictObject({
      /** A fresh one once the old one is past half-life, otherwise empty. */
      certificate: bytesUpTo(LIMITS.maxCertificateBytes),
      /** Revision of the supernode list: whose own is older fetches it. */
      supernodes: z.number().int().nonnegative(),
    }),
  ),
  /** A fresh certificate if the session's is past half-life or of a former network key, otherwise empty. */
  renew: method(Nothing, z.strictObject({ certificate: bytesUpTo(LIMITS.maxCertificateBytes) })),
  syncBuddies: method(z.strictObject({ since: z.number().int().nonnegative() }), BuddyDelta),
  requestBuddy: method(
    z.strictObject({ handle: Handle, greeting: z.string().max(LIMITS.maxGreetingLength) }),
    BuddyEntry,
  ),
  acceptBuddy: method(z.strictObject({ userId: UserId }), BuddyEntry),
  declineBuddy: method(z.strictObject({ userId: UserId }), Nothing),
  removeBuddy: method(z.strictObject({ userId: UserId }), Nothing),
  /** Ends whatever there is, and lets no request of theirs through; their side sees one that is not answered. */
  blockBuddy: method(z.strictObject({ userId: UserId }), Nothing),
  unblockBuddy: method(z.strictObject({ userId: UserId }), Nothing),
  labelBuddy: method(z.strictObject({ userId: UserId, label: bytesUpTo(LIMITS.maxBuddyLabelBytes) }), Nothing),
  signOutDevice: method(z.strictObject({ deviceId: DeviceId }), Nothing),
  account: method(Nothing, AccountEntry),
  /** `proof` signs (domain `recoveryKey`) networkId + recoveryKey + vault, with the account's key. */
  setRecoveryKey: method(
    z.strictObject({ recoveryKey: bytesUpTo(32), vault: bytesUpTo(VAULT_BYTES), proof: bytesUpTo(64) }),
    Nothing,
  ),
  /** For administrators: a link for new members, which is told once. */
  invite: method(
    z.strictObject({ uses: z.number().int().min(1).max(1_000), days: z.number().int().min(1).max(366) }),
    z.strictObject({ link: z.string().max(600), expiresAt: time }),
  ),
  applicants: method(Nothing, z.strictObject({ applicants: z.array(Applicant).max(MAX_APPLICANTS) })),
  decideApplicant: method(z.strictObject({ handle: Handle, admit: z.boolean() }), Nothing),
  /** What the key log says of a handle, from entry `since` on, and the proof that the newest head says the same. */
  keyLog: method(
    z.strictObject({ handle: Handle, since: z.number().int().nonnegative() }),
    z.strictObject({
      /** Entries in all; the answer may have fewer: ask again from there. */
      length: z.number().int().nonnegative(),
      entries: bytesUpTo(MAX_KEY_LOG_ENTRIES * KEY_LOG_ENTRY_BYTES),
      /** The siblings beside the way from the root to the handle's leaf, 32 bytes each. */
      siblings: bytesUpTo(MAX_PATH_STEPS * HASH_BYTES),
      /** Empty as long as there is none. */
      head: bytesUpTo(KEY_LOG_HEAD_BYTES),
    }),
  ),
  keyLogHeads: method(
    z.strictObject({ epochs: z.array(z.number().int().positive()).max(MAX_KEY_LOG_HEADS) }),
    z.strictObject({ heads: z.array(bytesUpTo(KEY_LOG_HEAD_BYTES)).max(MAX_KEY_LOG_HEADS) }),
  ),
  /** Whether this device may become a supernode, and the address that it would have: where the server sees it. */
  supernodeOffer: method(
    Nothing,
    z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("accepted"), host: z.string().min(1).max(253) }),
      z.strictObject({ kind: z.literal("not-wanted") }),
      /** Another device of this account is on the list. */
      z.strictObject({ kind: z.literal("elsewhere") }),
    ]),
  ),
  /** A ticket to enrol with once, at that address. Errors: `supernode-not-wanted`, `rate-limited`. */
  enrolSupernode: method(Nothing, z.strictObject({ token: z.string().min(1).max(256) })),
  /** Puts this account's supernode on the list, or takes it off. It is forgotten unless this is repeated. */
  listSupernode: method(z.strictObject({ listed: z.boolean() }), Nothing),
} as const;

/** Login server to device, without an answer. */
export const LOGIN_PUSHES = {
  /** First thing on every connection. */
  challenge: z.strictObject({ nonce: bytesUpTo(32) }),
  /** Lines of the buddy list that have changed. */
  buddies: BuddyDelta,
  /** The supernode list has a new revision: fetch it. */
  supernodes: z.strictObject({ revision: z.number().int().nonnegative() }),
  /** The network has another key: now and, in a while, at work. */
  networkKeys: z.strictObject({ successions: bytesUpTo(MAX_SUCCESSIONS_BYTES) }),
  /** This device was signed out; the session ends. */
  signedOut: Nothing,
} as const;
