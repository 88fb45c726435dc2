/**
 * Whether others can still connect to this supernode's TCP port. UDP is probed all the time; the TCP
 * port was, when it joined, and a firewall may have closed since: then people find its name in the
 * directory and nobody there. So every member asks another one, of its own choice, to connect to it
 * now and then. When a row of different ones could not, it leaves by itself, says so to its operator,
 * and comes back when somebody has reached it again.
 *
 * Nobody else has a say in it: there is no statement by which a member could have another one put out.
 * Liars would have to be five in a row whom this supernode has picked at random, and not one honest
 * member among them.
 */
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { type GossipContext, jittered, send } from "./gossip-context.ts";
import { GOSSIP_LIMITS } from "./gossip-times.ts";
import type { Peer } from "./peer.ts";
import type { Roster } from "./roster.ts";

/** After a start it may be the firewall of a new place. */
const FIRST_CHECK_SHARE = 1 / 10;
/** Nobody is asked to connect for the same one more often than this. */
const EVERY_MS = 5_000;
/** Those whom we tell ourselves that we leave, or are back; they tell the others. */
const TOLD = 8;

export class ReachCheck {
  readonly #context: GossipContext;
  readonly #roster: Roster;
  /** Whom we have asked, and when. */
  readonly #asked = new Map<SupernodeId, number>();
  /** Who could not, since somebody last could. */
  readonly #failed = new Set<SupernodeId>();
  /** For whom we are connecting, since when. */
  readonly #reaching = new Map<SupernodeId, number>();
  #isOut = false;

  constructor(context: GossipContext, roster: Roster) {
    this.#context = context;
    this.#roster = roster;
  }

  start(): void {
    const { agenda, now, times } = this.#context;
    agenda.schedule(now + jittered(this.#context, times.reachCheckMs * FIRST_CHECK_SHARE), () => this.#check());
  }

  /** Another member wants to know whether it can be reached. */
  onReach(from: Peer): void {
    const { now, certificates } = this.#context;
    for (const [id, since] of this.#reaching) if (now - since >= EVERY_MS) this.#reaching.delete(id);
    if (this.#reaching.has(from.id) || this.#reaching.size >= GOSSIP_LIMITS.maxReaching) return;
    this.#reaching.set(from.id, now);
    this.#context.emit({ type: "probe-tcp", certificate: certificates.get(from.id) ?? from.certificate });
  }

  onTcpProbed(id: SupernodeId, isReached: boolean): void {
    const peer = this.#context.table.get(id);
    if (peer && this.#reaching.has(id)) send(this.#context, peer, { type: "reached", isReached });
  }

  onReached(from: Peer, isReached: boolean): void {
    const { metrics, health, table } = this.#context;
    if (!this.#asked.delete(from.id)) {
      metrics.refused.unsolicited++;
      return;
    }
    if (isReached) {
      this.#failed.clear();
      if (this.#isOut) this.#return();
      return;
    }
    metrics.reachFailures++;
    this.#failed.add(from.id);
    const witnesses = Math.min(GOSSIP_LIMITS.reachWitnesses, table.live.length);
    const isAlone = witnesses < GOSSIP_LIMITS.leastReachWitnesses;
    // A machine that is late with everything is late with handshakes too: that will pass.
    if (this.#failed.size >= witnesses && !isAlone && health.multiplier === 1) this.#fallOut();
  }

  #check(): void {
    const { agenda, now, times, stage, table } = this.#context;
    if (stage.kind === "left") return;
    const waitMs = this.#failed.size > 0 || this.#isOut ? times.vouchRetryMs : times.reachCheckMs;
    agenda.schedule(now + jittered(this.#context, waitMs), () => this.#check());
    if (stage.kind !== "member" && !this.#isOut) return;
    for (const [id, at] of this.#asked) if (now - at > times.reachMs * 2) this.#asked.delete(id);
    const candidates = table.sample(GOSSIP_LIMITS.reachWitnesses + 1, null);
    // One who could not is asked again only when nobody else is left.
    const other = candidates.find(({ id }) => !this.#failed.has(id)) ?? candidates[0];
    if (!other) return;
    this.#asked.set(other.id, now);
    send(this.#context, other, { type: "reach" });
  }

  #fallOut(): void {
    if (this.#isOut) return;
    this.#isOut = true;
    this.#roster.leave();
    this.#enter({ kind: "unreachable", by: "tcp" });
  }

  #return(): void {
    this.#isOut = false;
    this.#roster.comeBack();
    this.#enter({ kind: "member" });
  }

  #enter(stage: GossipContext["stage"]): void {
    const { table, self } = this.#context;
    this.#context.stage = stage;
    this.#context.emit({ type: "stage", stage });
    const items = [{ kind: "announcement", announcement: self.announcement }] as const;
    for (const peer of table.sample(TOLD, null)) send(this.#context, peer, { type: "gossip", items });
  }
}
