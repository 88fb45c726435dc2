/**
 * This supernode's own way in: it greets certified supernodes until one that takes part
 * answers, has it examined and let in. Where nobody takes part yet, the lowest ID of those
 * who have met begins the network.
 */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { Hello } from "../../protocol/gossip-packet.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Signed } from "../../protocol/signed.ts";
import { type GossipContext, greet, jittered } from "./gossip-context.ts";
import type { Stage } from "./membership-source.ts";

const HELLOS_PER_ROUND = 2;
/** The first rounds follow each other this much faster: those who start together may just not be up yet. */
const FIRST_ROUND_SHARE = 1 / 8;

export class Joining {
  readonly #context: GossipContext;
  readonly #onFounded: () => void;
  /** When a member last answered. */
  #memberAt = Number.NEGATIVE_INFINITY;
  /** When we were last told that there are members. */
  #outsideAt = Number.NEGATIVE_INFINITY;
  /** Others who are joining as well, and when they last answered. */
  readonly #companions = new Map<SupernodeId, number>();
  #startedAt = 0;
  #rounds = 0;

  /** @param onFounded is told when this supernode has begun the network */
  constructor(context: GossipContext, onFounded: () => void) {
    this.#context = context;
    this.#onFounded = onFounded;
  }

  start(): void {
    this.#startedAt = this.#context.now;
    this.#round();
  }

  onHello(hello: Hello): void {
    if (this.#isIn) return;
    if (hello.isMember) this.#memberAt = this.#context.now;
    else this.#companions.set(hello.certificate.value.supernodeId, this.#context.now);
    if (this.#isToBegin()) this.#found();
  }

  /** There are members, but none of them answers us: then it is our UDP that does not pass. */
  onOthersTakePart(): void {
    const { now, times } = this.#context;
    this.#outsideAt = now;
    if (now - Math.max(this.#memberAt, this.#startedAt) >= times.foundMs) this.turnedAway("udp");
  }

  /** Somebody has reached us and vouches for us. */
  admitted(): void {
    this.#enter({ kind: "member" });
  }

  turnedAway(by: "udp" | "tcp"): void {
    if (!this.#isIn) this.#enter({ kind: "unreachable", by });
  }

  get #isIn(): boolean {
    const { stage, self } = this.#context;
    // Whoever has fallen out comes back by another way (ReachCheck).
    return stage.kind === "member" || stage.kind === "left" || self.announcement.value.leaving;
  }

  #round(): void {
    if (this.#isIn) return;
    const { agenda, now, times, stage } = this.#context;
    const seeds = this.seeds();
    if (this.#isToBegin()) {
      this.#found();
      return;
    }
    // A member that has answered is having us examined; more of them would do the same work again.
    const isLookedAfter = now - this.#memberAt < times.helloMs;
    const hellos = isLookedAfter ? 0 : HELLOS_PER_ROUND;
    for (let count = 0; count < hellos && seeds.length > 0; count++) {
      const [seed] = seeds.splice(Math.floor(this.#context.random() * seeds.length), 1);
      if (seed) greet(this.#context, seed, "hello");
    }
    const helloMs = times.helloMs * Math.min(1, FIRST_ROUND_SHARE * 2 ** this.#rounds++);
    const waitMs = stage.kind === "unreachable" ? times.vouchRetryMs : helloMs;
    agenda.schedule(now + jittered(this.#context, waitMs), () => this.#round());
  }

  /**
   * All certified supernodes have answered, or have had long enough to, none of them takes part, and of
   * those who have answered none has a lower ID.
   */
  #isToBegin(): boolean {
    const { now, times, self } = this.#context;
    if (now - Math.max(this.#memberAt, this.#outsideAt) < 3 * times.vouchRetryMs) return false;
    const companions = new Set([...this.#companions].filter(([, at]) => now - at < times.foundMs).map(([id]) => id));
    const isPatient = now - this.#startedAt >= times.foundMs;
    if (!isPatient && this.seeds().some(({ value }) => !companions.has(value.supernodeId))) return false;
    return [...companions].every((id) => self.id < id);
  }

  /** Certified supernodes, without this one. */
  seeds(): Signed<SupernodeCertificate>[] {
    const { certificates, self, now } = this.#context;
    return [...certificates.all()].filter(({ value }) => value.supernodeId !== self.id && value.expiresAt > now);
  }

  #found(): void {
    this.#enter({ kind: "member" });
    this.#onFounded();
  }

  #enter(stage: Stage): void {
    this.#context.stage = stage;
    this.#context.emit({ type: "stage", stage });
  }
}
