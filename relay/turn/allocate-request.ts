/** Allocate (RFC 8656 §7.2), its checks in the order of the section. */
import { DEFAULT_LIFETIME_S, MAX_LIFETIME_S } from "./allocation.ts";
import { Attribute, REASONS, TRANSPORT_UDP, WIRE_IPV4, WIRE_IPV6 } from "./stun-attributes.ts";
import type { StunMessage } from "./stun-message.ts";
import type { AddressFamily } from "./transport-address.ts";
import { failure, success, type TurnAnswer, unknownAttributes } from "./turn-answer.ts";
import { familyAttribute, lifetimeAttribute, type TurnRequest, type TurnServices } from "./turn-request.ts";

/** EVEN-PORT: reserve the next port too (RFC 8656 §18.7). */
const RESERVE_NEXT_PORT = 0x80;

export function allocate(request: TurnRequest, services: TurnServices): TurnAnswer {
  const { message, client, asker, nowMs } = request;
  if (client.allocation !== null) return failure(437, "allocation-mismatch");
  const wanted = readWishes(message, services.canForbidFragments);
  if ("kind" in wanted) return wanted;
  const [family, additional] = wanted.families;
  if (!services.ports.supports(family)) return failure(440, "family-unsupported");

  const user = services.quotas.user(asker.userId, nowMs);
  const source = services.quotas.source(services.sourceKey(client.address), nowMs);
  if (!user.hasAllocationLeft()) return failure(486, "user-allocations");
  if (!source.hasAllocationLeft()) return failure(486, "source-allocations");
  // Nothing could be relayed any more: say so now, and the client goes to another supernode.
  if (!user.hasVolumeLeft(1)) return failure(486, "user-volume");
  if (!source.hasVolumeLeft(1)) return failure(486, "source-volume");
  if (!services.quotas.total.hasVolumeLeft(1)) return failure(508, "total-volume");
  if (services.allocations.size >= services.quotas.total.limits.allocations) return failure(508, "capacity");

  const owner = { userId: asker.userId, username: asker.username, password: asker.password, user, source };
  const plan = { owner, families: wanted.families, evenPort: wanted.evenPort, lifetimeS: wanted.lifetimeS };
  const allocation = services.allocations.create(client, plan, nowMs);
  if (allocation === null) return failure(508, "capacity");
  services.counters.allocationsMade++;
  return success((writer) => {
    for (const relay of allocation.relays) writer.xorAddress(Attribute.xorRelayedAddress, relay.external);
    if (additional !== undefined && allocation.relayOf(additional) === null) {
      const code = services.ports.supports(additional) ? 508 : 440;
      writer.bytes(Attribute.addressErrorCode, addressErrorCode(additional, code));
    }
    writer.u32(Attribute.lifetime, wanted.lifetimeS).xorAddress(Attribute.xorMappedAddress, client.address);
  });
}

/** How long an allocation is to live: what was asked for, within the bounds (RFC 8656 §7.2, §8.2). */
export function grantedLifetimeS(asked: number | "absent"): number {
  return asked === "absent" ? DEFAULT_LIFETIME_S : Math.min(Math.max(asked, DEFAULT_LIFETIME_S), MAX_LIFETIME_S);
}

interface Wishes {
  readonly families: readonly [AddressFamily, ...AddressFamily[]];
  readonly evenPort: boolean;
  readonly lifetimeS: number;
}

function readWishes(message: StunMessage, canForbidFragments: boolean): Wishes | TurnAnswer {
  const transport = message.value(Attribute.requestedTransport);
  if (transport?.length !== 4) return failure(400, "bad-request");
  if (transport[0] !== TRANSPORT_UDP) return failure(442, "transport-unsupported");
  if (message.has(Attribute.dontFragment) && !canForbidFragments) return unknownAttributes([Attribute.dontFragment]);

  const evenPort = message.value(Attribute.evenPort);
  const requested = familyAttribute(message, Attribute.requestedAddressFamily);
  const additional = additionalFamily(message);
  if (evenPort !== null && evenPort.length !== 1) return failure(400, "bad-request");
  const reserveNext = ((evenPort?.[0] ?? 0) & RESERVE_NEXT_PORT) !== 0;
  if (message.has(Attribute.reservationToken)) {
    const contradiction = evenPort !== null || requested !== "absent" || additional !== "absent";
    // No port is ever reserved, so no token is valid.
    return contradiction ? failure(400, "bad-request") : failure(508, "capacity");
  }
  if (requested === "malformed" || additional === "malformed") return failure(400, "bad-request");
  if (additional !== "absent" && (requested !== "absent" || additional !== 6 || reserveNext)) {
    return failure(400, "bad-request");
  }
  if (requested === "unknown") return failure(440, "family-unsupported");
  if (reserveNext) return failure(508, "capacity");
  const lifetime = lifetimeAttribute(message);
  if (lifetime === "malformed") return failure(400, "bad-request");
  return {
    families: additional === 6 ? [4, 6] : [requested === "absent" ? 4 : requested],
    evenPort: evenPort !== null,
    lifetimeS: grantedLifetimeS(lifetime),
  };
}

function additionalFamily(message: StunMessage): ReturnType<typeof familyAttribute> {
  const family = familyAttribute(message, Attribute.additionalAddressFamily);
  return family === "absent" ? familyAttribute(message, Attribute.draftAdditionalAddressFamily) : family;
}

/** ADDRESS-ERROR-CODE (RFC 8656 §18.12). */
function addressErrorCode(family: AddressFamily, code: 440 | 508): Buffer {
  const head = [family === 4 ? WIRE_IPV4 : WIRE_IPV6, 0, Math.floor(code / 100), code % 100];
  return Buffer.concat([Buffer.from(head), Buffer.from(REASONS[code])]);
}
