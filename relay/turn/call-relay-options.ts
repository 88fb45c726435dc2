/** What an operator may say about relaying calls, and what it means for the TURN server. */
import { lookup } from "node:dns/promises";
import { isIP, isIPv4 } from "node:net";
import { KithError } from "../../protocol/errors.ts";
import type { QuotaLimits } from "./relay-quota.ts";

export interface CallRelayOptions {
  /** 0 takes the number of the TCP port. */
  readonly udpPort: number;
  /** As peers see this machine, one per family at most; none: found from the advertised host. */
  readonly externalAddresses: readonly string[];
  /** CIDR ranges that are refused as peers by default and shall be allowed. */
  readonly allowedPeers: readonly string[];
  /** Inclusive; null: the dynamic range. */
  readonly ports: { readonly min: number; readonly max: number } | null;
  /** Without it, the fastest way that works here. */
  readonly udp?: "portable";
  /** Of all users together, and of each one. */
  readonly total: Partial<QuotaLimits>;
  readonly perUser: Partial<QuotaLimits>;
}

/** Another TURN server with the same secret (coturn's `use-auth-secret`) relays instead. */
export interface ExternalTurn {
  /** stun:, turn: and turns: URLs. */
  readonly urls: readonly string[];
  readonly secret: string;
}

export type RelayingChoice =
  | { readonly kind: "off" }
  | { readonly kind: "own"; readonly options: CallRelayOptions }
  | { readonly kind: "external"; readonly turn: ExternalTurn };

export const DEFAULT_CALL_RELAY: CallRelayOptions = {
  udpPort: 0,
  externalAddresses: [],
  allowedPeers: [],
  ports: null,
  total: {},
  perUser: {},
};

export interface RelayAddresses {
  /** Where UDP is listened on. */
  readonly listen: readonly string[];
  readonly ipv4: { readonly bind: string; readonly external: string } | undefined;
  readonly ipv6: { readonly bind: string; readonly external: string } | undefined;
}

/**
 * Where to listen and relay.
 * @param listen the address that the supernode listens on; a wildcard means every address of its family, `::` of both
 * @param host as it is advertised: a name or an address
 * @throws KithError `option-invalid`
 */
export async function relayAddresses(
  listen: string,
  host: string,
  external: readonly string[],
): Promise<RelayAddresses> {
  const known = external.length > 0 ? external : await addressesOf(host);
  const ipv4 = known.find((address) => isIP(address) === 4);
  const ipv6 = known.find((address) => isIP(address) === 6);
  const isForIPv4 = isIPv4(listen) || listen === "::";
  const isForIPv6 = !isIPv4(listen);
  const relay = {
    listen: listen === "::" ? ["0.0.0.0", "::"] : [listen],
    ipv4: ipv4 !== undefined && isForIPv4 ? { bind: listen === "::" ? "0.0.0.0" : listen, external: ipv4 } : undefined,
    ipv6: ipv6 !== undefined && isForIPv6 ? { bind: listen, external: ipv6 } : undefined,
  };
  if (relay.ipv4 === undefined && relay.ipv6 === undefined) {
    throw new KithError("option-invalid", {
      option: "--external-address",
      why: `no address of ${host} fits ${listen}, so say which one calls are relayed on (or --relay off)`,
    });
  }
  return relay;
}

async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (error) {
    throw new KithError(
      "option-invalid",
      { option: "--external-address", why: `${host} has no address yet, so say which one calls are relayed on` },
      { cause: error },
    );
  }
}
