/** The kinds of access line of the lab, as rules of the home router between a host and the internet. */

/**
 * In RFC 4787's words: `full-cone` maps and filters endpoint-independently (a forwarded
 * port), `cone` filters by address and port, `symmetric` maps by address and port.
 */
export const ACCESS_KINDS = [
  "public",
  "full-cone",
  "cone",
  "symmetric",
  "udp-blocked",
  "web-only",
  "proxy-only",
] as const;
export type AccessKind = (typeof ACCESS_KINDS)[number];

/** Where the company's proxy listens, the only way out of `proxy-only`. */
export const PROXY = { host: "203.0.113.30", port: 3_128 } as const;

const SENDS_UDP: ReadonlySet<AccessKind> = new Set(["public", "full-cone", "cone", "symmetric"]);
const EASY: ReadonlySet<AccessKind> = new Set(["public", "full-cone"]);

/** Whether a call between the two needs no relay: both send UDP, and one is open or both keep their mapping. */
export function shouldBeDirect(a: AccessKind, b: AccessKind): boolean {
  if (!SENDS_UDP.has(a) || !SENDS_UDP.has(b)) return false;
  return EASY.has(a) || EASY.has(b) || (a === "cone" && b === "cone");
}

/**
 * What the router does, for `nft -f -`. Its own input is closed: otherwise a packet that comes
 * unasked leaves a connection-tracking entry, and the host's own packet to that peer then gets
 * another port, as no real cone does.
 * @param host the address of the one host behind it
 */
export function routerRules(kind: AccessKind, host: string): string {
  const forwarded =
    kind === "full-cone"
      ? `chain pre { type nat hook prerouting priority dstnat; iifname "wan" udp dport 1024-65535 dnat to ${host}; }`
      : "";
  return `flush ruleset
table ip lab {
  ${forwarded}
  chain in {
    type filter hook input priority 0; policy drop;
    iifname { "lo", "lan" } accept; ct state established,related accept; icmp type echo-request accept;
  }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state invalid drop; ct state established,related accept;
    iifname "lan" oifname "wan" ${outward(kind)}; ct status dnat accept;
  }
  chain post {
    type nat hook postrouting priority srcnat;
    oifname "wan" masquerade ${kind === "symmetric" ? "random,fully-random" : ""};
  }
}
`;
}

function outward(kind: AccessKind): string {
  switch (kind) {
    case "udp-blocked":
      return "meta l4proto tcp accept";
    case "web-only":
      return "tcp dport { 80, 443 } accept";
    case "proxy-only":
      return `ip daddr ${PROXY.host} tcp dport ${PROXY.port} accept`;
    case "public":
    case "full-cone":
    case "cone":
    case "symmetric":
      return "accept";
    default:
      return kind satisfies never;
  }
}
