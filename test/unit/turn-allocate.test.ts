import { describe, expect, it } from "vitest";
import { readXorAddress } from "../../relay/turn/stun-address.ts";
import { Attribute, StunClass, StunMethod } from "../../relay/turn/stun-attributes.ts";
import { StunMessage } from "../../relay/turn/stun-message.ts";
import type { StunWriter } from "../../relay/turn/stun-writer.ts";
import { TransportAddress } from "../../relay/turn/transport-address.ts";
import { EXTERNAL_IPV4, EXTERNAL_IPV6, MemoryTurn } from "../support/turn-memory.ts";
import { type MemoryReply, UDP, WANT_IPV4, WANT_IPV6 } from "../support/turn-memory-client.ts";

function addresses(reply: MemoryReply, type: number): string[] {
  const found: string[] = [];
  for (let index = reply.message.find(type); index >= 0; index = reply.message.findNext(type, index + 1)) {
    const address = new TransportAddress();
    expect(readXorAddress(reply.message, index, address)).toBeNull();
    found.push(address.host);
  }
  return found;
}

function lifetime(reply: MemoryReply): number | undefined {
  return reply.message.value(Attribute.lifetime)?.readUInt32BE(0);
}

const evenPort = (flags: number) => (writer: StunWriter) => writer.bytes(Attribute.evenPort, Buffer.from([flags]));
const family = (value: number) => (writer: StunWriter) => writer.u32(Attribute.requestedAddressFamily, value);
const additional = (value: number) => (writer: StunWriter) => writer.u32(Attribute.additionalAddressFamily, value);
const token = (writer: StunWriter) => writer.bytes(Attribute.reservationToken, Buffer.alloc(8));
const both =
  (...parts: ((writer: StunWriter) => unknown)[]) =>
  (writer: StunWriter) => {
    for (const part of parts) part(writer);
  };

describe("Allocate (RFC 8656 §7.2)", () => {
  it("answers with all that Chromium looks for: mapped and relayed address, lifetime, integrity", () => {
    const turn = new MemoryTurn();
    const client = turn.client("198.41.7.7:40000");
    const reply = client.allocate();
    expect(reply.code).toBe("success");
    expect(addresses(reply, Attribute.xorMappedAddress)).toEqual(["198.41.7.7"]);
    expect(addresses(reply, Attribute.xorRelayedAddress)).toEqual([EXTERNAL_IPV4]);
    expect(lifetime(reply)).toBe(600);
    expect(client.isSealed(reply)).toBe(true);
    expect(reply.message.unknownRequired(new Set(Object.values(Attribute)))).toEqual([]);
  });

  it.each([
    [null, 600],
    [0, 600],
    [60, 600],
    [777, 777],
    [3_600, 3_600],
    [1_000_000, 3_600],
    [0xffffffff, 3_600],
  ])("grants for a wish of %s s a lifetime of %i s, and holds to it", (wished, granted) => {
    const turn = new MemoryTurn();
    const reply = turn.client().allocate((writer) => {
      if (wished !== null) writer.u32(Attribute.lifetime, wished);
    });
    expect(lifetime(reply)).toBe(granted);
    turn.pass(granted * 1_000 - 1);
    expect(turn.core.allocations.size).toBe(1);
    turn.pass(1);
    expect(turn.core.allocations.size).toBe(0);
    expect(turn.udp.sockets.filter((socket) => socket.isOpen)).toEqual([turn.listening]);
  });

  it.each<[string, (writer: StunWriter) => void, number | "success", string[]]>([
    ["no family", () => {}, "success", [EXTERNAL_IPV4]],
    ["IPv4", family(WANT_IPV4), "success", [EXTERNAL_IPV4]],
    ["IPv6", family(WANT_IPV6), "success", [EXTERNAL_IPV6]],
    ["IPv6 besides", additional(WANT_IPV6), "success", [EXTERNAL_IPV4, EXTERNAL_IPV6]],
    ["IPv4 besides", additional(WANT_IPV4), 400, []],
    ["one family and another besides", both(family(WANT_IPV4), additional(WANT_IPV6)), 400, []],
    ["family 3", family(0x03000000), 440, []],
    ["an even port", evenPort(0), "success", [EXTERNAL_IPV4]],
    ["an even port and the next one", evenPort(0x80), 508, []],
    ["a pair of ports in both families", both(evenPort(0x80), additional(WANT_IPV6)), 400, []],
    ["a reserved port", token, 508, []],
    ["a reserved port that is even", both(token, evenPort(0)), 400, []],
    ["a reserved port of a family", both(token, family(WANT_IPV6)), 400, []],
    ["a lifetime of three bytes", (writer) => writer.bytes(Attribute.lifetime, Buffer.alloc(3)), 400, []],
    ["an optional attribute that nobody knows", (writer) => writer.u32(0xbeef, 1), "success", [EXTERNAL_IPV4]],
  ])("asked for %s", (_, attributes, code, relayed) => {
    const reply = new MemoryTurn().client().allocate(attributes);
    expect(reply.code).toBe(code);
    expect(addresses(reply, Attribute.xorRelayedAddress)).toEqual(relayed);
  });

  it("gives an even port to whoever asks for one", () => {
    const turn = new MemoryTurn();
    for (let index = 0; index < 20; index++) turn.client(`198.41.7.7:${index + 1}`).allocate(evenPort(0));
    const ports = turn.udp.sockets.filter((socket) => socket !== turn.listening).map((socket) => socket.address.port);
    expect(ports.filter((port) => port % 2 === 1)).toEqual([]);
  });

  it.each<[string, ((writer: StunWriter) => void) | null, number]>([
    ["without REQUESTED-TRANSPORT", null, 400],
    ["with REQUESTED-TRANSPORT of two bytes", (w) => w.bytes(Attribute.requestedTransport, Buffer.from([17, 0])), 400],
    ["for TCP", (w) => w.u32(Attribute.requestedTransport, 6 * 0x1000000), 442],
  ])("is refused %s", (_, attributes, code) => {
    const client = new MemoryTurn().client();
    client.challenge();
    expect(client.request(StunMethod.allocate, attributes ?? (() => {})).code).toBe(code);
  });

  it("says which required attributes it does not know (420), each once", () => {
    const client = new MemoryTurn().client();
    const reply = client.allocate((writer) => writer.u32(0x7ffe, 1).u32(0x0042, 1).u32(0x7ffe, 1));
    expect(reply.code).toBe(420);
    expect(reply.message.value(Attribute.unknownAttributes)).toEqual(Buffer.from([0x7f, 0xfe, 0x00, 0x42]));
    expect(client.isSealed(reply)).toBe(true);
  });

  it("treats DONT-FRAGMENT as unknown where the bit cannot be set, and takes it where it can", () => {
    const dontFragment = (writer: StunWriter) => writer.bytes(Attribute.dontFragment, Buffer.alloc(0));
    expect(new MemoryTurn({ canForbidFragments: true }).client().allocate(dontFragment).code).toBe("success");
    const reply = new MemoryTurn({ canForbidFragments: false }).client().allocate(dontFragment);
    expect(reply.code).toBe(420);
    expect(reply.message.value(Attribute.unknownAttributes)).toEqual(Buffer.from([0x00, 0x1a]));
  });

  it("refuses a family that the server has no address of (440), or says so beside the one it has", () => {
    const turn = new MemoryTurn({ relayIPv6: undefined });
    expect(turn.client("198.41.7.7:1").allocate(family(WANT_IPV6)).code).toBe(440);
    const reply = turn.client("198.41.7.7:2").allocate(additional(WANT_IPV6));
    expect(addresses(reply, Attribute.xorRelayedAddress)).toEqual([EXTERNAL_IPV4]);
    expect(reply.message.value(Attribute.addressErrorCode)?.subarray(0, 4)).toEqual(Buffer.from([2, 0, 4, 40]));
  });

  it("answers a retransmission with the same bytes, and another Allocate on the same 5-tuple with 437", () => {
    const turn = new MemoryTurn();
    const client = turn.client();
    client.challenge();
    const request = client.sealed(StunMethod.allocate, (writer) => writer.u32(Attribute.requestedTransport, UDP));
    const first = client.ask(request);
    turn.pass(20_000);
    expect(client.ask(request)?.bytes).toEqual(first?.bytes);
    expect(turn.counters.allocationsMade).toBe(1);
    expect(client.allocate().code).toBe(437);
  });

  it("keeps out of ports that others on the machine hold", () => {
    const turn = new MemoryTurn({ relayPorts: { min: 50_000, max: 50_003 } });
    turn.udp.taken.add(50_000).add(50_001).add(50_002);
    expect(turn.client().allocate().code).toBe("success");
    expect(turn.udp.at(50_003).isOpen).toBe(true);
  });

  it("is refused with 508 when no port is free, and leaves nothing behind", () => {
    const turn = new MemoryTurn({ relayPorts: { min: 50_000, max: 50_001 } });
    const codes = [1, 2, 3].map((port) => turn.client(`198.41.7.7:${port}`).allocate().code);
    expect(codes).toEqual(["success", "success", 508]);
    turn.udp.isExhausted = true;
    expect(turn.client("198.41.7.7:4").allocate().code).toBe(508);
    expect(turn.core.allocations.size).toBe(2);
  });

  it("counts allocations by user (486), by source (486) and in all (508), and gives them back", () => {
    const limits = { bytesPerSecond: Number.POSITIVE_INFINITY, bytesPerMonth: Number.POSITIVE_INFINITY };
    const turn = new MemoryTurn({
      quotas: {
        perUser: { allocations: 2, ...limits },
        perSource: { allocations: 3, ...limits },
        total: { allocations: 4, ...limits },
      },
    });
    const clients = [
      turn.client("198.41.7.7:1", "alice"),
      turn.client("198.41.7.7:2", "alice"),
      turn.client("198.41.7.7:5", "alice"),
      turn.client("198.41.7.7:3", "bob"),
      turn.client("198.41.7.7:4", "carol"),
      turn.client("198.41.7.8:1", "carol"),
      turn.client("198.41.7.9:1", "dave"),
    ];
    expect(clients.map((client) => client.allocate().code)).toEqual([
      "success",
      "success",
      486,
      "success",
      486,
      "success",
      508,
    ]);
    expect(turn.refusals).toMatchObject({ "user-allocations": 1, "source-allocations": 1, capacity: 1 });
    expect(clients[0]?.refresh(0).code).toBe("success");
    expect(clients[6]?.allocate().code).toBe("success");
  });
});

describe("Binding (RFC 8489 §6.3.1)", () => {
  it("tells an IPv4 and an IPv6 client its address, with a fingerprint if it sent one", () => {
    const turn = new MemoryTurn();
    for (const [from, host] of [
      ["198.41.7.7:40000", "198.41.7.7"],
      ["[2a01:1::7]:40000", "2a01:1::7"],
    ] as const) {
      const client = turn.client(from);
      const reply = client.ask(client.writer(StunMethod.binding).fingerprint().finish());
      expect(reply && addresses(reply, Attribute.xorMappedAddress)).toEqual([host]);
      expect(reply?.message.has(Attribute.fingerprint)).toBe(true);
    }
  });

  it("answers unknown required attributes with 420, never with more bytes than were sent", () => {
    const client = new MemoryTurn().client();
    const writer = client.writer(StunMethod.binding);
    for (let type = 0x4000; type < 0x4020; type++) writer.bytes(type, Buffer.alloc(0));
    const request = writer.finish();
    const reply = client.ask(request);
    expect(reply?.code).toBe(420);
    expect(reply?.bytes.length).toBeLessThanOrEqual(request.length);
  });

  it.each<[string, (writer: StunWriter) => Buffer]>([
    ["a wrong fingerprint", (writer) => writer.u32(Attribute.fingerprint, 7).finish()],
    ["a length that is not its own", (writer) => Buffer.concat([writer.finish(), Buffer.alloc(4)])],
    ["an attribute that is cut short", (writer) => cutShort(writer.u32(0x8022, 1).finish())],
    ["no magic cookie", (writer) => withoutCookie(writer.finish())],
  ])("says nothing to a message with %s", (_, build) => {
    const turn = new MemoryTurn();
    const client = turn.client();
    expect(client.ask(build(client.writer(StunMethod.binding)))).toBeNull();
    expect((turn.refusals.malformed ?? 0) + (turn.refusals["fingerprint-wrong"] ?? 0)).toBe(1);
  });

  it("says nothing to indications, responses and methods that it does not know", () => {
    const turn = new MemoryTurn();
    const client = turn.client();
    const { binding, data, send, allocate } = StunMethod;
    for (const [method, messageClass] of [
      [binding, StunClass.indication],
      [binding, StunClass.success],
      [binding, StunClass.error],
      [allocate, StunClass.success],
      [data, StunClass.indication],
      [send, StunClass.indication],
      [send, StunClass.request],
      [0x0abc, StunClass.request],
    ] as const) {
      expect(client.ask(client.writer(method, messageClass).finish())).toBeNull();
    }
  });
});

function cutShort(message: Buffer): Buffer {
  message.writeUInt16BE(200, 22);
  return message;
}

function withoutCookie(message: Buffer): Buffer {
  message.writeUInt32BE(0, 4);
  return message;
}

it("reads every message that it writes, method and class included", () => {
  const client = new MemoryTurn().client();
  for (const method of [0x001, 0x003, 0x00f, 0x010, 0x07f, 0x080, 0xabc, 0xfff]) {
    for (const messageClass of [0, 1, 2, 3]) {
      const bytes = client.writer(method, messageClass).finish();
      const message = new StunMessage();
      expect(message.decode(bytes, 0, bytes.length)).toBeNull();
      expect([message.method, message.messageClass]).toEqual([method, messageClass]);
    }
  }
});
