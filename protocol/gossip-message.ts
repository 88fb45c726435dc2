/** What is inside a sealed gossip packet. One message is one datagram. */
import { ByteReader, ByteWriter, fromHex } from "./bytes.ts";
import { decodeSupernodeCertificate, type SupernodeCertificate } from "./certificate.ts";
import { type GossipItem, itemBytes, readAnnouncement, readItems, writeItems } from "./gossip-item.ts";
import { MAX_GOSSIP_MESSAGE_BYTES } from "./gossip-packet.ts";
import { ANNOUNCEMENT_BYTES, type Announcement, readBoolean } from "./gossip-statement.ts";
import { SUPERNODE_ID_BYTES, type SupernodeId } from "./identifiers.ts";
import { LIMITS } from "./limits.ts";
import { readSupernodeId } from "./raw-identifiers.ts";
import type { Signed } from "./signed.ts";

/** All members that the sender holds for live, of IDs whose first 32 bits lie in [from, to]. */
export interface SummaryRange {
  readonly from: number;
  readonly to: number;
  readonly members: readonly SummaryEntry[];
}
export interface SummaryEntry {
  readonly supernodeId: SupernodeId;
  readonly incarnation: number;
}

export const DIGEST_BUCKETS = 256;
export const MAX_WANTED = 40;

export type GossipMessage =
  | { readonly type: "ping"; readonly nonce: number; readonly items: readonly GossipItem[] }
  | { readonly type: "ack"; readonly nonce: number; readonly items: readonly GossipItem[] }
  /** Probe another one for me: the answer is `ack` or `nack` with my nonce. */
  | { readonly type: "probe"; readonly nonce: number; readonly target: SupernodeId }
  | { readonly type: "nack"; readonly nonce: number }
  | { readonly type: "gossip"; readonly items: readonly GossipItem[] }
  /** One hash for each first byte of an ID. */
  | { readonly type: "digest"; readonly hashes: Uint32Array }
  /** Where the digests differ. */
  | { readonly type: "summary"; readonly ranges: readonly SummaryRange[] }
  | { readonly type: "want"; readonly wanted: readonly Wanted[] }
  /** Try to reach this newcomer, and vouch for it if you can. */
  | {
      readonly type: "vouch";
      readonly certificate: Signed<SupernodeCertificate>;
      readonly announcement: Signed<Announcement>;
    }
  /** Connect to my TCP port, where my certificate says, and tell me whether you could. */
  | { readonly type: "reach" }
  | { readonly type: "reached"; readonly isReached: boolean }
  /** It could not be reached. */
  | { readonly type: "unreachable"; readonly subject: SupernodeId; readonly by: "udp" | "tcp" };

export interface Wanted {
  readonly supernodeId: SupernodeId;
  readonly certificate: boolean;
}

const PING = 1;
const ACK = 2;
const PROBE = 3;
const NACK = 4;
const GOSSIP = 5;
const DIGEST = 6;
const SUMMARY = 7;
const WANT = 8;
const VOUCH = 9;
const UNREACHABLE = 10;
const REACH = 11;
const REACHED = 12;

const ITEMS_HEAD_BYTES = 1 + 4 + 1;
/** Room for items in a ping, an ack or a gossip message. */
export const MAX_ITEMS_BYTES = MAX_GOSSIP_MESSAGE_BYTES - ITEMS_HEAD_BYTES;
const SUMMARY_HEAD_BYTES = 2;
const RANGE_HEAD_BYTES = 9;
const ENTRY_BYTES = SUPERNODE_ID_BYTES + 8;

export function rangeBytes(members: number): number {
  return RANGE_HEAD_BYTES + members * ENTRY_BYTES;
}

/** How many members one range can hold, if it is alone in its message. */
export const MAX_RANGE_MEMBERS = Math.floor(
  (MAX_GOSSIP_MESSAGE_BYTES - SUMMARY_HEAD_BYTES - RANGE_HEAD_BYTES) / ENTRY_BYTES,
);
/** Room for ranges in a summary. */
export const MAX_RANGES_BYTES = MAX_GOSSIP_MESSAGE_BYTES - SUMMARY_HEAD_BYTES;

/** The size of a message when encoded. */
export function messageBytes(message: GossipMessage): number {
  switch (message.type) {
    case "ping":
    case "ack":
      return 1 + 4 + 1 + sumOf(message.items, itemBytes);
    case "probe":
      return 1 + 4 + SUPERNODE_ID_BYTES;
    case "nack":
      return 1 + 4;
    case "gossip":
      return 1 + 1 + sumOf(message.items, itemBytes);
    case "digest":
      return 1 + DIGEST_BUCKETS * 4;
    case "summary":
      return SUMMARY_HEAD_BYTES + sumOf(message.ranges, (range) => rangeBytes(range.members.length));
    case "want":
      return 1 + 1 + message.wanted.length * (SUPERNODE_ID_BYTES + 1);
    case "vouch":
      return 1 + 2 + message.certificate.bytes.length + ANNOUNCEMENT_BYTES;
    case "unreachable":
      return 1 + SUPERNODE_ID_BYTES + 1;
    case "reach":
      return 1;
    case "reached":
      return 1 + 1;
    default:
      return message satisfies never;
  }
}

export function encodeGossipMessage(message: GossipMessage): Uint8Array {
  const writer = new ByteWriter();
  switch (message.type) {
    case "ping":
    case "ack":
      writer.u8(message.type === "ping" ? PING : ACK).u32(message.nonce);
      writeItems(writer, message.items);
      break;
    case "probe":
      writer.u8(PROBE).u32(message.nonce).fixed(fromHex(message.target), SUPERNODE_ID_BYTES);
      break;
    case "nack":
      writer.u8(NACK).u32(message.nonce);
      break;
    case "gossip":
      writer.u8(GOSSIP);
      writeItems(writer, message.items);
      break;
    case "digest":
      writer.u8(DIGEST);
      for (const hash of message.hashes) writer.u32(hash);
      break;
    case "summary":
      writer.u8(SUMMARY).u8(message.ranges.length);
      for (const range of message.ranges) writeRange(writer, range);
      break;
    case "want":
      writer.u8(WANT).u8(message.wanted.length);
      for (const { supernodeId, certificate } of message.wanted) {
        writer.fixed(fromHex(supernodeId), SUPERNODE_ID_BYTES).u8(certificate ? 1 : 0);
      }
      break;
    case "vouch":
      writer.u8(VOUCH).bytes16(message.certificate.bytes).fixed(message.announcement.bytes, ANNOUNCEMENT_BYTES);
      break;
    case "unreachable":
      writer
        .u8(UNREACHABLE)
        .fixed(fromHex(message.subject), SUPERNODE_ID_BYTES)
        .u8(message.by === "udp" ? 0 : 1);
      break;
    case "reach":
      writer.u8(REACH);
      break;
    case "reached":
      writer.u8(REACHED).u8(message.isReached ? 1 : 0);
      break;
    default:
      message satisfies never;
  }
  return writer.finish();
}

/** @throws KithError `malformed`, `too-large`. The signatures inside are not checked here. */
export function decodeGossipMessage(bytes: Uint8Array): GossipMessage {
  const reader = new ByteReader(bytes, "gossip");
  const message = readMessage(reader);
  reader.end();
  return message;
}

function readMessage(reader: ByteReader): GossipMessage {
  switch (reader.u8()) {
    case PING:
      return { type: "ping", nonce: reader.u32(), items: readItems(reader) };
    case ACK:
      return { type: "ack", nonce: reader.u32(), items: readItems(reader) };
    case PROBE:
      return { type: "probe", nonce: reader.u32(), target: readSupernodeId(reader) };
    case NACK:
      return { type: "nack", nonce: reader.u32() };
    case GOSSIP:
      return { type: "gossip", items: readItems(reader) };
    case DIGEST:
      return { type: "digest", hashes: Uint32Array.from({ length: DIGEST_BUCKETS }, () => reader.u32()) };
    case SUMMARY:
      return { type: "summary", ranges: Array.from({ length: reader.u8() }, () => readRange(reader)) };
    case WANT: {
      const count = reader.u8();
      if (count > MAX_WANTED) throw reader.refuse("too many wishes");
      const wanted = Array.from({ length: count }, () => ({
        supernodeId: readSupernodeId(reader),
        certificate: readBoolean(reader),
      }));
      return { type: "want", wanted };
    }
    case VOUCH: {
      const certificate = decodeSupernodeCertificate(reader.bytes16(LIMITS.maxCertificateBytes));
      return { type: "vouch", certificate, announcement: readAnnouncement(reader) };
    }
    case UNREACHABLE:
      return { type: "unreachable", subject: readSupernodeId(reader), by: readBoolean(reader) ? "tcp" : "udp" };
    case REACH:
      return { type: "reach" };
    case REACHED:
      return { type: "reached", isReached: readBoolean(reader) };
    default:
      throw reader.refuse("a message that is not known here");
  }
}

function writeRange(writer: ByteWriter, range: SummaryRange): void {
  writer.u32(range.from).u32(range.to).u8(range.members.length);
  for (const { supernodeId, incarnation } of range.members) {
    writer.fixed(fromHex(supernodeId), SUPERNODE_ID_BYTES).u64(incarnation);
  }
}

function readRange(reader: ByteReader): SummaryRange {
  const from = reader.u32();
  const to = reader.u32();
  if (from > to) throw reader.refuse("a range that ends before it begins");
  const members = Array.from({ length: reader.u8() }, () => ({
    supernodeId: readSupernodeId(reader),
    incarnation: reader.u64(),
  }));
  return { from, to, members };
}

function sumOf<T>(parts: readonly T[], size: (part: T) => number): number {
  let total = 0;
  for (const part of parts) total += size(part);
  return total;
}
