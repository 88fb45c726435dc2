/** One accepted socket: nobody's at first, then a node's or another supernode's. Dispatches what it asks. */
import { randomBytes } from "node:crypto";
import type { Socket as NetSocket } from "node:net";
import type { Socket } from "socket.io";
import type { AttachClaim } from "../../protocol/attach-proof.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { KithError, type WireError } from "../../protocol/errors.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { LinkPeer, LinkPush } from "../links/link-peer.ts";
import type { Attachment } from "../nodes/attachments.ts";
import { writeInSmallPieces } from "../ports/small-writes.ts";
import type { RelayLimits } from "../relay-limits.ts";
import type { Endpoint } from "./endpoint.ts";
import { RequestGate, weightOf } from "./request-gate.ts";
import type { RequestTally } from "./request-tally.ts";

/** What the requests of each kind of socket go to. */
export interface Endpoints {
  readonly opening: Endpoint<Connection>;
  readonly node: Endpoint<Attachment>;
  readonly link: Endpoint<LinkPeer>;
}

export type ConnectionPhase =
  | { readonly kind: "opening" }
  | { readonly kind: "node"; readonly attachment: Attachment }
  | LinkPhase;

export interface LinkPhase {
  readonly kind: "link";
  readonly peer: LinkPeer;
  /** What it has joined with. */
  readonly certificate: Pick<SupernodeCertificate, "serial" | "issuedAt" | "expiresAt">;
}

export class Connection {
  readonly socket: Socket;
  /** The TLS connection below. */
  readonly stream: NetSocket;
  /** Sent in the challenge, signed in the proof. */
  readonly challengeNonce: Uint8Array = randomBytes(32);
  phase: ConnectionPhase = { kind: "opening" };
  readonly #endpoints: Endpoints;
  readonly #limits: RelayLimits;
  readonly #now: () => number;
  readonly #tally: RequestTally;
  #gate: RequestGate;
  #isChallengeSpent = false;
  #backlogBytes = 0;
  #isGivenUp = false;

  /** @param now the wall clock, by which certificates expire */
  constructor(socket: Socket, endpoints: Endpoints, limits: RelayLimits, now: () => number, tally: RequestTally) {
    this.socket = socket;
    this.stream = socket.request.socket;
    forgetHandshake(socket);
    this.#endpoints = endpoints;
    this.#limits = limits;
    this.#now = now;
    this.#tally = tally;
    this.#gate = this.#nodeGate();
    socket.onAny((method: string, ...args: unknown[]) => this.#receive(method, args));
    socket.conn.on("packetCreate", (packet) => this.#queued(packet.data));
    socket.conn.on("flush", () => {
      this.#backlogBytes = 0;
    });
  }

  /**
   * What the proof on this connection must be about. One try per challenge.
   * @throws KithError `not-authenticated` at the second one
   */
  takeClaim(nonce: Uint8Array, supernodeId: SupernodeId, tlsFingerprint: Uint8Array): AttachClaim {
    if (this.#isChallengeSpent) throw new KithError("not-authenticated");
    this.#isChallengeSpent = true;
    return { challengeNonce: this.challengeNonce, nonce, supernodeId, tlsFingerprint };
  }

  becomeNode(attachment: Attachment): void {
    this.phase = { kind: "node", attachment };
    writeInSmallPieces(this.stream);
  }

  /** @returns the far end, for the services here to push to */
  becomeLink({ supernodeId, serial, issuedAt, expiresAt }: SupernodeCertificate): LinkPeer {
    const peer = { supernodeId, push: ({ name, value }: LinkPush) => void this.socket.emit(name, value) };
    this.phase = { kind: "link", peer, certificate: { serial, issuedAt, expiresAt } };
    const { linkRequestsInFlight, linkRequestBurst, linkRequestsPerSecond } = this.#limits;
    this.#gate = new RequestGate(
      { inFlight: linkRequestsInFlight, burst: linkRequestBurst, perSecond: linkRequestsPerSecond },
      monotonic,
    );
    return peer;
  }

  #receive(method: string, args: readonly unknown[]): void {
    const acknowledge = args[1];
    // Every request has an answer: who does not wait for it has asked for nothing.
    if (typeof acknowledge !== "function") return;
    const gate = this.#gate;
    const asker = this.phase.kind;
    try {
      gate.enter(weightOf(method, args[0]));
    } catch (error) {
      const refusal = refused(KithError.from(error));
      this.#tally.count(asker, refusal);
      acknowledge(refusal);
      return;
    }
    void this.#answer(method, args[0]).then((result) => {
      gate.leave();
      this.#tally.count(asker, result);
      acknowledge(result);
    });
  }

  async #answer(method: string, received: unknown): Promise<Answer> {
    const { opening, node, link } = this.#endpoints;
    const phase = this.phase;
    if (phase.kind === "opening" && opening.has(method)) return this.#open(method, received);
    if (phase.kind === "node" && node.has(method)) {
      if (phase.attachment.certificate.value.expiresAt <= this.#now())
        return refused(new KithError("certificate-expired"));
      return wire(await node.answer(phase.attachment, method, received));
    }
    if (phase.kind === "link" && link.has(method)) return wire(await link.answer(phase.peer, method, received));
    const isKnown = opening.has(method) || node.has(method) || link.has(method);
    return refused(isKnown ? new KithError("not-authenticated") : new KithError("unknown-method", { what: "method" }));
  }

  /** Who cannot prove themselves are told why, and that is all they get. */
  async #open(method: string, received: unknown): Promise<Answer> {
    const result = await this.#endpoints.opening.answer(this, method, received);
    if (!result.ok) setImmediate(() => this.socket.disconnect(true));
    return wire(result);
  }

  #queued(data: unknown): void {
    if (typeof data === "string" || data instanceof Uint8Array) this.#backlogBytes += data.length;
    const limit = this.phase.kind === "link" ? this.#limits.linkBacklogBytes : this.#limits.nodeBacklogBytes;
    if (this.#backlogBytes <= limit || this.#isGivenUp) return;
    this.#isGivenUp = true;
    // A farewell would only join the queue.
    this.socket.conn.close(true);
    this.stream.destroy();
  }

  #nodeGate(): RequestGate {
    const { nodeRequestsInFlight, nodeRequestBurst, nodeRequestsPerSecond } = this.#limits;
    return new RequestGate(
      { inFlight: nodeRequestsInFlight, burst: nodeRequestBurst, perSecond: nodeRequestsPerSecond },
      monotonic,
    );
  }
}

/** socket.io keeps the request that a socket began with, kilobytes of headers and streams, for as long as it is open. */
function forgetHandshake(socket: Socket): void {
  Object.assign(socket.conn, { request: undefined });
  Object.assign(socket, { handshake: undefined });
}

function monotonic(): number {
  return performance.now();
}

/** As it goes out. */
type Answer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: WireError };

/** Without the cause, which is for our log alone. */
function wire(result: Awaited<ReturnType<Endpoint<never>["answer"]>>): Answer {
  return result.ok ? result : { ok: false, error: result.error };
}

function refused(error: KithError): Answer {
  return { ok: false, error: error.toWire() };
}
