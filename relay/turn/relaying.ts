/**
 * The packet path: from client to peer and back (RFC 8656 §11, §12). Nothing here allocates
 * for a packet that stays within its buffer, and every rule is checked in the order of its
 * price, permission first.
 */
import type { Allocation, TurnClient } from "./allocation.ts";
import type { PeerPolicy } from "./peer-policy.ts";
import type { RelayPorts } from "./relay-ports.ts";
import type { QuotaAccount } from "./relay-quota.ts";
import { readXorAddress, writeXorAddress, XOR_IPV4_BYTES, XOR_IPV6_BYTES } from "./stun-address.ts";
import { Attribute, KNOWN_REQUIRED_ATTRIBUTES } from "./stun-attributes.ts";
import { MAGIC_COOKIE, STUN_HEADER_BYTES, type StunMessage, TRANSACTION_ID_BYTES } from "./stun-message.ts";
import { TransportAddress } from "./transport-address.ts";
import type { Refusal, TurnCounters } from "./turn-counters.ts";

export const CHANNEL_HEADER_BYTES = 4;
/** A Data indication: method 7, class indication. */
const DATA_INDICATION = 0x0017;
/** What a Data indication puts before the payload, at most; transports leave this much room. */
export const MAX_DATA_HEADER_BYTES = STUN_HEADER_BYTES + 4 + XOR_IPV6_BYTES + 4;
const MAX_PADDING_BYTES = 3;
/** Transaction IDs are drawn from the random source this many at a time. */
const IDS_PER_DRAW = 256;

export interface RelayingParts {
  readonly ports: RelayPorts;
  readonly policy: PeerPolicy;
  readonly total: QuotaAccount;
  readonly counters: TurnCounters;
  readonly random: (bytes: number) => Uint8Array;
  readonly canForbidFragments: boolean;
  now(): number;
}

export class Relaying {
  readonly #parts: RelayingParts;
  readonly #peer = new TransportAddress();
  #ids: Uint8Array = new Uint8Array(0);
  #nextId = 0;

  constructor(parts: RelayingParts) {
    this.#parts = parts;
  }

  /**
   * RFC 8656 §12.6: `packet[start, end)` is ChannelData from the allocation's client.
   * @returns why it was dropped, or null
   */
  channelData(allocation: Allocation, packet: Buffer, start: number, end: number): Refusal | null {
    if (end - start < CHANNEL_HEADER_BYTES) return "malformed";
    const number = packet.readUInt16BE(start);
    const dataStart = start + CHANNEL_HEADER_BYTES;
    const dataEnd = dataStart + packet.readUInt16BE(start + 2);
    // Over UDP there may be padding after the data (§12.5); less than the header says is no message.
    if (dataEnd > end) return "malformed";
    const now = this.#parts.now();
    const channel = allocation.channelByNumber(number, now);
    if (channel === null) return "no-channel";
    const other = this.#parts.ports.ownerOf(channel.peer);
    if (channel.onlyWhileRelayed && other === null) return "peer-forbidden";
    return this.#toPeer(allocation, other, channel.peer, packet, dataStart, dataEnd, false, now);
  }

  /**
   * RFC 8656 §11.2. Whatever is wrong with an indication, there is no answer to it.
   * @returns why it was dropped, or null
   */
  sendIndication(allocation: Allocation, message: StunMessage): Refusal | null {
    const { ports, policy, canForbidFragments } = this.#parts;
    const peerIndex = message.find(Attribute.xorPeerAddress);
    const dataIndex = message.find(Attribute.data);
    const peer = this.#peer;
    if (peerIndex < 0 || dataIndex < 0) return "malformed";
    const fault = readXorAddress(message, peerIndex, peer);
    if (fault !== null) return fault === "malformed" ? "malformed" : "peer-forbidden";
    if (message.unknownRequired(KNOWN_REQUIRED_ATTRIBUTES).length > 0) return "unknown-attribute";
    const unfragmented = message.has(Attribute.dontFragment);
    if (unfragmented && !canForbidFragments) return "unknown-attribute";
    const now = this.#parts.now();
    if (!allocation.hasPermission(peer, now)) return "no-permission";
    const other = ports.ownerOf(peer);
    if (!policy.allows(peer, other !== null)) return "peer-forbidden";
    const start = message.offset(dataIndex);
    const end = start + message.length(dataIndex);
    return this.#toPeer(allocation, other, peer, message.bytes, start, end, unfragmented, now);
  }

  /**
   * RFC 8656 §11.3, §12.7: `packet[start, end)` from `peer` has reached a relayed address of the allocation.
   * @returns why it was dropped, or null
   */
  fromPeer(allocation: Allocation, packet: Buffer, start: number, end: number, peer: TransportAddress): Refusal | null {
    return this.#fromPeer(allocation, packet, start, end, peer, this.#parts.total, this.#parts.now());
  }

  #toPeer(
    allocation: Allocation,
    other: Allocation | null,
    peer: TransportAddress,
    packet: Buffer,
    start: number,
    end: number,
    unfragmented: boolean,
    now: number,
  ): Refusal | null {
    const { counters, total } = this.#parts;
    const relay = allocation.relayOf(peer.family);
    if (relay === null) return "family-mismatch";
    const refusal = admit(allocation, total, end - start, now);
    if (refusal !== null) return refusal;
    counters.packetsToPeers++;
    counters.bytesToPeers += end - start;
    if (other !== null) {
      // Between two relays of ours the packet never leaves the process: behind a NAT our external address may not
      // be reachable from inside, and the peer would see the wrong source address (coturn/coturn#584).
      return this.#fromPeer(other, packet, start, end, relay.external, null, now);
    }
    if (unfragmented) {
      relay.socket.sendUnfragmented(packet, start, end, peer);
    } else {
      relay.socket.send(packet, start, end, peer);
    }
    return null;
  }

  /** @param total null if the packet has been counted in all already */
  #fromPeer(
    allocation: Allocation,
    packet: Buffer,
    start: number,
    end: number,
    peer: TransportAddress,
    total: QuotaAccount | null,
    now: number,
  ): Refusal | null {
    const { counters } = this.#parts;
    const channel = allocation.channelOf(peer);
    const permitted = channel === null ? allocation.hasPermission(peer, now) : channel.permission.expiresAtMs > now;
    if (!permitted) return "no-permission";
    const refusal = admit(allocation, total, end - start, now);
    if (refusal !== null) return refusal;
    counters.packetsFromPeers++;
    counters.bytesFromPeers += end - start;
    const number = channel !== null && channel.expiresAtMs > now ? channel.number : null;
    if (start >= MAX_DATA_HEADER_BYTES && packet.length - end >= MAX_PADDING_BYTES) {
      this.#toClient(allocation.client, number, peer, packet, start, end);
    } else {
      const copy = Buffer.allocUnsafe(MAX_DATA_HEADER_BYTES + end - start + MAX_PADDING_BYTES);
      packet.copy(copy, MAX_DATA_HEADER_BYTES, start, end);
      this.#toClient(allocation.client, number, peer, copy, MAX_DATA_HEADER_BYTES, copy.length - MAX_PADDING_BYTES);
    }
    return null;
  }

  /** Puts the header before the payload and the padding after it, where it lies. */
  #toClient(
    client: TurnClient,
    number: number | null,
    peer: TransportAddress,
    packet: Buffer,
    start: number,
    end: number,
  ): void {
    const paddedEnd = number === null || client.isStream ? end + (-(end - start) & 3) : end;
    for (let index = end; index < paddedEnd; index++) packet[index] = 0;
    if (number === null) {
      client.send(packet, this.#writeDataHeader(peer, packet, start, end, paddedEnd), paddedEnd);
    } else {
      packet.writeUInt16BE(number, start - CHANNEL_HEADER_BYTES);
      packet.writeUInt16BE(end - start, start - 2);
      client.send(packet, start - CHANNEL_HEADER_BYTES, paddedEnd);
    }
  }

  /** A Data indication (RFC 8656 §11.3) around the payload. @returns where it begins */
  #writeDataHeader(peer: TransportAddress, packet: Buffer, start: number, end: number, paddedEnd: number): number {
    const addressBytes = peer.family === 4 ? XOR_IPV4_BYTES : XOR_IPV6_BYTES;
    const head = start - 4 - addressBytes - 4 - STUN_HEADER_BYTES;
    packet.writeUInt16BE(DATA_INDICATION, head);
    packet.writeUInt16BE(paddedEnd - head - STUN_HEADER_BYTES, head + 2);
    packet.writeUInt32BE(MAGIC_COOKIE, head + 4);
    this.#writeTransactionId(packet, head + 8);
    const attribute = head + STUN_HEADER_BYTES;
    packet.writeUInt16BE(Attribute.xorPeerAddress, attribute);
    packet.writeUInt16BE(addressBytes, attribute + 2);
    writeXorAddress(packet, attribute + 4, peer, head + 8);
    packet.writeUInt16BE(Attribute.data, start - 4);
    packet.writeUInt16BE(end - start, start - 2);
    return head;
  }

  /** RFC 8489 §5: 96 random bits. */
  #writeTransactionId(packet: Buffer, offset: number): void {
    if (this.#nextId === this.#ids.length) {
      this.#ids = this.#parts.random(TRANSACTION_ID_BYTES * IDS_PER_DRAW);
      this.#nextId = 0;
    }
    for (let index = 0; index < TRANSACTION_ID_BYTES; index++) {
      packet[offset + index] = this.#ids[this.#nextId + index] ?? 0;
    }
    this.#nextId += TRANSACTION_ID_BYTES;
  }
}

/** Charges all accounts that the packet belongs to, or none. @returns which limit refuses it, or null */
function admit(allocation: Allocation, total: QuotaAccount | null, bytes: number, now: number): Refusal | null {
  const { user, source } = allocation.owner;
  if (!user.hasVolumeLeft(bytes)) return "user-volume";
  if (!source.hasVolumeLeft(bytes)) return "source-volume";
  if (total !== null && !total.hasVolumeLeft(bytes)) return "total-volume";
  if (!user.bandwidth.has(bytes, now)) return "user-bandwidth";
  if (!source.bandwidth.has(bytes, now)) return "source-bandwidth";
  if (total !== null && !total.bandwidth.has(bytes, now)) return "total-bandwidth";
  user.spend(bytes);
  source.spend(bytes);
  total?.spend(bytes);
  return null;
}
