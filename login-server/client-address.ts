import { isIPv6 } from "node:net";

/**
 * The part of an address that one subscriber has to themselves: an IPv4 address, or the
 * first 64 bits of an IPv6 one (RFC 6177), within which anybody takes addresses at will.
 */
export function subscriberOf(address: string | undefined): string {
  if (!address) return "unknown";
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1]) return mapped[1];
  if (!isIPv6(address)) return address;
  return expand(address.split("%")[0] ?? address)
    .slice(0, 4)
    .join(":");
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
