/**
 * Where this supernode connects to because a certificate says so. A certificate may name any address,
 * and a name may lead anywhere: without these rules, who gets one has every member knock at doors
 * inside its own network. So what is public may be dialled; and what is not, only in a network that
 * is run there as a whole, which this supernode's own address tells, or where its operator says so.
 */
import { type LookupAddress, type LookupOptions, lookup } from "node:dns";
import net, { isIP, type LookupFunction } from "node:net";
import type { Duplex } from "node:stream";
import { KithError } from "../../protocol/errors.ts";
import { IpRange } from "../turn/ip-range.ts";
import { PeerPolicy } from "../turn/peer-policy.ts";
import { TransportAddress } from "../turn/transport-address.ts";

function ranges(texts: readonly string[]): IpRange[] {
  return texts.map((text) => IpRange.parse(text)).filter((range) => range !== null);
}

/** A network on one machine. */
const LOOPBACK = ranges(["127.0.0.0/8", "::1"]);
/** One inside a house, a company or a laboratory: private use, carrier-grade NAT, benchmarks (RFC 6890, RFC 4193). */
const PRIVATE = ranges(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "fc00::/7"]);

export class DialPolicy {
  readonly #policy: PeerPolicy;

  /**
   * @param ownHost of this supernode's own certificate
   * @param opened CIDR ranges that its operator opens although they are not public
   */
  constructor(ownHost: string, opened: readonly string[]) {
    this.#policy = new PeerPolicy({ allowed: [...networkOf(ownHost), ...ranges(opened)], denied: [] });
  }

  /** @param address IPv4 or IPv6, no name */
  allows(address: string): boolean {
    const peer = TransportAddress.parse(address, 0);
    return peer !== null && this.#policy.allowsHost(peer);
  }

  /** A connection by TCP; whoever is not to be dialled is as good as not there. Fails with KithError `supernode-unreachable`. */
  readonly open = (host: string, port: number): Promise<Duplex> =>
    new Promise((resolve, reject) => {
      const fail = (cause: unknown) => reject(new KithError("supernode-unreachable", {}, { cause }));
      if (isIP(host) !== 0 && !this.allows(host)) {
        fail(new Error(`${host} is no public address`));
        return;
      }
      const socket = net.connect({ host, port, lookup: this.#lookup });
      socket.once("error", fail);
      socket.once("connect", () => {
        socket.off("error", fail);
        resolve(socket);
      });
    });

  /** Looks at what is connected to, not at what the name meant a moment before. */
  readonly #lookup: LookupFunction = (host, options, done) => {
    lookup(host, { ...options, all: true } satisfies LookupOptions, (error, found: LookupAddress[]) => {
      const allowed = error ? [] : found.filter(({ address }) => this.allows(address));
      const [first] = allowed;
      if (!first) done(error ?? new Error(`${host} leads to no public address`), "", 0);
      else if (options.all) done(null, allowed);
      else done(null, first.address, first.family);
    });
  };
}

/** Which addresses that are not public the whole network is run on, if it is. */
function networkOf(ownHost: string): readonly IpRange[] {
  if (ownHost === "localhost") return LOOPBACK;
  const own = TransportAddress.parse(ownHost, 0);
  if (own === null) return [];
  return [LOOPBACK, PRIVATE].find((network) => network.some((range) => range.contains(own))) ?? [];
}
