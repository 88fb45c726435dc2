/**
 * Which peers a relay may send to. A TURN server stands inside the operator's network and
 * sends wherever its clients say: without these rules it is a door into that network
 * (CVE-2020-26262, CVE-2026-27624).
 */
import { IpRange } from "./ip-range.ts";
import { TransportAddress } from "./transport-address.ts";

function ranges(...texts: string[]): IpRange[] {
  return texts.map((text) => IpRange.parse(text)).filter((range) => range !== null);
}

/** Never a peer on the public internet (IANA special-purpose registries, RFC 6890). */
const REFUSED_IPV4 = ranges(
  "0.0.0.0/8", // this network
  "10.0.0.0/8", // private
  "100.64.0.0/10", // carrier-grade NAT
  "127.0.0.0/8", // loopback
  "169.254.0.0/16", // link-local, with the metadata services of clouds
  "172.16.0.0/12", // private
  "192.0.0.0/24", // IETF protocol assignments
  "192.0.2.0/24", // documentation
  "192.88.99.0/24", // 6to4 anycast
  "192.168.0.0/16", // private
  "198.18.0.0/15", // benchmarks
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, and broadcast
);

/** Global unicast, the only part of IPv6 where a peer can be; NAT64's well-known prefix is looked through. */
const PUBLIC_IPV6 = ranges("2000::/3", "64:ff9b::/96");

/** The exceptions inside it. */
const REFUSED_IPV6 = ranges(
  "2001:2::/48", // benchmarks
  "2001:10::/28", // ORCHID
  "2001:20::/28", // ORCHIDv2
  "2001:db8::/32", // documentation
  "3fff::/20", // documentation
);

const LOOPBACK = ranges("127.0.0.0/8", "::1");

export interface PeerPolicyOptions {
  /** Ranges that the operator opens although they are refused by default, e.g. the network of a laboratory. */
  readonly allowed: readonly IpRange[];
  /** Ranges that the operator closes besides. */
  readonly denied: readonly IpRange[];
}

/** What is ours, and changes while the server runs. */
export interface OwnAddresses {
  /** Every address of this machine, and the external ones. */
  readonly hosts: readonly TransportAddress[];
  /** The external addresses on which relayed ports are. */
  readonly relayHosts: readonly TransportAddress[];
  /** Ports of this machine that no peer may be on, whatever the operator allows: our own listening ones. */
  readonly servicePorts: ReadonlySet<number>;
}

export class PeerPolicy {
  readonly #options: PeerPolicyOptions;
  #own: OwnAddresses = { hosts: [], relayHosts: [], servicePorts: new Set() };

  constructor(options: PeerPolicyOptions) {
    this.#options = options;
  }

  setOwn(own: OwnAddresses): void {
    this.#own = own;
  }

  /** For CreatePermission, which names no port. Our own relays are peers too: two calls may meet on one supernode. */
  allowsHost(peer: TransportAddress): boolean {
    return isAmong(this.#own.relayHosts, peer) || this.#allowsHost(peer);
  }

  /**
   * For ChannelBind and every Send.
   * @param isRelayed whether the peer is a relayed transport address of this server, now
   */
  allows(peer: TransportAddress, isRelayed: boolean): boolean {
    if (isRelayed) return true;
    if (peer.port === 0) return false;
    if (this.#own.servicePorts.has(peer.port) && isAmong(this.#own.hosts, peer)) return false;
    return this.#allowsHost(peer);
  }

  #allowsHost(peer: TransportAddress): boolean {
    if (isInAny(this.#options.denied, peer)) return false;
    const own = isAmong(this.#own.hosts, peer);
    const opening = this.#options.allowed.find((range) => range.contains(peer));
    if (opening !== undefined) {
      // A whole network opened by the operator does not open this machine; its own address, named, does.
      return !own || opening.isSingle || isInAny(LOOPBACK, peer);
    }
    if (own) return false;
    return peer.family === 4 ? !isRefusedIPv4(peer.w3) : this.#allowsIPv6(peer);
  }

  #allowsIPv6(peer: TransportAddress): boolean {
    if (!isInAny(PUBLIC_IPV6, peer) || isInAny(REFUSED_IPV6, peer)) return false;
    return !embeddedIPv4(peer).some((word) => isRefusedIPv4(word) || this.#isOwnIPv4(word));
  }

  #isOwnIPv4(word: number): boolean {
    return isAmong(this.#own.hosts, TransportAddress.ipv4(word, 0));
  }
}

function isRefusedIPv4(word: number): boolean {
  return REFUSED_IPV4.some((range) => range.containsIPv4(word));
}

function isInAny(list: readonly IpRange[], address: TransportAddress): boolean {
  return list.some((range) => range.contains(address));
}

function isAmong(list: readonly TransportAddress[], address: TransportAddress): boolean {
  return list.some((own) => own.sameHost(address));
}

/**
 * The IPv4 addresses that an IPv6 address leads to by some transition mechanism. The mapped
 * and compatible forms lie outside the public ranges and are refused as they are.
 */
function embeddedIPv4(address: TransportAddress): number[] {
  const { w0, w1, w2, w3 } = address;
  const words: number[] = [];
  if (w0 === 0x0064ff9b) words.push(w3); // NAT64, RFC 6052 §2.1
  if (w0 >>> 16 === 0x2002) words.push((w0 << 16) | (w1 >>> 16)); // 6to4, RFC 3056 §2
  if (w0 === 0x20010000) words.push(w1, ~w3); // Teredo, RFC 4380 §4: server, and client with its bits flipped
  if ((w2 | 0x03000000) === 0x03005efe) words.push(w3); // ISATAP, RFC 5214 §6.1
  return words;
}
