/**
 * News that others bring: taken in as fast as checking signatures may cost this supernode, and no
 * faster. What exceeds that waits in line while probes are answered. A member that answers late is
 * suspected, and its refutation is more news for everybody: without this line, a crowd that joins
 * at once has the members take each other for dead for as long as they try to catch up.
 */
import type { GossipItem } from "../../protocol/gossip-item.ts";
import { TokenBucket } from "../token-bucket.ts";
import type { GossipContext } from "./gossip-context.ts";
import { GOSSIP_LIMITS } from "./gossip-times.ts";
import type { Peer } from "./peer.ts";
import type { Roster } from "./roster.ts";

/** Sockets and other timers have their turn in between. */
const TURN_MS = 5;

interface Waiting {
  readonly item: GossipItem;
  readonly from: Peer;
}

export class IncomingNews {
  readonly #context: GossipContext;
  readonly #roster: Roster;
  readonly #checks: TokenBucket;
  #line: Waiting[] = [];
  #next = 0;

  constructor(context: GossipContext, roster: Roster) {
    this.#context = context;
    this.#roster = roster;
    this.#checks = new TokenBucket(GOSSIP_LIMITS.checkBurst, GOSSIP_LIMITS.checksPerSecond);
  }

  /** Applies at once what it can; the rest follows in order. */
  receive(items: readonly GossipItem[], from: Peer): void {
    const { metrics, agenda, now } = this.#context;
    for (const item of items) {
      if (this.#line.length === 0 && !this.#checks.isEmpty(now)) this.#take(item, from);
      else if (this.#line.length - this.#next < GOSSIP_LIMITS.maxWaitingNews) {
        if (this.#line.length === 0) agenda.schedule(now + TURN_MS, () => this.#turn());
        this.#line.push({ item, from });
      } else metrics.newsMissed++;
    }
  }

  #turn(): void {
    const { agenda, now } = this.#context;
    while (this.#next < this.#line.length && !this.#checks.isEmpty(now)) {
      const { item, from } = this.#line[this.#next++] as Waiting;
      this.#take(item, from);
    }
    if (this.#next < this.#line.length) {
      agenda.schedule(now + TURN_MS, () => this.#turn());
      return;
    }
    this.#line = [];
    this.#next = 0;
  }

  #take(item: GossipItem, from: Peer): void {
    const { metrics, now } = this.#context;
    const before = metrics.signaturesChecked;
    this.#roster.apply(item, from);
    this.#checks.charge(metrics.signaturesChecked - before, now);
  }
}
