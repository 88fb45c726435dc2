/** Bytes from anybody. KITH_FUZZ_RUNS sets how many inputs each property gets; 10,000 if it is not set. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UNLIMITED } from "../../relay/turn/relay-quota.ts";
import { Attribute, StunClass, StunMethod } from "../../relay/turn/stun-attributes.ts";
import { StunMessage } from "../../relay/turn/stun-message.ts";
import { FUZZ_RUNS } from "../support/fuzzing.ts";
import { MemoryTurn } from "../support/turn-memory.ts";
import { type MemoryClient, parsePeer, UDP } from "../support/turn-memory-client.ts";

const numRuns = FUZZ_RUNS;
const timeout = 60_000 + numRuns * 2;
const PEER = "198.41.1.1:5000";

const types = fc.oneof(fc.constantFrom(...Object.values(Attribute)), fc.integer({ min: 0, max: 0xffff }));
/** An attribute that may lie about its length. */
const attribute = fc
  .record({
    type: types,
    value: fc.uint8Array({ maxLength: 40 }),
    lie: fc.option(fc.integer({ min: 0, max: 0xffff }), { freq: 10 }),
  })
  .map(({ type, value, lie }) => {
    const bytes = Buffer.alloc(4 + ((value.length + 3) & ~3));
    bytes.writeUInt16BE(type, 0);
    bytes.writeUInt16BE(lie ?? value.length, 2);
    bytes.set(value, 4);
    return bytes;
  });
/** Something like a STUN message, often a right one. */
const stunLike = fc
  .record({
    method: fc.oneof(fc.constantFrom(...Object.values(StunMethod)), fc.integer({ min: 0, max: 0xfff })),
    messageClass: fc.integer({ min: 0, max: 3 }),
    attributes: fc.array(attribute, { maxLength: 12 }),
    lengthError: fc.option(fc.integer({ min: -40, max: 40 }), { freq: 10 }),
    id: fc.uint8Array({ minLength: 12, maxLength: 12 }),
  })
  .map(({ method, messageClass, attributes, lengthError, id }) => {
    const body = Buffer.concat(attributes);
    const head = Buffer.alloc(20);
    const bits = (method & 0x000f) | ((method & 0x0070) << 1) | ((method & 0x0f80) << 2);
    head.writeUInt16BE(bits | ((messageClass & 1) << 4) | ((messageClass & 2) << 7), 0);
    head.writeUInt16BE(Math.max(0, body.length + (lengthError ?? 0)), 2);
    head.writeUInt32BE(0x2112a442, 4);
    head.set(id, 8);
    return Buffer.concat([head, body]);
  });
const channelLike = fc
  .record({
    number: fc.integer({ min: 0x3ff0, max: 0x5010 }),
    length: fc.integer({ min: 0, max: 70 }),
    data: fc.uint8Array({ maxLength: 64 }),
  })
  .map(({ number, length, data }) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(number, 0);
    head.writeUInt16BE(length, 2);
    return Buffer.concat([head, data]);
  });
const anyPacket = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  stunLike,
  channelLike,
);

/** Where a byte of a right message is changed, or where it ends too early. */
const damage = fc.record({
  at: fc.nat(),
  flip: fc.integer({ min: 1, max: 255 }),
  cut: fc.option(fc.nat(), { freq: 4 }),
});

function damaged(bytes: Buffer, { at, flip, cut }: { at: number; flip: number; cut: number | null }): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at % copy.length) ^ flip, at % copy.length);
  return cut === null ? copy : copy.subarray(0, cut % copy.length);
}

function unlimited() {
  const limit = { perSecond: Number.POSITIVE_INFINITY, burst: Number.POSITIVE_INFINITY };
  return new MemoryTurn({
    requestLimits: { bindings: limit, unauthenticated: limit, allocation: limit },
    quotas: { total: UNLIMITED, perUser: UNLIMITED, perSource: UNLIMITED },
  });
}

function boundClient(turn: MemoryTurn, address?: string): MemoryClient {
  const client = turn.client(address);
  expect(client.allocate((writer) => writer.u32(Attribute.lifetime, 3_600)).code).toBe("success");
  expect(client.bind(0x4000, PEER).code).toBe("success");
  return client;
}

function forget(turn: MemoryTurn): void {
  for (const socket of turn.udp.sockets) socket.sent.length = 0;
}

describe("whatever arrives", { timeout }, () => {
  it("decodes to a message, or to the name of what is wrong with it, and never throws", () => {
    const message = new StunMessage();
    fc.assert(
      fc.property(anyPacket, (bytes) => {
        const fault = message.decode(bytes, 0, bytes.length);
        if (fault !== null) return;
        expect(bytes.length).toBe(20 + bytes.readUInt16BE(2));
        for (const type of Object.values(Attribute)) {
          const value = message.value(type);
          if (value !== null)
            expect(value.byteOffset + value.length).toBeLessThanOrEqual(bytes.byteOffset + bytes.length);
        }
      }),
      { numRuns },
    );
  });

  it("from a stranger is answered with a well-formed STUN message or not at all, and makes nothing", () => {
    const turn = unlimited();
    const client = turn.client();
    fc.assert(
      fc.property(anyPacket, (bytes) => {
        const reply = client.ask(bytes);
        if (reply !== null) {
          expect([StunClass.success, StunClass.error]).toContain(reply.message.messageClass);
          expect(reply.bytes.length).toBeLessThanOrEqual(Math.max(100, bytes.length + 32));
        }
        forget(turn);
      }),
      { numRuns },
    );
    expect(turn.errors).toEqual([]);
    expect(turn.core.allocations.size).toBe(0);
  });

  it("from a client with an allocation does not throw, and sends only to peers that it may send to", () => {
    const turn = unlimited();
    const client = boundClient(turn);
    fc.assert(
      fc.property(anyPacket, (bytes) => {
        client.ask(bytes);
        for (const socket of turn.udp.sockets) {
          if (socket !== turn.listening) for (const sent of socket.sent) expect(sent.to.host).toBe("198.41.1.1");
        }
        forget(turn);
      }),
      { numRuns },
    );
    expect(turn.errors).toEqual([]);
  });

  it("from a peer reaches the client unchanged, whatever its length", () => {
    const turn = unlimited();
    boundClient(turn);
    const relay = turn.udp.sockets.at(-1);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (data, onChannel) => {
        relay?.deliver(data, parsePeer(onChannel ? PEER : "198.41.1.1:5001"));
        const arrived = turn.listening.sent.at(-1)?.bytes ?? Buffer.alloc(0);
        if (onChannel) {
          expect(arrived).toEqual(Buffer.concat([Buffer.from([0x40, 0, data.length >> 8, data.length & 255]), data]));
        } else {
          const message = new StunMessage();
          expect(message.decode(arrived, 0, arrived.length)).toBeNull();
          expect(message.value(Attribute.data)).toEqual(Buffer.from(data));
        }
        forget(turn);
      }),
      { numRuns },
    );
  });
});

describe("a right request with one wrong byte", { timeout }, () => {
  const requests: [string, (client: MemoryClient) => Buffer][] = [
    [
      "Allocate",
      (client) => client.sealed(StunMethod.allocate, (writer) => writer.u32(Attribute.requestedTransport, UDP)),
    ],
    ["Refresh", (client) => client.sealed(StunMethod.refresh, (writer) => writer.u32(Attribute.lifetime, 0))],
    [
      "CreatePermission",
      (client) =>
        client.sealed(StunMethod.createPermission, (writer) =>
          writer.xorAddress(Attribute.xorPeerAddress, parsePeer("198.41.1.2:1")),
        ),
    ],
    [
      "ChannelBind",
      (client) =>
        client.sealed(StunMethod.channelBind, (writer) =>
          writer
            .u32(Attribute.channelNumber, 0x40010000)
            .xorAddress(Attribute.xorPeerAddress, parsePeer("198.41.1.2:1")),
        ),
    ],
  ];

  it.each(requests)("of %s is never carried out", (name, build) => {
    const turn = unlimited();
    const client = name === "Allocate" ? turn.client() : boundClient(turn);
    client.challenge();
    const request = build(client);
    const before = turn.core.allocations.size;
    fc.assert(
      fc.property(damage, (how) => {
        const bytes = damaged(request, how);
        const reply = client.ask(bytes);
        if (reply !== null && reply.code === "success") expect(reply.message.method).toBe(StunMethod.binding);
        expect(turn.core.allocations.size).toBe(before);
        forget(turn);
      }),
      { numRuns },
    );
    expect(turn.errors).toEqual([]);
    expect(client.ask(request)?.code).toBe("success");
  });
});
