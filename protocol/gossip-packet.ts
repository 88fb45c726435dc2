/**
 * Membership gossip between supernodes, over UDP: SWIM (Das, Gupta and Motivala, DSN
 * 2002). A packet is either a hello, which carries all that is needed to check it, or
 * sealed with the key of the pair (relay/membership/packet-seal.ts). The first byte lies
 * above what STUN, ChannelData, DTLS and RTP use (RFC 7983), so all can share one port.
 */
import { ByteReader, ByteWriter, concatBytes, fromHex } from "./bytes.ts";
import { decodeSupernodeCertificate, type SupernodeCertificate } from "./certificate.ts";
import { KithError } from "./errors.ts";
import { ANNOUNCEMENT_BYTES, type Announcement, decodeAnnouncement } from "./gossip-statement.ts";
import { SUPERNODE_ID_BYTES, type SupernodeId } from "./identifiers.ts";
import { LIMITS } from "./limits.ts";
import { readSupernodeId } from "./raw-identifiers.ts";
import type { Signed } from "./signed.ts";

/** One datagram: under the smallest MTU that IPv6 promises, headers included, so that none is ever fragmented. */
export const MAX_GOSSIP_PACKET_BYTES = 1_200;
export const GOSSIP_TAG_BYTES = 16;
const SEALED_HEAD_BYTES = 2 + SUPERNODE_ID_BYTES + 6;
/** What a sealed packet has room for. */
export const MAX_GOSSIP_MESSAGE_BYTES = MAX_GOSSIP_PACKET_BYTES - SEALED_HEAD_BYTES - GOSSIP_TAG_BYTES;

/** By which whoever shares a port tells the gossip's packets. */
export const GOSSIP_FIRST_BYTE = 0xf1;
const HELLO = 0;
const SEALED = 1;
/** Every hello that asks for an answer is this long, so that no answer is longer than what it answers. */
export const HELLO_BYTES = 900;

/** The first words between two supernodes that do not know each other's present keys. */
export interface Hello {
  readonly certificate: Signed<SupernodeCertificate>;
  readonly announcement: Signed<Announcement>;
  /** An answer is not answered. */
  readonly isAnswer: boolean;
  /** The sender takes part, and can let others in. */
  readonly isMember: boolean;
}

export type GossipPacket =
  | { readonly kind: "hello"; readonly hello: Hello }
  | {
      readonly kind: "sealed";
      readonly sender: SupernodeId;
      /** Counted up by the sender for each pair of keys. */
      readonly sequence: number;
      /** What the tag covers. */
      readonly covered: Uint8Array;
      readonly message: Uint8Array;
      readonly tag: Uint8Array;
    };

export function isGossipPacket(datagram: Uint8Array): boolean {
  return datagram[0] === GOSSIP_FIRST_BYTE;
}

export function encodeHello(hello: Hello): Uint8Array {
  const packet = new ByteWriter()
    .u8(GOSSIP_FIRST_BYTE)
    .u8(HELLO)
    .u8((hello.isAnswer ? 1 : 0) | (hello.isMember ? 2 : 0))
    .bytes16(hello.certificate.bytes)
    .fixed(hello.announcement.bytes, ANNOUNCEMENT_BYTES)
    .finish();
  return hello.isAnswer ? packet : concatBytes([packet, new Uint8Array(HELLO_BYTES - packet.length)]);
}

/** The head and message of a sealed packet: the tag over this follows it. */
export function encodeSealed(sender: SupernodeId, sequence: number, message: Uint8Array): Uint8Array {
  const sequenceHigh = Math.floor(sequence / 2 ** 32);
  return new ByteWriter()
    .u8(GOSSIP_FIRST_BYTE)
    .u8(SEALED)
    .fixed(fromHex(sender), SUPERNODE_ID_BYTES)
    .u16(sequenceHigh)
    .u32(sequence - sequenceHigh * 2 ** 32)
    .fixed(message, message.length)
    .finish();
}

/** @throws KithError `malformed`, `too-large` */
export function decodeGossipPacket(datagram: Uint8Array): GossipPacket {
  if (datagram.length > MAX_GOSSIP_PACKET_BYTES) {
    throw new KithError("too-large", { what: "gossip", limit: `${MAX_GOSSIP_PACKET_BYTES} bytes` });
  }
  const reader = new ByteReader(datagram, "gossip");
  if (reader.u8() !== GOSSIP_FIRST_BYTE) throw reader.refuse("no gossip");
  const kind = reader.u8();
  if (kind === HELLO) return { kind: "hello", hello: readHello(reader, datagram.length) };
  if (kind !== SEALED) throw reader.refuse("a kind of packet that is not known here");
  if (datagram.length < SEALED_HEAD_BYTES + GOSSIP_TAG_BYTES) throw reader.refuse("cut short");
  const sender = readSupernodeId(reader);
  const tagAt = datagram.length - GOSSIP_TAG_BYTES;
  return {
    kind: "sealed",
    sender,
    sequence: reader.u16() * 2 ** 32 + reader.u32(),
    covered: datagram.subarray(0, tagAt),
    message: datagram.subarray(SEALED_HEAD_BYTES, tagAt),
    tag: datagram.subarray(tagAt),
  };
}

function readHello(reader: ByteReader, packetBytes: number): Hello {
  const flags = reader.u8();
  if (flags > 3) throw reader.refuse("flags that are not known here");
  const isAnswer = (flags & 1) !== 0;
  const certificate = decodeSupernodeCertificate(reader.bytes16(LIMITS.maxCertificateBytes));
  const announcement = decodeAnnouncement(reader.fixed(ANNOUNCEMENT_BYTES));
  if (announcement.value.supernodeId !== certificate.value.supernodeId) throw reader.refuse("two senders");
  if (isAnswer) reader.end();
  else if (packetBytes !== HELLO_BYTES) throw reader.refuse("a hello without its padding");
  return { certificate, announcement, isAnswer, isMember: (flags & 2) !== 0 };
}
