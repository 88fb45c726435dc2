/** One simulated supernode: the real membership code, with a line and a processor that may have their troubles. */
import { equalBytes } from "../../protocol/bytes.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { GossipMessage } from "../../protocol/gossip-message.ts";
import { type Announcement, decodeVoucher, encodeVoucher, type Voucher } from "../../protocol/gossip-statement.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { type Signed, signBody } from "../../protocol/signed.ts";
import type { Appointment } from "../../relay/membership/agenda.ts";
import { EarlyPackets } from "../../relay/membership/early-packets.ts";
import type { GossipEffect } from "../../relay/membership/gossip-context.ts";
import { GossipCore } from "../../relay/membership/gossip-core.ts";
import type { GossipEvent, RememberedMember } from "../../relay/membership/gossip-event.ts";
import type { GossipTimes } from "../../relay/membership/gossip-times.ts";
import type { MembershipChange } from "../../relay/membership/membership-source.ts";
import { cheapSignatures } from "./cheap-signatures.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What waits in the socket of a process that is stopped. */
const SOCKET_PACKETS = 200;

/** A message, sealed as it were: it opens only where both ends know each other by these announcements. */
export interface SimPacket {
  readonly from: SupernodeId;
  readonly sender: Signed<Announcement>;
  readonly recipient: Signed<Announcement>;
  readonly message: GossipMessage;
}

export type EffectOf<T extends GossipEffect["type"]> = Extract<GossipEffect, { type: T }>;

/** What lies between the nodes, and what it sees of each. */
export interface SimNetwork {
  readonly time: VirtualTime;
  readonly random: () => number;
  readonly times: GossipTimes;
  isLine(from: SimNode, to: SimNode): boolean;
  roundTripMs(from: SimNode, to: SimNode): number;
  trust(bytes: Uint8Array): Signed<SupernodeCertificate>;
  deliver(from: SimNode, effect: EffectOf<"send">): void;
  greet(from: SimNode, effect: EffectOf<"hello">): void;
  probeTcp(from: SimNode, supernodeId: SupernodeId): void;
  changed(node: SimNode, change: MembershipChange): void;
}

export class SimNode {
  readonly network: SimNetwork;
  readonly certificate: Signed<SupernodeCertificate>;
  readonly secretKey: Uint8Array;
  /** In the order in which they were added. */
  readonly number: number;
  core: GossipCore;
  isUp = false;
  /** When it crashed, ms since 1970; null while it is up, and if it said goodbye. */
  diedAt: number | null = null;
  /** Stopped as by SIGSTOP: packets wait in its socket. */
  isStopped = false;
  /** Packets from outside reach it only if it has sent to their sender before. */
  isFirewalled = false;
  refusesTcp = false;
  /** It lies about the TCP ports that it is asked to try. */
  claimsNobodyAnswers = false;
  /** Which side of a partition it is on. */
  side = 0;
  /** Its line is dead: nothing comes in or goes out. */
  isCut = false;
  /** How late it may be for what it has to do: a machine with too much work. */
  lagMs = 0;
  /** Slow, or on a line that comes and goes: to hold it for dead now and then is no fault of the others. */
  isTroubled = false;
  sentBytes = 0;
  sentPackets = 0;
  /** Of the members that it knows, itself included: equal for equal sets, but once in 2^64. */
  readonly viewHash = new Uint32Array(2);
  readonly #mark: readonly [number, number];
  #early = new EarlyPackets<SimPacket>();
  #waiting: GossipEvent[] = [];
  #wake: Appointment | null = null;
  #wakeAt = Number.POSITIVE_INFINITY;
  /** Only of one behind a firewall. */
  readonly hasSentTo = new Set<SupernodeId>();

  constructor(
    network: SimNetwork,
    certificate: Signed<SupernodeCertificate>,
    keys: { readonly secretKey: Uint8Array; readonly number: number },
  ) {
    this.network = network;
    this.certificate = certificate;
    this.secretKey = keys.secretKey;
    this.number = keys.number;
    this.#mark = [Math.floor(network.random() * 2 ** 32), Math.floor(network.random() * 2 ** 32)];
    this.core = this.#newCore([]);
  }

  get id(): SupernodeId {
    return this.certificate.value.supernodeId;
  }

  /** Puts it into a set of members, or takes it out again. */
  countIn(hash: Uint32Array): void {
    hash[0] = (hash[0] as number) ^ this.#mark[0];
    hash[1] = (hash[1] as number) ^ this.#mark[1];
  }

  /** Starts, or starts again with nothing but the seeds. */
  start(seeds: readonly SimNode[]): void {
    this.prepare(seeds);
    this.begin([]);
  }

  prepare(seeds: readonly SimNode[]): void {
    this.core = this.#newCore(seeds);
    this.#early = new EarlyPackets();
    this.#waiting = [];
    this.isStopped = false;
    this.hasSentTo.clear();
    this.viewHash.fill(0);
    this.countIn(this.viewHash);
  }

  begin(members: readonly RememberedMember[]): void {
    this.isUp = true;
    this.diedAt = null;
    this.handle({ type: "remember", members });
    this.handle({ type: "start" });
  }

  vouchFor(node: SimNode): Signed<Voucher> {
    const body = encodeVoucher({
      subject: node.id,
      certificateSerial: node.certificate.value.serial,
      voucher: this.id,
    });
    return decodeVoucher(signBody(cheapSignatures, "voucher", body, this.secretKey));
  }

  kill(): void {
    this.diedAt = this.network.time.now;
    this.#end();
  }

  leave(): void {
    this.handle({ type: "leave" });
    this.#end();
  }

  stop(): void {
    this.isStopped = true;
  }

  resume(): void {
    this.isStopped = false;
    // As in a real process: timers that are due come before what waits in the socket.
    this.handle({ type: "wake" });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const event of waiting) this.handle(event);
  }

  receive(packet: SimPacket): void {
    const { from, message } = packet;
    const sender = this.core.peer(from);
    if (!sender) {
      this.#early.keep(from, packet, this.network.time.now);
      this.handle({ type: "stranger", supernodeId: from });
    } else if (
      hasSameKey(sender.announcement, packet.sender) &&
      // Nobody can authenticate what was sealed for an earlier life of the recipient.
      hasSameKey(packet.recipient, this.core.announcement)
    ) {
      this.handle({ type: "message", from, message });
    } else this.core.count("forged");
  }

  handle(event: GossipEvent): void {
    if (!this.isUp) return;
    if (this.isStopped) {
      if (event.type !== "wake" && this.#waiting.length < SOCKET_PACKETS) this.#waiting.push(event);
      return;
    }
    for (const effect of this.core.handle(event, this.network.time.now)) this.#carryOut(effect);
    this.#planWake();
    const early = this.#early.takeKnown((id) => this.core.peer(id) !== undefined, this.network.time.now);
    for (const packet of early) this.receive(packet);
  }

  /** IDs of all members as this node sees them, itself included. */
  view(): Set<SupernodeId> {
    return new Set([this.id, ...this.core.members.map(({ id }) => id)]);
  }

  #carryOut(effect: GossipEffect): void {
    switch (effect.type) {
      case "send":
        this.network.deliver(this, effect);
        break;
      case "hello":
        this.network.greet(this, effect);
        break;
      case "probe-tcp":
        this.network.probeTcp(this, effect.certificate.value.supernodeId);
        break;
      case "changed":
        this.network.changed(this, effect.change);
        break;
      case "stage":
        break;
      default:
        effect satisfies never;
    }
  }

  #planWake(): void {
    const at = this.core.nextWakeAt();
    if (at >= this.#wakeAt) return;
    this.network.time.cancel(this.#wake);
    this.#wakeAt = at;
    const lateMs = this.lagMs > 0 ? this.lagMs * this.network.random() : 0;
    this.#wake = this.network.time.at(at + lateMs, () => {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.handle({ type: "wake" });
      if (this.isStopped) return;
      this.#planWake();
    });
  }

  #end(): void {
    this.isUp = false;
    this.network.time.cancel(this.#wake);
    this.#wakeAt = Number.POSITIVE_INFINITY;
    // Thousands come and go in a long run: what the dead knew is not kept.
    this.core = this.#newCore([]);
  }

  #newCore(seeds: readonly SimNode[]): GossipCore {
    const { network } = this;
    return new GossipCore(
      {
        certificate: this.certificate,
        secretKey: this.secretKey,
        gossipKey: Uint8Array.from({ length: 32 }, () => Math.floor(network.random() * 256)),
        scheme: cheapSignatures,
        seeds: seeds.map((seed) => seed.certificate),
        trustCertificate: (bytes) => network.trust(bytes),
        random: network.random,
        times: network.times,
      },
      network.time.now,
    );
  }
}

function hasSameKey(a: Signed<Announcement>, b: Signed<Announcement>): boolean {
  return a === b || equalBytes(a.value.gossipKey, b.value.gossipKey);
}
