/**
 * A network of supernodes that run the real membership code under a virtual clock. Lines
 * have latency, lose packets and can be cut; nodes can be killed, stopped and slow.
 */
import { toHex } from "../../protocol/bytes.ts";
import {
  decodeSupernodeCertificate,
  encodeSupernodeCertificate,
  type SupernodeCertificate,
} from "../../protocol/certificate.ts";
import { messageBytes } from "../../protocol/gossip-message.ts";
import { GOSSIP_TAG_BYTES, HELLO_BYTES } from "../../protocol/gossip-packet.ts";
import { NetworkId, SupernodeId } from "../../protocol/identifiers.ts";
import { type Signed, signBody } from "../../protocol/signed.ts";
import type { Door } from "../../relay/membership/gossip-context.ts";
import { GOSSIP_TIMES, type GossipTimes } from "../../relay/membership/gossip-times.ts";
import type { MembershipChange } from "../../relay/membership/membership-source.ts";
import { cheapKeyPair, cheapSignatures } from "./cheap-signatures.ts";
import { type EffectOf, type SimNetwork, SimNode } from "./sim-node.ts";
import { seededRandom, VirtualTime } from "./virtual-time.ts";

const START = 1_800_000_000_000;
const MONTH_MS = 30 * 24 * 3_600_000;
const NETWORK = NetworkId.parse("51".repeat(20));
/** IP and UDP headers, and what the sealed packet adds to a message. */
const IP_UDP_BYTES = 28;
const SEAL_BYTES = 28 + GOSSIP_TAG_BYTES;

export interface SimGossipOptions {
  readonly seed: number;
  readonly times?: Partial<GossipTimes>;
  /** Share of packets lost, 0 to 1. */
  readonly loss?: number;
  /** One way: this much for the nearest, and up to this much more. */
  readonly latencyMs?: readonly [number, number];
}

export class SimGossip implements SimNetwork {
  readonly time = new VirtualTime(START);
  readonly random: () => number;
  readonly times: GossipTimes;
  readonly nodes: SimNode[] = [];
  readonly #byId = new Map<SupernodeId, SimNode>();
  readonly #trusted = new Map<Uint8Array, Signed<SupernodeCertificate>>();
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
    const number = this.nodes.length;
    const certificate = encodeSupernodeCertificate({
      networkId: NETWORK,
      supernodeId: SupernodeId.parse(toHex(id)),
      signKey: publicKey,
      tlsFingerprint: new Uint8Array(32),
      host: `192.0.2.${number % 256}`,
      port: 443,
      serial: 1,
      issuedAt: START,
      expiresAt: START + MONTH_MS,
    });
    const signed = signBody(cheapSignatures, "supernodeCertificate", certificate, this.#networkKeys.secretKey);
    const node = new SimNode(this, this.trust(signed), { secretKey, number });
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

  /** Any that is up; undefined if hardly one is. */
  anyUp(): SimNode | undefined {
    for (let tries = 0; tries < 1_000; tries++) {
      const node = this.nodes[Math.floor(this.random() * this.nodes.length)];
      if (node?.isUp) return node;
    }
    return undefined;
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

  deliver(from: SimNode, { to, message, through }: EffectOf<"send">): void {
    from.sentBytes += IP_UDP_BYTES + SEAL_BYTES + messageBytes(message);
    const packet = { from: from.id, sender: from.core.announcement, recipient: to.announcement, message };
    this.#carry(from, to.id, through, (target) => target.receive(packet));
  }

  greet(from: SimNode, { to, isAnswer, through }: EffectOf<"hello">): void {
    from.sentBytes += IP_UDP_BYTES + (isAnswer ? from.certificate.bytes.length + 150 : HELLO_BYTES);
    const hello = from.core.hello(isAnswer);
    this.#carry(from, to.value.supernodeId, through, (target) => target.handle({ type: "hello", hello }));
  }

  probeTcp(from: SimNode, supernodeId: SupernodeId): void {
    const target = this.#byId.get(supernodeId);
    const isOpen = target?.isUp === true && !target.refusesTcp && this.isLine(from, target);
    const isReachable = isOpen && !from.claimsNobodyAnswers;
    this.time.after(isReachable ? 1.5 * this.roundTripMs(from, target) : 1_000, () =>
      from.handle({ type: "tcp-probed", supernodeId, isReachable }),
    );
  }

  changed(node: SimNode, change: MembershipChange): void {
    if (change.kind !== "renewed") {
      const id = change.kind === "left" ? change.supernodeId : change.member.value.supernodeId;
      this.#byId.get(id)?.countIn(node.viewHash);
    }
    this.onChange(node, change);
  }

  /** Whether packets pass between two nodes. */
  isLine(from: SimNode, to: SimNode): boolean {
    return from.side === to.side && !from.isCut && !to.isCut;
  }

  /** Of the line between two nodes, as it is just now. */
  roundTripMs(from: SimNode, to: SimNode): number {
    return 2 * this.#latency(from, to);
  }

  #carry(from: SimNode, to: SupernodeId, through: Door, arrive: (target: SimNode) => void): void {
    from.sentPackets++;
    if (from.isFirewalled) from.hasSentTo.add(to);
    const target = this.#byId.get(to);
    if (!target || this.random() < this.loss) return;
    this.time.after(this.#latency(from, target) + target.lagMs * this.random(), () => {
      if (!target.isUp || !this.isLine(from, target)) return;
      const isStranger = through === "other" || !target.hasSentTo.has(from.id);
      if (!target.isFirewalled || !isStranger) arrive(target);
    });
  }

  /** Of a pair mostly the same, with some jitter. */
  #latency(from: SimNode, to: SimNode): number {
    const [nearest, spread] = this.#latencyMs;
    // Multiplicative hashing (Knuth, TAOCP 3, section 6.4).
    const pair = (Math.imul(from.number ^ to.number, 0x9e3779b1) >>> 0) / 2 ** 32;
    return nearest + spread * (0.9 * pair + 0.1 * this.random());
  }
}
