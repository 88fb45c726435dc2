/**
 * Packets whose sender is not known yet, kept while somebody is asked who it is. A newcomer to thousands learns of
 * them for half a minute, and they probe it from the first second: if what they send in the meantime were thrown
 * away, they would suspect it, and what it threw away would be the suspicion.
 */
import type { SupernodeId } from "../../protocol/identifiers.ts";

/** Question and answer, with one repetition. Whoever probes does not wait longer anyway. */
const KEPT_MS = 3_000;
/** Anybody can invent senders: more than this is thrown away, the oldest first. */
const MAX_PACKETS = 128;
/** A probe, and a little news. */
const MAX_OF_ONE = 4;

interface Early<Packet> {
  readonly packets: Packet[];
  readonly until: number;
}

export class EarlyPackets<Packet> {
  /** The oldest first. */
  readonly #bySender = new Map<SupernodeId, Early<Packet>>();
  #count = 0;

  keep(sender: SupernodeId, packet: Packet, now: number): void {
    const early = this.#bySender.get(sender) ?? { packets: [], until: now + KEPT_MS };
    if (early.packets.length === MAX_OF_ONE) return;
    early.packets.push(packet);
    this.#bySender.set(sender, early);
    this.#count++;
    for (const [id, { until }] of this.#bySender) {
      if (this.#count <= MAX_PACKETS && until > now) break;
      this.#remove(id);
    }
  }

  /** Takes out the packets of those who have become known, in the order in which they came. */
  takeKnown(isKnown: (sender: SupernodeId) => boolean, now: number): Packet[] {
    const taken: Packet[] = [];
    if (this.#count === 0) return taken;
    for (const [id, { packets, until }] of this.#bySender) {
      if (until > now && !isKnown(id)) continue;
      if (until > now) taken.push(...packets);
      this.#remove(id);
    }
    return taken;
  }

  #remove(sender: SupernodeId): void {
    this.#count -= this.#bySender.get(sender)?.packets.length ?? 0;
    this.#bySender.delete(sender);
  }
}
