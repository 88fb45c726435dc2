/**
 * Who of those that nobody knows yet may come in. A supernode that everybody runs to at once
 * must spend its time on those whom it has and on as many newcomers as it can serve: the rest
 * are turned away before they cost a TLS handshake. Those who are attached never pass here.
 */

import type { RelayLimits } from "../relay-limits.ts";
import { TokenBucket } from "../token-bucket.ts";
import { TransportAddress } from "../turn/transport-address.ts";
import { PromptWindow } from "./prompt-window.ts";

/** A connection that has proved nothing yet, as net.Socket and tls.TLSSocket both describe it. */
export interface Stranger {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  destroy(): void;
}

export interface DoorParts {
  readonly limits: Pick<
    RelayLimits,
    | "strangersPerSource"
    | "strangers"
    | "newcomersInProgress"
    | "newcomersPerSecond"
    | "newcomerBurst"
    | "politeRefusalsPerSecond"
  >;
  /** From accept to proof: whoever takes longer is closed. */
  readonly proofMs: number;
  /** Monotonic, in ms. */
  readonly clock: () => number;
  /** How busy this process is, from 0 to 1. */
  readonly load: () => number;
  /** Whether newcomers would be refused for want of room. */
  readonly isFull: () => boolean;
}

interface Visit {
  readonly stranger: Stranger;
  readonly source: string;
  readonly since: number;
  /** When it was let in as far as the handshake; null: not yet. */
  admittedAt: number | null;
}

/** Supernodes whose addresses are remembered. */
const MAX_KNOWN_SOURCES = 10_000;
/**
 * Supernodes may have so many times more than strangers: there are several on one machine, and after an outage all
 * come at once. Without any bound one that lies could keep everybody else out.
 */
const KNOWN_SHARE = 4;
/** Others' connections make way for one of a source that has far fewer. */
const FAIR_SHARE = 4;

export class Door {
  readonly #parts: DoorParts;
  /** In the order of their coming. */
  readonly #visits = new Map<string, Visit>();
  readonly #perSource = new Map<string, number>();
  /** Where links have come from: other supernodes are let in however full it is. */
  readonly #knownSources = new Set<string>();
  readonly #rate: TokenBucket;
  readonly #knownRate: TokenBucket;
  readonly #politeness: TokenBucket;
  /** Of newcomers in progress. */
  readonly #window: PromptWindow;
  #admitted = 0;

  constructor(parts: DoorParts) {
    this.#parts = parts;
    const { newcomersInProgress, newcomersPerSecond, newcomerBurst, politeRefusalsPerSecond } = parts.limits;
    this.#window = new PromptWindow({ most: newcomersInProgress, clock: parts.clock, load: parts.load });
    this.#rate = new TokenBucket(newcomerBurst, newcomersPerSecond);
    this.#knownRate = new TokenBucket(KNOWN_SHARE * newcomerBurst, KNOWN_SHARE * newcomersPerSecond);
    this.#politeness = new TokenBucket(2 * politeRefusalsPerSecond, politeRefusalsPerSecond);
  }

  /** A connection has come. @returns false: there are too many of that source, or in all; close it without a word */
  arrive(stranger: Stranger): boolean {
    this.#endTheSlow();
    const { strangersPerSource, strangers } = this.#parts.limits;
    const source = sourceOf(stranger);
    const count = this.#perSource.get(source) ?? 0;
    if (this.#visits.size >= strangers) return false;
    const most = this.#knownSources.has(source) ? KNOWN_SHARE * strangersPerSource : strangersPerSource;
    if (count >= most) return false;
    this.#perSource.set(source, count + 1);
    this.#visits.set(keyOf(stranger), { stranger, source, since: this.#parts.clock(), admittedAt: null });
    return true;
  }

  /** It begins a handshake. @returns false: it is to be told that there is no place just now */
  admit(stranger: Stranger): boolean {
    const visit = this.#visits.get(keyOf(stranger));
    if (!visit || !this.#mayEnter(visit.source)) return false;
    visit.admittedAt = this.#parts.clock();
    this.#admitted++;
    return true;
  }

  /** It has proved to be a node. */
  proved(stranger: Stranger): void {
    const visit = this.#visits.get(keyOf(stranger));
    if (!visit) return;
    this.#window.done(this.#durationOf(visit));
    this.#forget(visit);
  }

  /** It speaks something else, or has closed. */
  leave(stranger: Stranger): void {
    const visit = this.#visits.get(keyOf(stranger));
    if (!visit) return;
    this.#window.abandoned(this.#durationOf(visit));
    this.#forget(visit);
  }

  /** It has proved to be another supernode. */
  provedSupernode(stranger: Stranger): void {
    const source = sourceOf(stranger);
    if (this.#knownSources.size >= MAX_KNOWN_SOURCES) this.#knownSources.clear();
    this.#knownSources.add(source);
    this.leave(stranger);
  }

  #mayEnter(source: string): boolean {
    const { clock, isFull } = this.#parts;
    if (this.#knownSources.has(source)) return this.#knownRate.take(clock());
    if (isFull()) return this.#politeness.take(clock());
    if (!this.#window.has(this.#admitted) && !this.#makeWayFor(source)) return false;
    return this.#rate.take(clock());
  }

  /** A few sources that open many connections and prove nothing must not keep everybody else out. */
  #makeWayFor(source: string): boolean {
    const own = this.#perSource.get(source) ?? 0;
    let heaviest: Visit | undefined;
    for (const visit of this.#visits.values()) {
      if (visit.admittedAt === null) continue;
      const count = this.#perSource.get(visit.source) ?? 0;
      if (count > FAIR_SHARE * own && count > (heaviest ? (this.#perSource.get(heaviest.source) ?? 0) : 0)) {
        heaviest = visit;
      }
    }
    if (!heaviest) return false;
    this.#turnOut(heaviest);
    return true;
  }

  #endTheSlow(): void {
    const tooLate = this.#parts.clock() - this.#parts.proofMs;
    for (const visit of this.#visits.values()) {
      if (visit.since > tooLate) return;
      this.#turnOut(visit);
    }
  }

  /** Of the handshake so far. */
  #durationOf({ admittedAt }: Visit): number {
    return admittedAt === null ? 0 : this.#parts.clock() - admittedAt;
  }

  #forget(visit: Visit): void {
    this.#visits.delete(keyOf(visit.stranger));
    if (visit.admittedAt !== null) this.#admitted--;
    const left = (this.#perSource.get(visit.source) ?? 1) - 1;
    if (left === 0) this.#perSource.delete(visit.source);
    else this.#perSource.set(visit.source, left);
  }

  #turnOut({ stranger }: Visit): void {
    this.leave(stranger);
    stranger.destroy();
  }
}

/** One IPv4 address, or the /64 that one IPv6 customer has at least. */
function sourceOf({ remoteAddress = "" }: Stranger): string {
  const address = TransportAddress.parse(remoteAddress, 0);
  if (!address) return remoteAddress;
  return address.family === 4 ? String(address.w3) : `${address.w0}:${address.w1}`;
}

function keyOf({ remoteAddress, remotePort }: Stranger): string {
  return `${remoteAddress} ${remotePort}`;
}
