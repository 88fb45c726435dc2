/** Opens a link: connects to another supernode, pinned, and joins it with mutual proof. */
import { randomBytes } from "node:crypto";
import { io, type Socket } from "socket.io-client";
import { requireAttachAnswer, requireProtocolVersion, signAttach } from "../../protocol/attach-proof.ts";
import { equalBytes } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import { PROTOCOL_VERSION } from "../../protocol/limits.ts";
import { type OpenStream, supernodeSocketOptions, supernodeUrl } from "../../protocol/pinned-tls.ts";
import { caller } from "../../protocol/rpc.ts";
import { Challenge, LINK_METHODS } from "../../protocol/supernode-api.ts";
import { type TrustAnchor, trustSupernodeCertificate } from "../../protocol/trust.ts";
import type { Member } from "../membership/membership-source.ts";

/** Who joins. */
export interface LinkIdentity {
  readonly anchor: TrustAnchor;
  readonly signSecret: Uint8Array;
  /** This supernode's own certificate, as it is now. */
  readonly self: () => Member;
  /** Connects to those only who may be dialled. */
  readonly open: OpenStream;
}

/**
 * A socket over which the other supernode answers LINK_REQUESTS. One that fails is closed.
 * @throws KithError `supernode-unreachable`, `supernode-untrusted`, `protocol-version`, or the other one's refusal
 */
export async function openJoinedSocket(target: Member, identity: LinkIdentity, timeoutMs: number): Promise<Socket> {
  const socket = io(supernodeUrl(target.value), supernodeSocketOptions(target.value, identity.open));
  try {
    const challenge = await receiveChallenge(socket, timeoutMs);
    await join(socket, target, identity, challenge, timeoutMs);
    // The events of a socket that closed in the meantime have passed already.
    if (!socket.connected) throw new KithError("supernode-unreachable");
    return socket;
  } catch (error) {
    socket.disconnect();
    throw error;
  }
}

function receiveChallenge(socket: Socket, timeoutMs: number): Promise<Challenge> {
  return new Promise((resolve, reject) => {
    const settle = (result: Challenge | KithError) => {
      clearTimeout(timer);
      socket.off("connect_error").off("disconnect").off("challenge");
      if (result instanceof KithError) reject(result);
      else resolve(result);
    };
    const timer = setTimeout(() => settle(new KithError("supernode-unreachable")), timeoutMs);
    const failed = (cause: unknown) => settle(new KithError("supernode-unreachable", {}, { cause }));
    socket.once("connect_error", failed);
    socket.once("disconnect", failed);
    socket.once("challenge", (received: unknown) => {
      const challenge = Challenge.safeParse(received);
      settle(challenge.success ? challenge.data : new KithError("malformed", { what: "challenge" }));
    });
  });
}

async function join(
  socket: Socket,
  target: Member,
  { anchor, signSecret, self }: LinkIdentity,
  challenge: Challenge,
  timeoutMs: number,
): Promise<void> {
  requireProtocolVersion(challenge.protocolVersion, "The other supernode");
  if (challenge.networkKeys) anchor.learn(Uint8Array.from(challenge.networkKeys));
  const shown = trustSupernodeCertificate(anchor, challenge.certificate).value;
  if (shown.supernodeId !== target.value.supernodeId || !equalBytes(shown.signKey, target.value.signKey)) {
    throw new KithError("supernode-untrusted");
  }
  const claim = {
    challengeNonce: challenge.nonce,
    nonce: randomBytes(32),
    supernodeId: shown.supernodeId,
    tlsFingerprint: target.value.tlsFingerprint,
  };
  const answer = await caller(
    socket,
    LINK_METHODS,
    timeoutMs,
  )("join", {
    protocolVersion: PROTOCOL_VERSION,
    certificate: self().bytes,
    nonce: claim.nonce,
    proof: signAttach(claim, signSecret),
  });
  requireAttachAnswer(claim, answer.proof, shown.signKey);
}
