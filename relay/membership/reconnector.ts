/**
 * Finding each other again after a partition. Those who are held for dead, and those of the
 * certified supernodes that were never met, are greeted now and then; and whoever is held
 * for dead and shows a sign of life is told so, because only its own refutation makes it
 * live again for all.
 */
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Signed } from "../../protocol/signed.ts";
import { type GossipContext, greet, jittered, send } from "./gossip-context.ts";
import { GOSSIP_LIMITS } from "./gossip-times.ts";
import type { Peer } from "./peer.ts";
import type { Roster } from "./roster.ts";

export class Reconnector {
  readonly #context: GossipContext;
  readonly #roster: Roster;
  /** Held for dead, but there are signs. */
  readonly #remembered = new Set<Peer>();
  #isReminding = false;
  /** Who was never met, to go through; filled anew by each sweep. */
  #unmet: SupernodeId[] = [];

  constructor(context: GossipContext, roster: Roster) {
    this.#context = context;
    this.#roster = roster;
  }

  start(): void {
    const { agenda, now, times, random } = this.#context;
    this.sweep();
    agenda.schedule(now + times.reconnectMs * random(), () => this.#round());
  }

  /** There is a sign that this peer lives. */
  remind(peer: Peer): void {
    this.#remembered.add(peer);
    this.#remindSoon();
  }

  /** A certified supernode has shown itself elsewhere. */
  meet(certificate: Signed<SupernodeCertificate>): void {
    const { table, self, stage } = this.#context;
    const { supernodeId } = certificate.value;
    if (stage.kind !== "member" || supernodeId === self.id || table.get(supernodeId)) return;
    greet(this.#context, certificate, "hello");
  }

  sweep(): void {
    const { table, certificates, self } = this.#context;
    if (this.#unmet.length > 0) return;
    this.#unmet = [...certificates.all()]
      .map(({ value }) => value.supernodeId)
      .filter((id) => id !== self.id && !table.get(id)?.voucher);
  }

  #round(): void {
    const { agenda, now, times, table, certificates, stage } = this.#context;
    agenda.schedule(now + jittered(this.#context, times.reconnectMs), () => this.#round());
    if (stage.kind !== "member") return;
    const dead = table.anyDead();
    const deadCertificate = dead && (certificates.get(dead.id) ?? dead.certificate);
    if (deadCertificate) greet(this.#context, deadCertificate, "hello");
    const unmet = this.#nextUnmet();
    if (unmet) greet(this.#context, unmet, "hello");
  }

  #nextUnmet(): Signed<SupernodeCertificate> | undefined {
    const { table, certificates } = this.#context;
    const place = Math.floor(this.#context.random() * this.#unmet.length);
    const [id] = this.#unmet.splice(place, 1);
    return id && !table.get(id)?.voucher ? certificates.get(id) : undefined;
  }

  #remindSoon(): void {
    if (this.#isReminding || this.#remembered.size === 0) return;
    this.#isReminding = true;
    const { agenda, now, times } = this.#context;
    agenda.schedule(now + times.probeMs / GOSSIP_LIMITS.reconnectsPerPeriod, () => {
      this.#isReminding = false;
      this.#remindOne();
      this.#remindSoon();
    });
  }

  #remindOne(): void {
    const { now } = this.#context;
    for (const peer of this.#remembered) {
      this.#remembered.delete(peer);
      if (peer.status !== "dead" || now - peer.chargedAt < 1_000) continue;
      peer.chargedAt = now;
      const items = this.#roster.chargeAgainst(peer);
      send(this.#context, peer, { type: "gossip", items });
      return;
    }
  }
}
