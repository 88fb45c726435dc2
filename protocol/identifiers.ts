/** The identifiers of Kith. In memory and in JSON they are lower-case hexadecimal; in signed structures raw bytes. */
import { z } from "zod";
import { KithError } from "./errors.ts";

export const USER_ID_BYTES = 20;
export const NETWORK_ID_BYTES = 20;
export const SUPERNODE_ID_BYTES = 20;
export const DEVICE_ID_BYTES = 16;
export const INBOX_BYTES = 16;
export const MESSAGE_ID_BYTES = 16;
export const SEARCH_KEY_BYTES = 8;
export const SIGN_KEY_BYTES = 32;
export const BOX_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));

/** First 160 bits of SHA-256 over "kith user 1\0" and the account's Ed25519 public key. */
export const UserId = hex(USER_ID_BYTES).brand<"UserId">();
/** First 160 bits of SHA-256 over "kith network 1\0" and the network's Ed25519 public key. */
export const NetworkId = hex(NETWORK_ID_BYTES).brand<"NetworkId">();
/** Chosen at random by the login server, so that no operator can choose a place in the directory. */
export const SupernodeId = hex(SUPERNODE_ID_BYTES).brand<"SupernodeId">();
/** Chosen at random by the device. */
export const DeviceId = hex(DEVICE_ID_BYTES).brand<"DeviceId">();
/** Where the home supernode takes envelopes for one attached device; new at every attachment. */
export const InboxId = hex(INBOX_BYTES).brand<"InboxId">();
export const MessageId = hex(MESSAGE_ID_BYTES).brand<"MessageId">();
export const CallId = hex(MESSAGE_ID_BYTES).brand<"CallId">();
/** First 64 bits of SHA-256 over "kith search 1\0" and a word beginning: its place in the directory. */
export const SearchKey = hex(SEARCH_KEY_BYTES).brand<"SearchKey">();

export type UserId = z.infer<typeof UserId>;
export type NetworkId = z.infer<typeof NetworkId>;
export type SupernodeId = z.infer<typeof SupernodeId>;
export type DeviceId = z.infer<typeof DeviceId>;
export type InboxId = z.infer<typeof InboxId>;
export type MessageId = z.infer<typeof MessageId>;
export type CallId = z.infer<typeof CallId>;
export type SearchKey = z.infer<typeof SearchKey>;

/** One device of one account. */
export interface DeviceAddress {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
}

/** `alice` inside its network: ASCII on purpose, so that no two handles look alike by Unicode. */
export const Handle = z
  .string()
  .regex(/^[a-z][a-z0-9._-]{2,31}$/)
  .brand<"Handle">();
export type Handle = z.infer<typeof Handle>;

/**
 * A handle as a person types it: surrounding space and capitals are forgiven.
 * @throws KithError `handle-malformed`
 */
export function parseHandle(typed: string): Handle {
  const parsed = Handle.safeParse(typed.trim().toLowerCase());
  if (!parsed.success) throw new KithError("handle-malformed");
  return parsed.data;
}

/** Raw bytes of one field of a signed structure. */
export function bytesField(length: number) {
  return z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === length);
}

/** Bytes up to a limit, as socket.io delivers them. Longer ones are refused as `too-large` (rpc.ts). */
export function bytesUpTo(limitBytes: number) {
  return z
    .custom<Uint8Array>((value) => value instanceof Uint8Array)
    .refine((value) => value.length <= limitBytes, { params: { limitBytes } });
}
