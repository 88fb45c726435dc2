/** One attached connection to one supernode: both sides have proved their keys. */
import type { Socket } from "socket.io-client";
import { requireAttachAnswer, requireProtocolVersion, signAttach } from "../../protocol/attach-proof.ts";
import { equalBytes } from "../../protocol/bytes.ts";
import { authority, type SupernodeCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import type { DeviceAddress, InboxId, SupernodeId } from "../../protocol/identifiers.ts";
import { PROTOCOL_VERSION, TIMES } from "../../protocol/limits.ts";
import { supernodeSocketOptions, supernodeUrl } from "../../protocol/pinned-tls.ts";
import type { UserPresence } from "../../protocol/presence.ts";
import { type Caller, caller, serve } from "../../protocol/rpc.ts";
import { Challenge, DELIVERY_METHODS, NODE_METHODS, NODE_PUSHES } from "../../protocol/supernode-api.ts";
import { type TrustAnchor, trustSupernodeCertificate } from "../../protocol/trust.ts";
import { learn } from "../account/network-chain.ts";
import { openChallengedSocket, type Patience } from "../core/challenged-socket.ts";
import type { Surroundings } from "../core/client-options.ts";
import type { Log } from "../core/log.ts";
import type { Routes } from "../core/proxy.ts";

export interface SupernodeLink {
  readonly supernodeId: SupernodeId;
  /** Where this supernode takes envelopes for us. */
  readonly inbox: InboxId;
  readonly roundTripMs: number;
  readonly request: Caller<typeof NODE_METHODS>;
  close(): void;
  /** It carries nothing any more: closed here, and told as if the network had. */
  abandon(): void;
}

export interface LinkListener {
  /** Resolves once the envelope is stored or dropped. */
  deliver(from: DeviceAddress, envelope: Uint8Array): Promise<void>;
  presence(presence: UserPresence): void;
  keyLogHead(head: Uint8Array): void;
  /** @param elsewhere where there is room, best first */
  goAway(elsewhere: readonly SupernodeId[]): void;
  /** The other side or the network has closed it. */
  closed(): void;
}

/** Who attaches. The certificate is asked for at every attempt, since it is renewed now and then. */
export interface LinkIdentity {
  readonly anchor: TrustAnchor;
  readonly signSecret: Uint8Array;
  certificate(): Uint8Array;
}

export interface LinkSurroundings extends Pick<Surroundings, "random" | "clock" | "log"> {
  readonly routes: Pick<Routes, "to">;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
}

/**
 * Attaches to a supernode.
 * @param target from the signed list or the host cache
 * @throws KithError `supernode-unreachable`, `supernode-untrusted`, `supernode-busy`, `protocol-version`,
 *   or the code that the supernode refused with
 */
export async function openSupernodeLink(
  target: SupernodeCertificate,
  identity: LinkIdentity,
  listener: LinkListener,
  { random, clock, log, routes, signal }: LinkSurroundings,
): Promise<SupernodeLink> {
  const { socket, challenge } = await connect(target, routes, { clock, signal, timeoutMs: TIMES.attachTimeoutMs });
  const giveUp = () => socket.disconnect();
  signal.addEventListener("abort", giveUp);
  try {
    const supernode = requireTarget(target, identity.anchor, challenge);
    const nonce = random(32);
    const claim = {
      challengeNonce: challenge.nonce,
      nonce,
      supernodeId: supernode.supernodeId,
      tlsFingerprint: target.tlsFingerprint,
    };
    const request = caller(socket, NODE_METHODS);
    listen(socket, listener, identity.anchor, log);
    const startedAt = clock.monotonic();
    const { proof, inbox } = await request("attach", {
      protocolVersion: PROTOCOL_VERSION,
      certificate: identity.certificate(),
      nonce,
      proof: signAttach(claim, identity.signSecret),
    });
    const roundTripMs = clock.monotonic() - startedAt;
    requireAnswer(claim, proof, supernode.signKey);
    socket.on("disconnect", () => listener.closed());
    if (!socket.connected) throw new KithError("supernode-unreachable");
    return {
      supernodeId: supernode.supernodeId,
      inbox,
      roundTripMs,
      request,
      close: () => close(socket),
      abandon: () => socket.disconnect(),
    };
  } catch (error) {
    close(socket);
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

async function connect(target: SupernodeCertificate, routes: Pick<Routes, "to">, patience: Patience) {
  try {
    const open = await routes.to(`https://${authority(target)}`);
    return await openChallengedSocket(supernodeUrl(target), supernodeSocketOptions(target, open), Challenge, patience);
  } catch (error) {
    if (error instanceof KithError && error.code !== "timeout") throw error;
    throw new KithError("supernode-unreachable", {}, { cause: error });
  }
}

/** Its own certificate may be newer than ours of it, but must be of the same supernode and the same TLS key. */
function requireTarget(target: SupernodeCertificate, anchor: TrustAnchor, challenge: Challenge): SupernodeCertificate {
  requireProtocolVersion(challenge.protocolVersion, "The supernode");
  const value = trusted(anchor, challenge);
  const same = value.supernodeId === target.supernodeId && equalBytes(value.tlsFingerprint, target.tlsFingerprint);
  if (!same) throw new KithError("supernode-untrusted");
  return value;
}

/** A wrong clock is our own trouble; everything else is the supernode's. */
function trusted(anchor: TrustAnchor, { networkKeys, certificate }: Challenge): SupernodeCertificate {
  try {
    if (networkKeys) anchor.learn(Uint8Array.from(networkKeys));
    return trustSupernodeCertificate(anchor, certificate).value;
  } catch (error) {
    if (error instanceof KithError && error.code === "clock-skew") throw error;
    throw new KithError("supernode-untrusted", {}, { cause: error });
  }
}

function requireAnswer(claim: Parameters<typeof requireAttachAnswer>[0], proof: Uint8Array, signKey: Uint8Array): void {
  try {
    requireAttachAnswer(claim, proof, signKey);
  } catch (error) {
    throw new KithError("supernode-untrusted", {}, { cause: error });
  }
}

function listen(socket: Socket, listener: LinkListener, anchor: TrustAnchor, log: Log): void {
  const fault = (what: string, error: KithError) => log.error("supernode link", { what, cause: error.cause });
  const deliver = async ({ from, envelope }: { from: DeviceAddress; envelope: Uint8Array }) => {
    await listener.deliver(from, envelope);
    return {};
  };
  serve(socket, DELIVERY_METHODS, { deliver }, fault);
  socket.on("keyLogHead", (received: unknown) => {
    const told = NODE_PUSHES.keyLogHead.safeParse(received);
    if (told.success) listener.keyLogHead(told.data.head);
    else log.warn("supernode sent a malformed key log head");
  });
  socket.on("networkKeys", (received: unknown) => {
    const told = NODE_PUSHES.networkKeys.safeParse(received);
    if (told.success) learn(anchor, told.data.successions, log);
    else log.warn("supernode sent malformed network keys");
  });
  socket.on("presence", (received: unknown) => {
    const presence = NODE_PUSHES.presence.safeParse(received);
    if (presence.success) listener.presence(presence.data);
    else log.warn("supernode sent a malformed presence");
  });
  socket.on("goAway", (received: unknown) => {
    const farewell = NODE_PUSHES.goAway.safeParse(received);
    listener.goAway(farewell.success ? farewell.data.elsewhere : []);
  });
}

function close(socket: Socket): void {
  socket.off("disconnect");
  socket.disconnect();
}
