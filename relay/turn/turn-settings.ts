/** The options of the server, as an operator writes them, and their parsing to typed values. */
import { KithError } from "../../protocol/errors.ts";
import { IpRange } from "./ip-range.ts";
import { MAX_NONCE_AGE_MS } from "./nonce.ts";
import type { PeerPolicyOptions } from "./peer-policy.ts";
import type { QuotaRules, VolumeLedger } from "./quota-book.ts";
import type { RelayAddress, RelayPortOptions } from "./relay-ports.ts";
import type { RequestLimits } from "./stun-requests.ts";
import { type AddressFamily, TransportAddress } from "./transport-address.ts";
import { type AuthenticationOptions, MAX_REALM_BYTES } from "./turn-authentication.ts";
import type { TurnClock } from "./turn-clock.ts";
import { MAX_CREDENTIAL_SECONDS } from "./turn-credential.ts";

export interface TurnServerOptions {
  /** Where to listen for UDP; port 0 for any. A wildcard address works, but on a machine of several addresses of one
   * family answers might leave from another one: name them then. */
  readonly listen: readonly { readonly address: string; readonly port: number }[];
  /** Where relayed addresses are made, by family. `external` is how peers see it, the bound address if left out. */
  readonly relayIPv4?: { readonly bind: string; readonly external?: string } | undefined;
  readonly relayIPv6?: { readonly bind: string; readonly external?: string } | undefined;
  /** Inclusive; 49152 to 65535 if left out. */
  readonly relayPorts?: { readonly min: number; readonly max: number } | undefined;
  /** At most 20 bytes. */
  readonly realm: string;
  /** The first is the one in use; further ones are still taken, so that a secret can be changed. */
  readonly secrets: readonly string[];
  /** An hour if left out. More is for other issuers of credentials: coturn's tools sign for a day. */
  readonly maxCredentialSeconds?: number | undefined;
  readonly quotas?: Partial<QuotaRules> | undefined;
  readonly requestLimits?: Partial<RequestLimits> | undefined;
  readonly streamLimits?: Partial<StreamLimits> | undefined;
  /** At most an hour. */
  readonly nonceLifetimeMs?: number | undefined;
  /** CIDR ranges that are refused by default and shall be allowed, and the other way round. */
  readonly allowedPeers?: readonly string[] | undefined;
  readonly deniedPeers?: readonly string[] | undefined;
  /** Ports of this machine that are no peers even where its address is allowed, besides those in `listen`. */
  readonly servicePorts?: readonly number[] | undefined;
  /** Where the month's volumes are kept; in memory alone if left out. */
  readonly ledger?: VolumeLedger | undefined;
  /** `auto` takes the batched path on Linux where it can be loaded. */
  readonly udp?: "auto" | "batched" | "portable" | undefined;
  /** Who else has datagrams at the ports in `listen`. */
  readonly neighbour?: PortNeighbour | undefined;
  readonly clock: TurnClock;
  readonly random: (bytes: number) => Uint8Array;
  /** Every address of this machine. Asked again and again: it may change. */
  readonly localAddresses: () => readonly string[];
  /** Hears of errors that are ours, for the log. */
  readonly onError: (error: unknown) => void;
}

/** Another protocol on the same UDP port, whose packets begin with a byte of its own (RFC 7983). */
export interface PortNeighbour {
  readonly firstByte: number;
  /** @param datagram a copy */
  receive(datagram: Uint8Array): void;
}

export interface StreamLimits {
  /** TCP and TLS connections in all. */
  readonly connections: number;
  /** Of one source address. */
  readonly connectionsPerSource: number;
}

/** The options, checked. */
export interface TurnSettings {
  readonly listen: readonly TransportAddress[];
  readonly relayPorts: RelayPortOptions;
  readonly authentication: AuthenticationOptions;
  readonly peers: PeerPolicyOptions;
  readonly quotas: QuotaRules;
  readonly requestLimits: RequestLimits;
  readonly streamLimits: StreamLimits;
}

const NO_VOLUME_LIMIT = Number.POSITIVE_INFINITY;

/** A small public machine on a 100 Mbit/s line. A call is 16 kB/s, both directions together. */
export const DEFAULT_QUOTAS: QuotaRules = {
  total: { allocations: 2_000, bytesPerSecond: 12_500_000, bytesPerMonth: NO_VOLUME_LIMIT },
  perUser: { allocations: 10, bytesPerSecond: 1_000_000, bytesPerMonth: NO_VOLUME_LIMIT },
  perSource: { allocations: 100, bytesPerSecond: 5_000_000, bytesPerMonth: NO_VOLUME_LIMIT },
};

const DEFAULT_REQUEST_LIMITS: RequestLimits = {
  bindings: { perSecond: 200, burst: 1_000 },
  // Two requests make an allocation; 100 bytes answer each, so a victim whose address is forged gets 5 kB/s.
  unauthenticated: { perSecond: 50, burst: 200 },
  allocation: { perSecond: 20, burst: 100 },
};

const DEFAULT_STREAM_LIMITS: StreamLimits = { connections: 2_048, connectionsPerSource: 128 };
const DEFAULT_RELAY_PORTS = { min: 49_152, max: 65_535 };
const DEFAULT_NONCE_LIFETIME_MS = 600_000;

/** @throws KithError `option-invalid` */
export function readTurnSettings(options: TurnServerOptions): TurnSettings {
  const { min, max } = options.relayPorts ?? DEFAULT_RELAY_PORTS;
  if (!isPort(min) || !isPort(max) || min < 1_024 || max < min) throw invalid("relay ports", "1024 to 65535, in order");
  const ipv4 = readRelay(options.relayIPv4, 4);
  const ipv6 = readRelay(options.relayIPv6, 6);
  if (ipv4 === null && ipv6 === null) throw invalid("relay address", "one is needed");
  if (options.realm === "" || Buffer.byteLength(options.realm) > MAX_REALM_BYTES) {
    throw invalid("realm", `1 to ${MAX_REALM_BYTES} bytes`);
  }
  if (options.secrets.length === 0 || options.secrets.some((secret) => secret.length < 16)) {
    throw invalid("TURN secret", "at least 16 characters");
  }
  return {
    listen: options.listen.map(({ address, port }) => readAddress("listen", address, port)),
    relayPorts: { ipv4, ipv6, minPort: min, maxPort: max },
    authentication: {
      realm: options.realm,
      secrets: options.secrets,
      maxCredentialSeconds: options.maxCredentialSeconds ?? MAX_CREDENTIAL_SECONDS,
      nonceLifetimeMs: Math.min(options.nonceLifetimeMs ?? DEFAULT_NONCE_LIFETIME_MS, MAX_NONCE_AGE_MS),
    },
    peers: {
      allowed: readRanges("allowed peers", options.allowedPeers),
      denied: readRanges("denied peers", options.deniedPeers),
    },
    quotas: { ...DEFAULT_QUOTAS, ...options.quotas },
    requestLimits: { ...DEFAULT_REQUEST_LIMITS, ...options.requestLimits },
    streamLimits: { ...DEFAULT_STREAM_LIMITS, ...options.streamLimits },
  };
}

function readRelay(
  option: { readonly bind: string; readonly external?: string } | undefined,
  family: AddressFamily,
): RelayAddress | null {
  if (option === undefined) return null;
  const bind = readAddress("relay address", option.bind, 0);
  const external = readAddress("external address", option.external ?? option.bind, 0);
  if (bind.family !== family || external.family !== family) throw invalid("relay address", `must be IPv${family}`);
  if (isWildcard(external)) throw invalid("external address", "must be the address that peers can reach");
  return { bind, external };
}

function readAddress(option: string, host: string, port: number): TransportAddress {
  const address = TransportAddress.parse(host, port);
  if (address === null) throw invalid(option, `${host} is no IP address`);
  if (port !== 0 && !isPort(port)) throw invalid(option, `${port} is no port`);
  return address;
}

function readRanges(option: string, texts: readonly string[] = []): IpRange[] {
  return texts.map((text) => {
    const range = IpRange.parse(text);
    if (range === null) throw invalid(option, `${text} is no address range`);
    return range;
  });
}

export function isWildcard(address: TransportAddress): boolean {
  return address.w3 === 0 && address.w1 === 0 && address.w0 === 0 && (address.family === 4 || address.w2 === 0);
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

function invalid(option: string, why: string): KithError {
  return new KithError("option-invalid", { option, why });
}
