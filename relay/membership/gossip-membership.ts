/**
 * Membership by gossip, for a real supernode: the state machine with a socket, a clock and
 * a file. To everything else in the supernode it is a Membership like any other.
 */
import type { Logger } from "pino";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import { decodeGossipMessage, encodeGossipMessage } from "../../protocol/gossip-message.ts";
import { decodeGossipPacket, encodeHello, isGossipPacket } from "../../protocol/gossip-packet.ts";
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { nodeSignatures } from "../../protocol/node-crypto.ts";
import type { Signed } from "../../protocol/signed.ts";
import { type TrustAnchor, trustSupernodeCertificate } from "../../protocol/trust.ts";
import { CurrentPlacement } from "../records/current-placement.ts";
import { PlacementTable } from "../records/placement-table.ts";
import { SteadyClock } from "../steady-clock.ts";
import type { IsRevoked } from "./certificate-directory.ts";
import type { DatagramPort } from "./datagram-port.ts";
import { EarlyPackets } from "./early-packets.ts";
import type { Door, GossipEffect } from "./gossip-context.ts";
import { GossipCore } from "./gossip-core.ts";
import type { GossipEvent } from "./gossip-event.ts";
import type { GossipMetrics } from "./gossip-metrics.ts";
import { GOSSIP_TIMES, type GossipTimes } from "./gossip-times.ts";
import { HostNames } from "./host-names.ts";
import { decodeMembers, encodeMembers } from "./member-file.ts";
import type { Member, Membership, MembershipChange, Stage } from "./membership-source.ts";
import { newGossipKeyPair, PacketSeal } from "./packet-seal.ts";
import type { Peer } from "./peer.ts";

const SAVE_MS = 60_000;
/** Time for the news of our leaving to leave. */
const GOODBYE_MS = 200;

export interface GossipMembershipParts {
  readonly self: Member;
  /** Ed25519, tweetnacl's format. */
  readonly secretKey: Uint8Array;
  readonly anchor: TrustAnchor;
  readonly isRevoked?: IsRevoked;
  /** Certified supernodes to begin with: the login server's list, checked. */
  readonly seeds: readonly Member[];
  /** Closed with the membership. */
  readonly port: DatagramPort;
  /** Another one on the same machine, to send from only: what a newcomer's firewall thinks of strangers. Closed too. */
  readonly otherPort: DatagramPort;
  /** Whether packets may go to this IP address. */
  readonly mayDial: (address: string) => boolean;
  /** Never rejects. */
  readonly probeTcp: (certificate: SupernodeCertificate) => Promise<boolean>;
  readonly memory: { read(): Uint8Array | null; write(bytes: Uint8Array): void };
  readonly random: () => number;
  readonly log: Logger;
  readonly times?: Partial<GossipTimes>;
}

export class GossipMembership implements Membership {
  readonly #parts: GossipMembershipParts;
  readonly #core: GossipCore;
  readonly #seal: PacketSeal;
  readonly #names: HostNames;
  readonly #early = new EarlyPackets<Uint8Array>();
  readonly #listeners = new Set<(change: MembershipChange) => void>();
  readonly #stageListeners = new Set<(stage: Stage) => void>();
  readonly #members = new Map<SupernodeId, Member>();
  readonly #clock: SteadyClock;
  readonly #placement: CurrentPlacement;
  readonly #saving: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #unreachableBy: "udp" | "tcp" | null = null;
  #isClosed = false;

  constructor(parts: GossipMembershipParts) {
    this.#parts = parts;
    this.#clock = new SteadyClock(parts.anchor.now);
    this.#names = new HostNames(parts.mayDial);
    const keys = newGossipKeyPair();
    this.#seal = new PacketSeal(parts.self.value.supernodeId, keys);
    this.#core = new GossipCore(
      {
        certificate: parts.self,
        secretKey: parts.secretKey,
        gossipKey: keys.publicKey,
        scheme: nodeSignatures,
        seeds: parts.seeds,
        trustCertificate: (bytes) => trustSupernodeCertificate(parts.anchor, bytes),
        isRevoked: parts.isRevoked,
        random: parts.random,
        times: { ...GOSSIP_TIMES, ...parts.times },
      },
      this.#clock.now(),
    );
    this.#members.set(this.#core.id, parts.self);
    this.#placement = new CurrentPlacement(new PlacementTable(this.#members.keys()));
    parts.port.onDatagram((datagram) => this.#receive(datagram));
    this.#saving = setInterval(() => this.#save(), SAVE_MS).unref();
    const remembered = parts.memory.read();
    if (remembered) this.#handle({ type: "remember", members: decodeMembers(remembered, parts.anchor.now()) });
    this.#handle({ type: "start" });
  }

  get stage(): Stage {
    return this.#core.stage;
  }

  get metrics(): GossipMetrics {
    return this.#core.metrics;
  }

  members(): ReadonlyMap<SupernodeId, Member> {
    return this.#members;
  }

  placement(): PlacementTable {
    return this.#placement.table();
  }

  holdersOf(userId: UserId, count?: number): SupernodeId[] {
    return this.placement().holders(userId, count);
  }

  /** All supernodes with a good certificate that we know of, members or not, without this one. */
  certified(): Member[] {
    return this.#core.certified();
  }

  meet(supernode: Member): void {
    this.#handle({ type: "met", certificate: supernode });
  }

  /** Another supernode says by TCP that it is a member: no reason to begin a network of our own. */
  othersTakePart(): void {
    this.#handle({ type: "others-take-part" });
  }

  /** The TCP link to a member has broken: it is probed at once. */
  linkLost(supernodeId: SupernodeId): void {
    this.#handle({ type: "link-lost", supernodeId });
  }

  /** Our own certificate has been renewed. */
  renewSelf(self: Member): void {
    this.#handle({ type: "certificate-renewed", certificate: self });
    this.#tell({ kind: "renewed", member: self });
  }

  onChange(listener: (change: MembershipChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Told after `stage` has changed. Returns how to stop being told. */
  onStage(listener: (stage: Stage) => void): () => void {
    this.#stageListeners.add(listener);
    return () => this.#stageListeners.delete(listener);
  }

  /** Waits until it is decided whether this supernode takes part, but no longer than this. */
  async decided(withinMs: number): Promise<void> {
    if (this.stage.kind !== "joining") return;
    await new Promise<void>((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        stop();
        resolve();
      };
      const timer = setTimeout(settle, withinMs);
      const stop = this.onStage(settle);
    });
  }

  /** Says goodbye, so that nobody has to find out. */
  close(): void {
    if (this.#isClosed) return;
    this.#save();
    this.#handle({ type: "leave" });
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#saving);
    this.#listeners.clear();
    this.#stageListeners.clear();
    setTimeout(() => {
      this.#parts.port.close();
      this.#parts.otherPort.close();
    }, GOODBYE_MS).unref();
  }

  #handle(event: GossipEvent): void {
    if (this.#isClosed) return;
    for (const effect of this.#core.handle(event, this.#clock.now())) this.#carryOut(effect);
    clearTimeout(this.#timer);
    const waitMs = this.#core.nextWakeAt() - this.#clock.now();
    if (Number.isFinite(waitMs)) {
      this.#timer = setTimeout(() => this.#handle({ type: "wake" }), Math.max(0, waitMs)).unref();
    }
    const early = this.#early.takeKnown((id) => this.#core.peer(id) !== undefined, this.#clock.now());
    for (const datagram of early) this.#receive(datagram);
  }

  #carryOut(effect: GossipEffect): void {
    switch (effect.type) {
      case "send":
        this.#send(effect.to, encodeGossipMessage(effect.message), effect.through);
        break;
      case "hello":
        this.#sendTo(effect.to, encodeHello(this.#core.hello(effect.isAnswer)), effect.through);
        break;
      case "probe-tcp":
        void this.#probeTcp(effect.certificate.value);
        break;
      case "changed":
        this.#tell(effect.change);
        break;
      case "stage":
        this.#entered(effect.stage);
        break;
      default:
        effect satisfies never;
    }
  }

  #send(to: Peer, message: Uint8Array, through: Door): void {
    const packet = this.#seal.seal(to.id, to.announcement.value.gossipKey, message);
    const certificate = this.#core.certificateOf(to.id);
    if (packet && certificate) this.#sendTo(certificate, packet, through);
  }

  /** Only ever to where a certificate says: whoever forges a source address draws no answer there. */
  #sendTo({ value: { host, port } }: Signed<SupernodeCertificate>, packet: Uint8Array, through: Door): void {
    const door = through === "own" ? this.#parts.port : this.#parts.otherPort;
    const address = this.#names.addressOf(host);
    if (address) door.send(packet, address, port);
  }

  async #probeTcp(certificate: SupernodeCertificate): Promise<void> {
    const isReachable = await this.#parts.probeTcp(certificate);
    this.#handle({ type: "tcp-probed", supernodeId: certificate.supernodeId, isReachable });
  }

  #receive(datagram: Uint8Array): void {
    if (this.#isClosed || !isGossipPacket(datagram)) return;
    try {
      const packet = decodeGossipPacket(datagram);
      if (packet.kind === "hello") {
        this.#handle({ type: "hello", hello: packet.hello });
        return;
      }
      const sender = this.#core.peer(packet.sender);
      if (!sender) {
        // A copy: the buffer may be the socket's, and used again.
        this.#early.keep(packet.sender, new Uint8Array(datagram), this.#clock.now());
        this.#handle({ type: "stranger", supernodeId: packet.sender });
        return;
      }
      const verdict = this.#seal.open(packet, sender.announcement.value.gossipKey);
      if (verdict !== "genuine") {
        this.#core.count(verdict);
        return;
      }
      this.#handle({ type: "message", from: packet.sender, message: decodeGossipMessage(packet.message) });
    } catch (error) {
      // Whatever our fault is, no packet of anybody ends this process.
      if (!(error instanceof KithError))
        this.#parts.log.error({ err: error }, "a gossip packet could not be dealt with");
      this.#core.count("malformed");
    }
  }

  #entered(stage: Stage): void {
    const { log } = this.#parts;
    const before = this.#unreachableBy;
    this.#unreachableBy = stage.kind === "unreachable" ? stage.by : null;
    if (stage.kind === "unreachable") {
      // Others try every few seconds: once is enough to be told.
      if (stage.by !== before)
        log.warn(
          { by: stage.by },
          "no member can reach this supernode from outside: is the port open in the firewall?",
        );
    } else log.info({ stage: stage.kind }, "the membership has entered a stage");
    for (const listener of this.#stageListeners) listener(stage);
  }

  #tell(change: MembershipChange): void {
    if (change.kind === "left") {
      this.#members.delete(change.supernodeId);
      this.#placement.left(change.supernodeId);
    } else {
      this.#members.set(change.member.value.supernodeId, change.member);
      this.#placement.joined(change.member.value.supernodeId);
    }
    for (const listener of this.#listeners) listener(change);
  }

  #save(): void {
    // A network of one is nothing to remember, and may be one that we were cut off from.
    if (this.#core.members.length === 0) return;
    try {
      this.#parts.memory.write(encodeMembers(this.#core.known()));
    } catch (error) {
      this.#parts.log.warn({ err: error }, "the members could not be written down");
    }
  }
}
