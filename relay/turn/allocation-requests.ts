/** Requests on an allocation that exists: Refresh, CreatePermission and ChannelBind (RFC 8656 §8.2, §10.2, §12.2). */
import { grantedLifetimeS } from "./allocate-request.ts";
import { type Allocation, FIRST_CHANNEL, LAST_CHANNEL, LAST_OLD_CHANNEL } from "./allocation.ts";
import { readXorAddress } from "./stun-address.ts";
import { Attribute } from "./stun-attributes.ts";
import type { StunMessage } from "./stun-message.ts";
import { TransportAddress } from "./transport-address.ts";
import { failure, success, type TurnAnswer } from "./turn-answer.ts";
import {
  allocationOf,
  familyAttribute,
  isAnswer,
  lifetimeAttribute,
  type TurnRequest,
  type TurnServices,
} from "./turn-request.ts";

/** RFC 8656 §8.2. */
export function refresh(request: TurnRequest, services: TurnServices): TurnAnswer {
  const { message, nowMs } = request;
  const allocation = allocationOf(request);
  if (isAnswer(allocation)) return allocation;
  const family = familyAttribute(message, Attribute.requestedAddressFamily);
  const lifetime = lifetimeAttribute(message);
  if (family === "malformed" || lifetime === "malformed") return failure(400, "bad-request");
  if (family === "unknown") return failure(443, "family-mismatch");
  if (family !== "absent" && allocation.relayOf(family) === null) return failure(443, "family-mismatch");
  if (lifetime === 0) {
    if (family !== "absent" && allocation.relays.length > 1) services.allocations.removeFamily(allocation, family);
    else services.allocations.remove(allocation, nowMs);
    return success((writer) => writer.u32(Attribute.lifetime, 0));
  }
  const granted = grantedLifetimeS(lifetime);
  allocation.expiresAtMs = nowMs + granted * 1_000;
  return success((writer) => writer.u32(Attribute.lifetime, granted));
}

/** RFC 8656 §10.2: all of the addresses or none. */
export function createPermission(request: TurnRequest, services: TurnServices): TurnAnswer {
  const { message, nowMs } = request;
  const allocation = allocationOf(request);
  if (isAnswer(allocation)) return allocation;
  const peers: TransportAddress[] = [];
  for (let index = message.find(Attribute.xorPeerAddress); index >= 0; ) {
    const peer = readPeer(message, index);
    if (!(peer instanceof TransportAddress)) return peer;
    peers.push(peer);
    index = message.findNext(Attribute.xorPeerAddress, index + 1);
  }
  if (peers.length === 0) return failure(400, "bad-request");
  if (!peers.every((peer) => hasFamilyOf(allocation, peer))) return failure(443, "family-mismatch");
  if (!peers.every((peer) => services.policy.allowsHost(peer))) return failure(403, "peer-forbidden");
  allocation.sweep(nowMs);
  if (!allocation.hasRoomFor(peers)) return failure(508, "capacity");
  for (const peer of peers) allocation.permit(peer, nowMs);
  return success();
}

/** RFC 8656 §12.2. */
export function channelBind(request: TurnRequest, services: TurnServices): TurnAnswer {
  const { message, nowMs } = request;
  const allocation = allocationOf(request);
  if (isAnswer(allocation)) return allocation;
  const channel = message.value(Attribute.channelNumber);
  const peerIndex = message.find(Attribute.xorPeerAddress);
  if (channel?.length !== 4 || peerIndex < 0) return failure(400, "bad-request");
  const number = channel.readUInt16BE(0);
  const peer = readPeer(message, peerIndex);
  if (!(peer instanceof TransportAddress)) return peer;
  if (!isChannelNumber(number, request) || allocation.hasChannelConflict(number, peer, nowMs)) {
    return failure(400, "bad-request");
  }
  if (!hasFamilyOf(allocation, peer)) return failure(443, "family-mismatch");
  const allowedAnyway = services.policy.allows(peer, false);
  const isRelayed = services.ports.ownerOf(peer) !== null;
  if (!allowedAnyway && !isRelayed) return failure(403, "peer-forbidden");
  if (!allocation.hasRoomForChannel(peer)) return failure(508, "capacity");
  allocation.bindChannel(number, peer, !allowedAnyway, nowMs);
  return success();
}

function readPeer(message: StunMessage, index: number): TransportAddress | TurnAnswer {
  const peer = new TransportAddress();
  const fault = readXorAddress(message, index, peer);
  if (fault === null) return peer;
  return fault === "malformed" ? failure(400, "bad-request") : failure(403, "peer-forbidden");
}

/** A client that signs in the way before RFC 8489 counts channels in the way before RFC 8656, as coturn's tools do. */
function isChannelNumber(number: number, { asker }: TurnRequest): boolean {
  const last = asker.seal.integrity === "sha256" ? LAST_CHANNEL : LAST_OLD_CHANNEL;
  return number >= FIRST_CHANNEL && number <= last;
}

function hasFamilyOf(allocation: Allocation, peer: TransportAddress): boolean {
  return allocation.relayOf(peer.family) !== null;
}
