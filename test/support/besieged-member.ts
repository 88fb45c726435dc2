/** A member that runs in a test, beset by others with real keys that lie as the test says. */
import type { GossipItem } from "../../protocol/gossip-item.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { nodeSignatures, signingKeyPair } from "../../protocol/node-crypto.ts";
import type { SignatureScheme } from "../../protocol/signed.ts";
import { trustSupernodeCertificate } from "../../protocol/trust.ts";
import type { GossipEffect } from "../../relay/membership/gossip-context.ts";
import { GossipCore } from "../../relay/membership/gossip-core.ts";
import type { GossipEvent } from "../../relay/membership/gossip-event.ts";
import { GOSSIP_TIMES } from "../../relay/membership/gossip-times.ts";
import { seededRandom } from "../sim/virtual-time.ts";
import { GossipActor } from "./gossip-actor.ts";
import { TestAuthority } from "./test-identities.ts";

export const START = 1_800_000_000_000;

/** The member under test, and eight others that are members as well. */
export class BesiegedMember {
  now = START;
  readonly authority = new TestAuthority(signingKeyPair(), () => this.now);
  readonly self = new GossipActor(this.authority);
  readonly others = Array.from({ length: 8 }, () => new GossipActor(this.authority));
  readonly core: GossipCore;
  effects: GossipEffect[] = [];
  verifications = 0;

  constructor() {
    const anchor = trustAnchor(this.authority.networkKey, () => this.now);
    const counting: SignatureScheme = {
      sign: nodeSignatures.sign,
      verify: (...args) => {
        this.verifications++;
        return nodeSignatures.verify(...args);
      },
    };
    this.core = new GossipCore(
      {
        certificate: this.self.certificate,
        secretKey: this.self.keys.secretKey,
        gossipKey: this.self.gossipKeys.publicKey,
        scheme: counting,
        seeds: this.others.map(({ certificate }) => certificate),
        trustCertificate: (bytes) => trustSupernodeCertificate(anchor, bytes),
        random: seededRandom(1),
        times: GOSSIP_TIMES,
      },
      this.now,
    );
    const own = { certificate: this.self.certificate, announcement: this.core.hello(false).announcement };
    this.handle({
      type: "remember",
      members: [
        ...this.others.map((other) => ({ certificate: other.certificate, item: other.item(START, this.liar) })),
        { ...own, item: { kind: "member", announcement: own.announcement, voucher: this.liar.voucherFor(this.self) } },
      ],
    });
    this.handle({ type: "start" });
  }

  get liar(): GossipActor {
    return this.others[0] as GossipActor;
  }

  get victim(): GossipActor {
    return this.others[1] as GossipActor;
  }

  get refused() {
    return this.core.metrics.refused;
  }

  /** All the others answer every ping at once. */
  handle(event: GossipEvent): GossipEffect[] {
    const effects = this.core.handle(event, this.now);
    this.effects.push(...effects);
    for (const effect of effects) {
      if (effect.type !== "send" || effect.message.type !== "ping") continue;
      const message = { type: "ack", nonce: effect.message.nonce, items: [] } as const;
      this.handle({ type: "message", from: effect.to.id, message });
    }
    return effects;
  }

  /** Items in a message of one of the others. */
  gossip(from: GossipActor, ...items: GossipItem[]): GossipEffect[] {
    return this.handle({ type: "message", from: from.id, message: { type: "gossip", items } });
  }

  pass(ms: number): void {
    const end = this.now + ms;
    while (this.core.nextWakeAt() <= end) {
      this.now = Math.max(this.now, this.core.nextWakeAt());
      this.handle({ type: "wake" });
    }
    this.now = end;
  }

  isMember(actor: GossipActor): boolean {
    return this.core.members.some(({ id }) => id === actor.id);
  }
}
