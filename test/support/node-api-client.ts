/** A raw ordinary node: speaks supernode-api.ts over a real socket and keeps what it is pushed. Also what a hostile one needs. */
import { io, type Socket } from "socket.io-client";
import type { z } from "zod";
import { requireAttachAnswer, signAttach } from "../../protocol/attach-proof.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { InboxId, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { encodeLease, type Lease } from "../../protocol/lease.ts";
import { PROTOCOL_VERSION, TIMES } from "../../protocol/limits.ts";
import { nodeSignatures } from "../../protocol/node-crypto.ts";
import { supernodeSocketOptions, supernodeUrl } from "../../protocol/pinned-tls.ts";
import { UserPresence } from "../../protocol/presence.ts";
import { type Caller, caller } from "../../protocol/rpc.ts";
import { signBody } from "../../protocol/signed.ts";
import { Challenge, NODE_METHODS, NODE_PUSHES } from "../../protocol/supernode-api.ts";
import type { TestDevice } from "./test-identities.ts";
import { until } from "./until.ts";

const NONCE = new Uint8Array(32).fill(7);

type Farewell = z.infer<typeof NODE_PUSHES.goAway>;

export interface Delivered {
  readonly from: { readonly userId: string; readonly deviceId: string };
  readonly envelope: Uint8Array;
}

/** A socket that has had its challenge and has not proved anything. */
export async function connectRaw(
  target: SupernodeCertificate,
): Promise<{ socket: Socket; challenge: Challenge; call: Caller<typeof NODE_METHODS> }> {
  const socket = io(supernodeUrl(target), supernodeSocketOptions(target));
  try {
    const challenge = await new Promise<Challenge>((resolve, reject) => {
      socket.once("challenge", (received: unknown) => resolve(Challenge.parse(received)));
      socket.once("connect_error", reject);
      socket.once("disconnect", (reason) => reject(new Error(reason)));
    });
    return { socket, challenge, call: caller(socket, NODE_METHODS) };
  } catch (error) {
    socket.disconnect();
    throw error;
  }
}

/** The fields of a good `attach`, for a test to spoil. */
export function attachRequest(target: SupernodeCertificate, challenge: Challenge, device: TestDevice) {
  const claim = {
    challengeNonce: challenge.nonce,
    nonce: NONCE,
    supernodeId: target.supernodeId,
    tlsFingerprint: target.tlsFingerprint,
  };
  const proof = signAttach(claim, device.secretKey);
  return { protocolVersion: PROTOCOL_VERSION, certificate: device.certificate, nonce: NONCE, proof };
}

export class TestNode {
  readonly device: TestDevice;
  readonly home: SupernodeCertificate;
  readonly inbox: InboxId;
  readonly socket: Socket;
  readonly call: Caller<typeof NODE_METHODS>;
  readonly delivered: Delivered[] = [];
  readonly pushed: UserPresence[] = [];
  readonly toldToGo: Farewell[] = [];
  /** What this node answers to `deliver`; null not at all. */
  answerDelivery: unknown = { ok: true, value: {} };
  #sequence: number;

  private constructor(
    device: TestDevice,
    home: SupernodeCertificate,
    socket: Socket,
    inbox: InboxId,
    call: Caller<typeof NODE_METHODS>,
  ) {
    this.device = device;
    this.home = home;
    this.inbox = inbox;
    this.socket = socket;
    this.call = call;
    this.#sequence = device.now();
    socket.on("presence", (received: unknown) => this.pushed.push(UserPresence.parse(received)));
    socket.on("goAway", (received: unknown) => this.toldToGo.push(NODE_PUSHES.goAway.parse(received)));
    socket.on("deliver", (delivered: Delivered, acknowledge: (answer: unknown) => void) => {
      this.delivered.push(delivered);
      if (this.answerDelivery !== null) acknowledge(this.answerDelivery);
    });
  }

  static async attach(home: SupernodeCertificate, device: TestDevice): Promise<TestNode> {
    const { socket, challenge, call } = await connectRaw(home);
    try {
      const request = attachRequest(home, challenge, device);
      const { proof, inbox } = await call("attach", request);
      const claim = {
        challengeNonce: challenge.nonce,
        nonce: request.nonce,
        supernodeId: home.supernodeId,
        tlsFingerprint: home.tlsFingerprint,
      };
      requireAttachAnswer(claim, proof, home.signKey);
      return new TestNode(device, home, socket, inbox, call);
    } catch (error) {
      socket.disconnect();
      throw error;
    }
  }

  /** Attached and registered: reachable. */
  static async online(home: SupernodeCertificate, device: TestDevice): Promise<TestNode> {
    const node = await TestNode.attach(home, device);
    await node.register();
    return node;
  }

  get userId(): UserId {
    return this.device.userId;
  }

  /** A lease as this node would sign it; every one has a higher sequence than the last. */
  lease(choices: Partial<Lease> = {}): Uint8Array {
    this.#sequence = Math.max(this.#sequence + 1, this.device.now());
    const lease: Lease = {
      networkId: this.device.networkId,
      userId: this.device.userId,
      signKey: this.device.signKey,
      deviceId: this.device.deviceId,
      home: this.home.supernodeId,
      inbox: this.inbox,
      sequence: this.#sequence,
      issuedAt: this.device.now(),
      validityMs: TIMES.leaseValidityMs,
      sealedBody: new Uint8Array(0),
      ...choices,
    };
    return signBody(nodeSignatures, "lease", encodeLease(lease), this.device.secretKey);
  }

  async register(choices: Partial<Lease> = {}): Promise<void> {
    await this.call("register", { lease: this.lease(choices) });
  }

  send(to: { home: SupernodeId | SupernodeCertificate; inbox: InboxId }, envelope: Uint8Array) {
    const home = typeof to.home === "string" ? to.home : to.home.supernodeId;
    return this.call("send", { home, inbox: to.inbox, envelope });
  }

  /** The last presence of a user that was pushed, in short: `online`, `gone`, `unknown`, `nothing`. */
  lastPushed(userId: UserId): string {
    return inShort(this.pushed.findLast((presence) => presence.userId === userId));
  }

  async sees(userId: UserId, state: string, withinMs = 30_000): Promise<void> {
    await until(
      () => this.lastPushed(userId) === state,
      withinMs,
      () => `${state}, is ${this.lastPushed(userId)}`,
    );
  }

  close(): void {
    this.socket.disconnect();
  }
}

export function inShort(presence: UserPresence | undefined): string {
  return presence?.devices.map((device) => device.state).join(" ") || "nothing";
}
