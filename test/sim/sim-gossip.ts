/**
 * A network of supernodes that run the real membership code under a virtual clock. Lines
 * have latency, lose packets and can be cut; nodes can be killed, stopped and slow.
 */
import { equalBytes, toHex } from "../../protocol/bytes.ts";
import {
  decodeSupernodeCertificate,
  encodeSupernodeCertificate,
  type SupernodeCertificate,
} from "../../protocol/certificate.ts";
import { messageBytes } from "../../protocol/gossip-message.ts";
import { GOSSIP_TAG_BYTES, HELLO_BYTES } from "../../protocol/gossip-packet.ts";
import { type Announcement, decodeVoucher, encodeVoucher, type Voucher } from "../../protocol/gossip-statement.ts";
import { NetworkId, SupernodeId } from "../../protocol/identifiers.ts";
import { type Signed, signBody } from "../../protocol/signed.ts";
import type { Appointment } from "../../relay/membership/agenda.ts";
import type { Door, GossipEffect } from "../../relay/membership/gossip-context.ts";
import { GossipCore, type GossipEvent, type RememberedMember } from "../../relay/membership/gossip-core.ts";
import { GOSSIP_TIMES, type GossipTimes } from "../../relay/membership/gossip-times.ts";
import type { MembershipChange } from "../../relay/membership-source.ts";
import { cheapKeyPair, cheapSignatures } from "./cheap-signatures.ts";
import { seededRandom, VirtualTime } from "./virtual-time.ts";

const START = 1_800_000_000_000;
const MONTH_MS = 30 * 24 * 3_600_000;
const NETWORK = NetworkId.parse("51".repeat(20));
/** IP and UDP headers, and what the sealed packet adds to a message. */
const IP_UDP_BYTES = 28;
const SEAL_BYTES = 28 + GOSSIP_TAG_BYTES;

type EffectOf<T extends GossipEffect["type"]> = Extract<GossipEffect, { type: T }>;

export interface SimGossipOptions {
  readonly seed: number;
  readonly times?: Partial<GossipTimes>;
  /** Share of packets lost, 0 to 1. */
  readonly loss?: number;
  /** One way: this much for the nearest, and up to this much more. */
  readonly latencyMs?: readonly [number, number];
}

export class SimNode {
  readonly network: SimGossip;
  readonly certificate: Signed<SupernodeCertificate>;
  readonly secretKey: Uint8Array;
  core: GossipCore;
  isUp = false;
  /** Stopped as by SIGSTOP: packets wait in its socket. */
  isStopped = false;
  /** Packets from outside reach it only if it has sent to their sender before. */
  isFirewalled = false;
  refusesTcp = false;
  /** Which side of a partition it is on. */
  side = 0;
  sentBytes = 0;
  sentPackets = 0;
  #waiting: GossipEvent[] = [];
  #wake: Appointment | null = null;
  #wakeAt = Number.POSITIVE_INFINITY;
  readonly hasSentTo = new Set<SupernodeId>();

  constructor(network: SimGossip, certificate: Signed<SupernodeCertificate>, secretKey: Uint8Array) {
    this.network = network;
    this.certificate = certificate;
    this.secretKey = secretKey;
    this.core = this.#newCore([]);
  }

  get id(): SupernodeId {
    return this.certificate.value.supernodeId;
  }

  /** Starts, or starts again with nothing but the seeds. */
  start(seeds: readonly SimNode[]): void {
    this.prepare(seeds);
    this.begin([]);
  }

  prepare(seeds: readonly SimNode[]): void {
    this.core = this.#newCore(seeds);
    this.#waiting = [];
    this.isStopped = false;
    this.hasSentTo.clear();
  }

  begin(members: readonly RememberedMember[]): void {
    this.isUp = true;
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
    this.isUp = false;
    this.network.time.cancel(this.#wake);
    this.#wakeAt = Number.POSITIVE_INFINITY;
  }

  leave(): void {
    this.handle({ type: "leave" });
    this.kill();
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

  handle(event: GossipEvent): void {
    if (!this.isUp) return;
    if (this.isStopped) {
      if (event.type !== "wake" && this.#waiting.length < 200) this.#waiting.push(event);
      return;
    }
    for (const effect of this.core.handle(event, this.network.time.now)) this.#carryOut(effect);
    this.#planWake();
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
        this.network.onChange(this, effect.change);
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
    this.#wake = this.network.time.at(at, () => {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.handle({ type: "wake" });
      if (this.isStopped) return;
      this.#planWake();
    });
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

export class SimGossip {
  readonly time = new VirtualTime(START);
  readonly random: () => number;
  readonly times: GossipTimes;
  readonly nodes: SimNode[] = [];
  readonly #byId = new Map<SupernodeId, SimNode>();
  readonly #networkKeys: ReturnType<typeof cheapKeyPair>;
  readonly #latencyMs: readonly [number, number];
  loss: number;
  /** Called for every change that any node sees. */
  onChange: (node: SimNode, change: MembershipChange) => void = () => {};

  constructor(options: SimGossipOptions) {
    this.random = seededRandom(options.seed);
    this.times = { ...GOSSIP_TIMES, ...options.times };
    this.loss = options.loss ?? 0;
    this.#latencyMs = options.latencyMs ?? [10, 90];
    this.#networkKeys = cheapKeyPair(this.random);
  }

  /** A supernode with a certificate, not started yet. */
  add(): SimNode {
    const { publicKey, secretKey } = cheapKeyPair(this.random);
    const id = Uint8Array.from({ length: 20 }, () => Math.floor(this.random() * 256));
    const certificate = encodeSupernodeCertificate({
      networkId: NETWORK,
      supernodeId: SupernodeId.parse(toHex(id)),
      signKey: publicKey,
      tlsFingerprint: new Uint8Array(32),
      host: `192.0.2.${this.nodes.length % 256}`,
      port: 443,
      serial: 1,
      issuedAt: START,
      expiresAt: START + MONTH_MS,
    });
    const signed = signBody(cheapSignatures, "supernodeCertificate", certificate, this.#networkKeys.secretKey);
    const node = new SimNode(this, this.trust(signed), secretKey);
    this.nodes.push(node);
    this.#byId.set(node.id, node);
    return node;
  }

  /** So many supernodes that know of each other by the login server's list, started within `overMs`. */
  addAndStart(count: number, overMs: number): SimNode[] {
    const added = Array.from({ length: count }, () => this.add());
    for (const node of added) this.time.after(this.random() * overMs, () => node.start(this.seedsFor(node)));
    return added;
  }

  /**
   * So many supernodes that have been members for long: what each of them would have learned
   * by joining one after the other, without simulating that.
   */
  form(count: number): SimNode[] {
    const formed = Array.from({ length: count }, () => this.add());
    for (const node of formed) node.prepare(this.seedsFor(node));
    const members = formed.map((node, place) => {
      const guarantor = formed[(place + 1) % count] as SimNode;
      const { certificate, announcement } = node.core.hello(false);
      return { certificate, item: { kind: "member", announcement, voucher: guarantor.vouchFor(node) } as const };
    });
    for (const node of formed) node.begin(members);
    return formed;
  }

  /** A few of the others, as a list from the login server would name all: enough to join. */
  seedsFor(node: SimNode): SimNode[] {
    const seeds = new Set<SimNode>();
    for (let tries = 0; tries < 40 && seeds.size < 20; tries++) {
      const seed = this.nodes[Math.floor(this.random() * this.nodes.length)];
      if (seed && seed !== node) seeds.add(seed);
    }
    return [...seeds];
  }

  get up(): SimNode[] {
    return this.nodes.filter((node) => node.isUp);
  }

  node(id: SupernodeId): SimNode | undefined {
    return this.#byId.get(id);
  }

  trust(bytes: Uint8Array): Signed<SupernodeCertificate> {
    const known = this.#trusted.get(bytes);
    if (known) return known;
    const certificate = decodeSupernodeCertificate(bytes);
    this.#trusted.set(bytes, certificate);
    return certificate;
  }

  deliver(from: SimNode, { to: { id: to }, message, through }: EffectOf<"send">): void {
    from.sentBytes += IP_UDP_BYTES + SEAL_BYTES + messageBytes(message);
    // Nobody can authenticate what was sealed for an earlier life of the recipient.
    const assumed = from.core.peer(to)?.announcement;
    const own = from.core.hello(false).announcement;
    this.#carry(from, to, through, (target) => {
      const sender = target.core.peer(from.id);
      const isReadable =
        hasKeyOf(sender?.announcement, own) && hasKeyOf(assumed, target.core.hello(false).announcement);
      if (isReadable) target.handle({ type: "message", from: from.id, message });
      else if (sender) target.core.count("forged");
      else target.handle({ type: "stranger", supernodeId: from.id });
    });
  }

  greet(from: SimNode, { to, isAnswer, through }: EffectOf<"hello">): void {
    from.sentBytes += IP_UDP_BYTES + (isAnswer ? from.certificate.bytes.length + 150 : HELLO_BYTES);
    const hello = from.core.hello(isAnswer);
    this.#carry(from, to.value.supernodeId, through, (target) => target.handle({ type: "hello", hello }));
  }

  probeTcp(from: SimNode, supernodeId: SupernodeId): void {
    const target = this.#byId.get(supernodeId);
    const isReachable = target?.isUp === true && !target.refusesTcp && target.side === from.side;
    this.time.after(isReachable ? 3 * this.#latency(from, supernodeId) : 1_000, () =>
      from.handle({ type: "tcp-probed", supernodeId, isReachable }),
    );
  }

  /** Of the line between two nodes, as it is just now. */
  roundTripMs(from: SimNode, to: SimNode): number {
    return 2 * this.#latency(from, to.id);
  }

  #carry(from: SimNode, to: SupernodeId, through: Door, arrive: (target: SimNode) => void): void {
    from.sentPackets++;
    from.hasSentTo.add(to);
    const target = this.#byId.get(to);
    if (!target || this.random() < this.loss) return;
    this.time.after(this.#latency(from, to), () => {
      const isBlocked =
        target.side !== from.side || (target.isFirewalled && (through === "other" || !target.hasSentTo.has(from.id)));
      if (target.isUp && !isBlocked) arrive(target);
    });
  }

  /** Of a pair mostly the same, with some jitter. */
  #latency(from: SimNode, to: SupernodeId): number {
    const [nearest, spread] = this.#latencyMs;
    const pair = (Number.parseInt(from.id.slice(0, 4), 16) ^ Number.parseInt(to.slice(0, 4), 16)) / 65_536;
    return nearest + spread * (0.9 * pair + 0.1 * this.random());
  }

  readonly #trusted = new Map<Uint8Array, Signed<SupernodeCertificate>>();
}

function hasKeyOf(a: Signed<Announcement> | undefined, b: Signed<Announcement>): boolean {
  return a !== undefined && (a === b || equalBytes(a.value.gossipKey, b.value.gossipKey));
}
