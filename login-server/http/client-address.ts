/** Who a connection comes from, as rate limits count it and as proxies tell it. */
import { BlockList, isIP, isIPv6 } from "node:net";

/**
 * The part of an address that one subscriber has to themselves: an IPv4 address, or the
 * first 64 bits of an IPv6 one (RFC 6177), within which anybody takes addresses at will.
 */
export function subscriberOf(address: string | undefined): string {
  if (!address) return "unknown";
  const plain = unmapped(address);
  if (!isIPv6(plain)) return plain;
  return expand(plain.split("%")[0] ?? plain)
    .slice(0, 4)
    .join(":");
}

/** `10.0.0.0/8`, `fd00::/8` or one address. */
export function isAddressRange(text: string): boolean {
  const [address = "", prefix] = text.split("/");
  const family = isIP(address);
  if (family === 0 || text.split("/").length > 2) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

/** The proxies that stand before this server: what they say of a client's address is believed. */
export class TrustedProxies {
  readonly #list = new BlockList();

  /** @param ranges as isAddressRange takes them */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [address = "", prefix] = range.split("/");
      const family = isIPv6(address) ? "ipv6" : "ipv4";
      if (prefix === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(prefix), family);
    }
  }

  includes(address: string | undefined): boolean {
    const plain = unmapped(address ?? "");
    return isIP(plain) !== 0 && this.#list.check(plain, isIPv6(plain) ? "ipv6" : "ipv4");
  }

  /**
   * The client behind a connection. From the right, the first address of X-Forwarded-For that
   * is no proxy of ours: everything left of it the client may have written itself.
   */
  clientOf(address: string | undefined, forwardedFor: string | undefined): string | undefined {
    if (!this.includes(address)) return address;
    const named = (forwardedFor ?? "").split(",").map((part) => part.trim());
    const client = named.reverse().find((part) => !this.includes(part));
    return client !== undefined && isIP(client) !== 0 ? client : address;
  }
}

/** Of an IPv4 address that a dual-stack socket shows as an IPv6 one, the address itself. */
export function unmapped(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}

function expand(address: string): string[] {
  const [head = "", tail = ""] = address.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === "" ? [] : tail.split(":");
  const zeros = address.includes("::") ? Math.max(0, 8 - before.length - after.length) : 0;
  return [...before, ...Array<string>(zeros).fill("0"), ...after].map((group) =>
    Number.parseInt(group, 16).toString(16),
  );
}
