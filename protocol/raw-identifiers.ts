/**
 * Identifiers as they stand in signed structures: raw bytes. Any bytes are one if they are as many as they should be,
 * which the reader sees to; to have the schema look at each again cost more than all else of decoding a packet of gossip.
 */
import { type ByteReader, toHex } from "./bytes.ts";
import {
  DEVICE_ID_BYTES,
  type DeviceId,
  INBOX_BYTES,
  type InboxId,
  MESSAGE_ID_BYTES,
  type MessageId,
  NETWORK_ID_BYTES,
  type NetworkId,
  SUPERNODE_ID_BYTES,
  type SupernodeId,
  USER_ID_BYTES,
  type UserId,
} from "./identifiers.ts";

/** @throws KithError `malformed` if too few bytes are left, as all here */
export const readUserId = (reader: ByteReader): UserId => toHex(reader.fixed(USER_ID_BYTES)) as UserId;
export const readNetworkId = (reader: ByteReader): NetworkId => toHex(reader.fixed(NETWORK_ID_BYTES)) as NetworkId;
export const readSupernodeId = (reader: ByteReader): SupernodeId =>
  toHex(reader.fixed(SUPERNODE_ID_BYTES)) as SupernodeId;
export const readDeviceId = (reader: ByteReader): DeviceId => toHex(reader.fixed(DEVICE_ID_BYTES)) as DeviceId;
export const readInboxId = (reader: ByteReader): InboxId => toHex(reader.fixed(INBOX_BYTES)) as InboxId;
export const readMessageId = (reader: ByteReader): MessageId => toHex(reader.fixed(MESSAGE_ID_BYTES)) as MessageId;
