/** UDP as the relay needs it; one portable way to provide it, and a faster one on Linux. */
import type { TransportAddress } from "./transport-address.ts";

/**
 * The largest datagram that is relayed: a jumbo frame. Larger ones are dropped and counted,
 * so that buffers are small and few.
 */
export const MAX_DATAGRAM_BYTES = 9_216;

/**
 * Takes one datagram, `packet[start, end)`. Bytes before `start` and after `end` may be
 * overwritten. Packet and address are the transport's: both are used again once this returns.
 */
export type DatagramHandler = (packet: Buffer, start: number, end: number, from: TransportAddress) => void;

export interface UdpSocket {
  /** The address bound, with the port that was given. */
  readonly address: TransportAddress;
  /**
   * Sends `packet[start, end)`. If it is a packet that the transport handed out, the transport sees to it that its
   * bytes last; any other must not be changed afterwards.
   */
  send(packet: Buffer, start: number, end: number, to: TransportAddress): void;
  /** The same with the IPv4 "don't fragment" bit set; only if the transport can. */
  sendUnfragmented(packet: Buffer, start: number, end: number, to: TransportAddress): void;
  close(): void;
}

/** `relay` sockets are many, and their traffic is one call's; a `listen` socket has everyone's. */
export type UdpPurpose = "listen" | "relay";

/** Hears of packets that are lost on this machine. */
export interface UdpLosses {
  /** The operating system did not take it. */
  sendFailed(): void;
  /** It was larger than MAX_DATAGRAM_BYTES. */
  oversize(): void;
}

export interface UdpTransport {
  readonly kind: "batched" | "portable";
  /** Whether the "don't fragment" bit can be set (RFC 8656 §14: if not, DONT-FRAGMENT is an unknown attribute). */
  readonly canForbidFragments: boolean;
  /**
   * Binds at once, not later.
   * @param address port 0 for any
   * @returns null if the operating system refuses: port taken, no such address, too many sockets
   */
  open(address: TransportAddress, purpose: UdpPurpose, handler: DatagramHandler): UdpSocket | null;
  close(): void;
}
