/**
 * A whole directory under a virtual clock: gossip, records, replication and look-ups by
 * the real code; people who attach, whose homes die, and who are looked up.
 */
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { LEASE_REPLICAS, TIMES } from "../../protocol/limits.ts";
import type { MembershipChange } from "../../relay/membership/membership-source.ts";
import { queryHolders } from "../../relay/records/holder-query.ts";
import { PlacementTable } from "../../relay/records/placement-table.ts";
import { DeathLedger } from "./death-ledger.ts";
import { Placements } from "./placements.ts";
import { SimGossip, type SimGossipOptions } from "./sim-gossip.ts";
import { SimHolder } from "./sim-holder.ts";
import type { SimNode } from "./sim-node.ts";
import { SimUser } from "./sim-users.ts";

/** Lease and certificate, with what TLS, WebSocket and IP put around them. */
const STORE_BYTES = 700;
/** Holders are asked in full about unknown people for so long after a change. */
const CAUTIOUS_MS = 2 * 60_000;
/** People notice that their home is gone (two missed pings), then spread over this. */
const NOTICE_MS = 15_000;
const REATTACH_MS = 60_000;

export interface SimDirectoryOptions extends SimGossipOptions {
  readonly supernodes: number;
  readonly usersPerSupernode: number;
  /** Share of people who are away: nobody refreshes their leases. */
  readonly awayShare: number;
}

export interface LookUpOutcome {
  readonly isFound: boolean;
  /** Of somebody who is away: that takes more than one witness. */
  readonly isAway: boolean;
  readonly requests: number;
  readonly tookMs: number;
}

export class SimDirectory {
  readonly gossip: SimGossip;
  readonly users: SimUser[] = [];
  readonly replicas = LEASE_REPLICAS;
  readonly deaths = new DeathLedger();
  registrationBytes = 0;
  readonly #holders = new Map<SupernodeId, SimHolder>();
  readonly #placements = new Placements();
  readonly #usersOf = new Map<SupernodeId, Set<SimUser>>();

  constructor(options: SimDirectoryOptions) {
    this.gossip = new SimGossip(options);
    const nodes = this.gossip.form(options.supernodes);
    this.gossip.onChange = (node, change) => this.#onChange(node, change);
    for (const node of nodes) this.#hold(node);
    for (let count = options.supernodes * options.usersPerSupernode; count > 0; count--) {
      this.#settle(this.gossip.random() < options.awayShare);
    }
  }

  get now(): number {
    return this.gossip.time.now;
  }

  get holders(): SimHolder[] {
    return [...this.#holders.values()];
  }

  holder(node: SimNode): SimHolder | undefined {
    return this.#holders.get(node.id);
  }

  join(): SimNode {
    const node = this.gossip.add();
    node.start(this.gossip.seedsFor(node));
    this.#hold(node);
    return node;
  }

  /** A crash, or with a goodbye. */
  end(node: SimNode, isGraceful: boolean): void {
    if (isGraceful) node.leave();
    else node.kill();
    this.#holders.delete(node.id);
    for (const user of this.#usersOf.get(node.id) ?? []) this.#moveSoon(user);
    this.#usersOf.delete(node.id);
  }

  /**
   * Share of the replicas that should be there by who really lives, and are not.
   * @param sample how many people to look at
   */
  missingShare(sample: number): number {
    const truth = this.#truth();
    const step = Math.max(1, Math.floor(this.users.length / sample));
    let missing = 0;
    let looked = 0;
    for (let index = 0; index < this.users.length; index += step) {
      const user = this.users[index] as SimUser;
      const holders = truth.holders(user.userId, this.replicas);
      missing += holders.filter((id) => !this.#has(id, user)).length;
      looked += holders.length;
    }
    return missing / Math.max(1, looked);
  }

  /** People of whom no supernode has a record any more. */
  lostUsers(): number {
    const truth = this.#truth();
    return this.users.filter((user) => {
      if (truth.holders(user.userId, this.replicas).some((id) => this.#has(id, user))) return false;
      for (const id of this.#holders.keys()) if (this.#has(id, user)) return false;
      return true;
    }).length;
  }

  /** Somebody looks somebody up, at a supernode that is up. */
  lookUp(done: (outcome: LookUpOutcome) => void): void {
    const asker = this.#anyHolder();
    const user = this.users[Math.floor(this.gossip.random() * this.users.length)];
    if (!asker || !user) return;
    const startedAt = this.now;
    const isCautious = startedAt - asker.changedAt < CAUTIOUS_MS;
    const { time } = this.gossip;
    queryHolders(
      this.#inAnyOrder(asker.table.holders(user.userId, this.replicas)),
      {
        confidence: "first",
        answersForNothing: isCautious ? this.replicas : 3,
        hedgeMs: TIMES.lookupHedgeMs,
        patienceMs: 3_000,
      },
      asker.standings,
      {
        now: () => time.now,
        after: (ms, task) => {
          const appointment = time.after(ms, task);
          return () => time.cancel(appointment);
        },
        ask: (id, answered) => {
          const holder = this.#holders.get(id);
          if (!holder || !this.gossip.isLine(asker.node, holder.node)) return;
          const lateMs = holder.node.lagMs * this.gossip.random();
          time.after(this.gossip.roundTripMs(asker.node, holder.node) + lateMs, () => {
            if (holder.node.isUp) answered({ kind: "told", checked: () => holder.store.find(user.userId, time.now) });
          });
        },
      },
      ({ records, requests }) =>
        done({ isFound: records.length > 0, isAway: user.home === null, requests, tookMs: time.now - startedAt }),
    );
  }

  /** The hourly refresh of everybody who is attached, spread over the hour. */
  refreshLeases(): void {
    const { time, random } = this.gossip;
    for (const user of this.users) {
      time.after(random() * TIMES.leaseRefreshMs, () => {
        const home = user.home && this.#holders.get(user.home);
        if (home) this.#register(user, home);
      });
    }
    time.after(TIMES.leaseRefreshMs, () => this.refreshLeases());
  }

  #hold(node: SimNode): void {
    this.#holders.set(node.id, new SimHolder(node, this.#placements, this.replicas, (id) => this.#holders.get(id)));
  }

  #settle(isAway: boolean): void {
    const { random } = this.gossip;
    const home = this.#anyHolder() as SimHolder;
    const user = new SimUser(random, home.node.id, isAway, this.now);
    this.users.push(user);
    if (!isAway) this.#livesAt(user, home);
    for (const id of home.table.holders(user.userId, this.replicas)) {
      this.#holders.get(id)?.store.adopt(user.lease, { lastSeenAt: this.now, gone: isAway }, this.now);
    }
  }

  #moveSoon(user: SimUser): void {
    user.home = null;
    const { time, random } = this.gossip;
    time.after(NOTICE_MS + random() * REATTACH_MS, () => {
      const home = this.#anyHolder();
      if (!home) return;
      this.#livesAt(user, home);
      this.#register(user, home);
    });
  }

  #livesAt(user: SimUser, home: SimHolder): void {
    user.home = home.node.id;
    const users = this.#usersOf.get(home.node.id);
    if (users) users.add(user);
    else this.#usersOf.set(home.node.id, new Set([user]));
  }

  /** A home writes a lease to the holders that it knows. */
  #register(user: SimUser, home: SimHolder): void {
    const lease = user.sign(home.node.id, this.now);
    for (const id of home.table.holders(user.userId, this.replicas)) {
      this.registrationBytes += STORE_BYTES;
      const holder = this.#holders.get(id);
      if (!holder || !this.gossip.isLine(home.node, holder.node)) continue;
      this.gossip.time.after(this.gossip.roundTripMs(home.node, holder.node) / 2, () => {
        if (holder.node.isUp) holder.store.put(lease, this.now);
      });
    }
  }

  #onChange(node: SimNode, change: MembershipChange): void {
    if (change.kind === "renewed") return;
    const holder = this.#holders.get(node.id);
    const id = change.kind === "left" ? change.supernodeId : change.member.value.supernodeId;
    if (change.kind === "joined") holder?.memberJoined(id);
    else holder?.memberLeft(id);
    const subject = this.gossip.node(id);
    if (!subject) return;
    if (change.kind === "joined") this.deaths.onAlive(node, subject, this.now);
    else this.deaths.onDead(node, subject, this.now);
  }

  /** Where things would be if everybody knew who really lives. */
  #truth(): PlacementTable {
    const members = this.gossip.up.filter(({ core }) => core.stage.kind === "member");
    return new PlacementTable(members.map(({ id }) => id));
  }

  #has(id: SupernodeId, { userId, deviceId }: SimUser): boolean {
    return this.#holders.get(id)?.store.sequenceOf(userId, deviceId) != null;
  }

  /** Load is spread over holders, not put on the first. */
  #inAnyOrder(ids: readonly SupernodeId[]): SupernodeId[] {
    const start = Math.floor(this.gossip.random() * ids.length);
    return [...ids.slice(start), ...ids.slice(0, start)];
  }

  #anyHolder(): SimHolder | undefined {
    const node = this.gossip.anyUp();
    return node && this.#holders.get(node.id);
  }
}
