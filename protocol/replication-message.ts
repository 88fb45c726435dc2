/**
 * What holders of the directory's records say to each other when the members change: who
 * has a record offers it by its number, and sends it only if it is wanted.
 */
import { ByteReader, ByteWriter, fromHex } from "./bytes.ts";
import { DEVICE_ID_BYTES, type DeviceId, USER_ID_BYTES, type UserId } from "./identifiers.ts";
import { MAX_LEASE_BYTES } from "./lease.ts";
import { readDeviceId, readUserId } from "./raw-identifiers.ts";

export interface OfferedRecord {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly sequence: number;
}

export interface SentRecord {
  readonly lease: Uint8Array;
  readonly gone: boolean;
  readonly lastSeenAt: number;
}

export type ReplicationMessage =
  | { readonly type: "offer"; readonly offerId: number; readonly records: readonly OfferedRecord[] }
  /**
   * To an offer: by their place in it, the records that are wanted, and those that are here already.
   * The others are refused, or wanted of somebody else.
   */
  | {
      readonly type: "answer";
      readonly offerId: number;
      readonly wanted: readonly number[];
      readonly held: readonly number[];
    }
  | { readonly type: "records"; readonly records: readonly SentRecord[] };

/** So many fit a frame of either kind. */
export const MAX_OFFERED = 1_000;
export const MAX_SENT = 200;
/** The largest message: a full one of records. */
export const MAX_REPLICATION_BYTES = 3 + MAX_SENT * (MAX_LEASE_BYTES + 11);

const OFFER = 1;
const ANSWER = 2;
const RECORDS = 3;

export function encodeReplicationMessage(message: ReplicationMessage): Uint8Array {
  const writer = new ByteWriter();
  switch (message.type) {
    case "offer":
      writer.u8(OFFER).u32(message.offerId).u16(message.records.length);
      for (const { userId, deviceId, sequence } of message.records) {
        writer.fixed(fromHex(userId), USER_ID_BYTES).fixed(fromHex(deviceId), DEVICE_ID_BYTES).u64(sequence);
      }
      break;
    case "answer":
      writer.u8(ANSWER).u32(message.offerId);
      for (const places of [message.wanted, message.held]) {
        writer.u16(places.length);
        for (const place of places) writer.u16(place);
      }
      break;
    case "records":
      writer.u8(RECORDS).u16(message.records.length);
      for (const { lease, gone, lastSeenAt } of message.records) {
        writer
          .bytes16(lease)
          .u8(gone ? 1 : 0)
          .u64(lastSeenAt);
      }
      break;
    default:
      message satisfies never;
  }
  return writer.finish();
}

/** @throws KithError `malformed` */
export function decodeReplicationMessage(bytes: Uint8Array): ReplicationMessage {
  const reader = new ByteReader(bytes, "replication");
  const message = readMessage(reader);
  reader.end();
  return message;
}

/** The size of a message when encoded. */
export function replicationBytes(message: ReplicationMessage): number {
  switch (message.type) {
    case "offer":
      return 7 + message.records.length * (USER_ID_BYTES + DEVICE_ID_BYTES + 8);
    case "answer":
      return 9 + 2 * (message.wanted.length + message.held.length);
    case "records":
      return message.records.reduce((sum, { lease }) => sum + lease.length + 11, 3);
    default:
      return message satisfies never;
  }
}

function readMessage(reader: ByteReader): ReplicationMessage {
  switch (reader.u8()) {
    case OFFER:
      return {
        type: "offer",
        offerId: reader.u32(),
        records: list(reader, MAX_OFFERED, () => ({
          userId: readUserId(reader),
          deviceId: readDeviceId(reader),
          sequence: reader.u64(),
        })),
      };
    case ANSWER:
      return {
        type: "answer",
        offerId: reader.u32(),
        wanted: list(reader, MAX_OFFERED, () => reader.u16()),
        held: list(reader, MAX_OFFERED, () => reader.u16()),
      };
    case RECORDS:
      return {
        type: "records",
        records: list(reader, MAX_SENT, () => ({
          lease: reader.bytes16(MAX_LEASE_BYTES),
          gone: readBoolean(reader),
          lastSeenAt: reader.u64(),
        })),
      };
    default:
      throw reader.refuse("a message that is not known here");
  }
}

function list<T>(reader: ByteReader, max: number, read: () => T): T[] {
  const count = reader.u16();
  if (count > max) throw reader.refuse(`${count} entries where ${max} are allowed`);
  return Array.from({ length: count }, read);
}

function readBoolean(reader: ByteReader): boolean {
  const value = reader.u8();
  if (value > 1) throw reader.refuse("a boolean that is neither");
  return value === 1;
}
