/** Passing news on: in rounds, to a few members at a time, as long as there is any (SWIM, section 4.1). */
import { MAX_ITEMS_BYTES } from "../../protocol/gossip-message.ts";
import { type GossipContext, jittered, memberCount, send } from "./gossip-context.ts";
import { GOSSIP_LIMITS } from "./gossip-times.ts";
import { retransmissions } from "./suspicion-timeout.ts";

export class Spreader {
  readonly #context: GossipContext;
  #isPlanned = false;

  constructor(context: GossipContext) {
    this.#context = context;
  }

  /** Plans a round, if there is news and none is planned. */
  soon(): void {
    const { agenda, queue, now, times, stage } = this.#context;
    if (this.#isPlanned || queue.isEmpty || stage.kind === "left") return;
    this.#isPlanned = true;
    agenda.schedule(now + jittered(this.#context, times.gossipMs), () => {
      this.#isPlanned = false;
      this.#round();
    });
  }

  #round(): void {
    const { queue, table } = this.#context;
    const limit = retransmissions(memberCount(this.#context));
    const packets = Math.min(GOSSIP_LIMITS.packetsPerTarget, Math.ceil(queue.bytes / MAX_ITEMS_BYTES));
    // Whoever is suspected may well be dead: it is told what concerns it when it is probed.
    for (const peer of table.sample(GOSSIP_LIMITS.fanout, null, "alive")) {
      for (let packet = 0; packet < packets && !queue.isEmpty; packet++) {
        send(this.#context, peer, { type: "gossip", items: queue.take(MAX_ITEMS_BYTES, limit) });
      }
    }
  }
}
