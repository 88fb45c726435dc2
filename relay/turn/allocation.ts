/**
 * One allocation with its permissions and channels (RFC 8656 §3.2, §9, §12): pure state,
 * times passed in. Both lists are short, so a scan over a few integers beats any map, and
 * a stranger who floods a relayed port costs no more than that scan.
 */
import type { QuotaAccount } from "./relay-quota.ts";
import type { TokenBucket } from "./token-bucket.ts";
import type { AddressFamily, TransportAddress } from "./transport-address.ts";
import type { UdpSocket } from "./udp-transport.ts";

/** RFC 8656 §3.2 and §7.2. */
export const DEFAULT_LIFETIME_S = 600;
export const MAX_LIFETIME_S = 3_600;
/** RFC 8656 §9. */
export const PERMISSION_MS = 300_000;
/** RFC 8656 §12. */
export const CHANNEL_MS = 600_000;
/** RFC 8656 §12: the numbers that a client may bind. */
export const FIRST_CHANNEL = 0x4000;
export const LAST_CHANNEL = 0x4fff;
/** RFC 5766 §11 had more of them. */
export const LAST_OLD_CHANNEL = 0x7fff;

/** A client needs one for each remote candidate; these bound what a hostile one can make the server remember. */
export const MAX_PERMISSIONS = 64;
export const MAX_CHANNELS = 64;

export interface Permission {
  readonly peer: TransportAddress;
  expiresAtMs: number;
}

export interface Channel {
  readonly number: number;
  readonly peer: TransportAddress;
  readonly permission: Permission;
  /** The peer may be reached only as long as it is a relayed address of this server. */
  readonly onlyWhileRelayed: boolean;
  expiresAtMs: number;
}

/** One relayed transport address. An allocation has one, or one of each family. */
export interface Relay {
  readonly family: AddressFamily;
  readonly socket: UdpSocket;
  /** As peers see it. */
  readonly external: TransportAddress;
}

/** Who an allocation belongs to. */
export interface AllocationOwner {
  readonly userId: string;
  readonly username: string;
  readonly password: string;
  readonly user: QuotaAccount;
  readonly source: QuotaAccount;
}

/** A client as the server sees it: one 5-tuple (RFC 8656 §2), over UDP, TCP or TLS. */
export interface TurnClient {
  readonly address: TransportAddress;
  /** Whether messages travel in a stream, where ChannelData is padded (RFC 8656 §12.5) and nothing is retransmitted. */
  readonly isStream: boolean;
  /** Of the clients with this address, which: two listening sockets may see the same one. */
  readonly listener: number;
  allocation: Allocation | null;
  /** Sends one message, `packet[start, end)`; for who may change its bytes afterwards, see UdpSocket.send. */
  send(packet: Buffer, start: number, end: number): void;
}

export class Allocation {
  readonly client: TurnClient;
  readonly owner: AllocationOwner;
  relays: readonly Relay[] = [];
  expiresAtMs: number;
  /** How often its owner may ask for something. */
  readonly requests: TokenBucket;
  #permissions: Permission[] = [];
  #channels: Channel[] = [];

  constructor(client: TurnClient, owner: AllocationOwner, expiresAtMs: number, requests: TokenBucket) {
    this.client = client;
    this.owner = owner;
    this.expiresAtMs = expiresAtMs;
    this.requests = requests;
  }

  relayOf(family: AddressFamily): Relay | null {
    for (const relay of this.relays) {
      if (relay.family === family) return relay;
    }
    return null;
  }

  /** RFC 8656 §11.2, §11.3: a permission is for an IP address, whatever the port. */
  hasPermission(peer: TransportAddress, nowMs: number): boolean {
    const permission = this.#findPermission(peer);
    return permission !== null && permission.expiresAtMs > nowMs;
  }

  /** Whether permissions for all these peers fit; those that exist already count nothing. */
  hasRoomFor(peers: readonly TransportAddress[]): boolean {
    let fresh = 0;
    for (const [index, peer] of peers.entries()) {
      const repeated = peers.slice(0, index).some((earlier) => earlier.sameHost(peer));
      if (!repeated && this.#findPermission(peer) === null) fresh++;
    }
    return this.#permissions.length + fresh <= MAX_PERMISSIONS;
  }

  /** Installs or refreshes (RFC 8656 §10.2). Room must have been asked for. */
  permit(peer: TransportAddress, nowMs: number): Permission {
    const known = this.#findPermission(peer);
    if (known !== null) {
      known.expiresAtMs = nowMs + PERMISSION_MS;
      return known;
    }
    const permission = { peer: peer.clone(), expiresAtMs: nowMs + PERMISSION_MS };
    this.#permissions.push(permission);
    return permission;
  }

  /** The live channel of this number (RFC 8656 §12.6). */
  channelByNumber(number: number, nowMs: number): Channel | null {
    for (const channel of this.#channels) {
      if (channel.number === number) return channel.expiresAtMs > nowMs ? channel : null;
    }
    return null;
  }

  /** The channel to this peer (RFC 8656 §12.7), live or not. */
  channelOf(peer: TransportAddress): Channel | null {
    for (const channel of this.#channels) {
      if (channel.peer.equals(peer)) return channel;
    }
    return null;
  }

  /** RFC 8656 §12.2: neither the number nor the peer may be bound to another one. */
  hasChannelConflict(number: number, peer: TransportAddress, nowMs: number): boolean {
    this.sweep(nowMs);
    return this.#channels.some((channel) => (channel.number === number) !== channel.peer.equals(peer));
  }

  /** Whether a channel to this peer can be bound, with its permission. */
  hasRoomForChannel(peer: TransportAddress): boolean {
    return this.hasRoomFor([peer]) && (this.channelOf(peer) !== null || this.#channels.length < MAX_CHANNELS);
  }

  /**
   * Binds or refreshes, with the permission (RFC 8656 §12.2). Conflicts and room must have been asked for.
   * @param onlyWhileRelayed see Channel
   */
  bindChannel(number: number, peer: TransportAddress, onlyWhileRelayed: boolean, nowMs: number): void {
    const permission = this.permit(peer, nowMs);
    const expiresAtMs = nowMs + CHANNEL_MS;
    const known = this.channelOf(peer);
    if (known !== null) {
      known.expiresAtMs = expiresAtMs;
    } else {
      this.#channels.push({ number, peer: peer.clone(), permission, onlyWhileRelayed, expiresAtMs });
    }
  }

  /** Forgets what has expired. A permission that a live channel stands on stays, expired, until it is refreshed. */
  sweep(nowMs: number): void {
    if (this.#channels.some((channel) => channel.expiresAtMs <= nowMs)) {
      this.#channels = this.#channels.filter((channel) => channel.expiresAtMs > nowMs);
    }
    if (this.#permissions.some((permission) => permission.expiresAtMs <= nowMs)) {
      this.#permissions = this.#permissions.filter(
        (permission) =>
          permission.expiresAtMs > nowMs || this.#channels.some((channel) => channel.permission === permission),
      );
    }
  }

  #findPermission(peer: TransportAddress): Permission | null {
    for (const permission of this.#permissions) {
      if (permission.peer.sameHost(peer)) return permission;
    }
    return null;
  }
}
