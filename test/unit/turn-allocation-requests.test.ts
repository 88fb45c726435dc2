import { describe, expect, it } from "vitest";
import { Attribute, StunMethod } from "../../relay/turn/stun-attributes.ts";
import { EXTERNAL_IPV4, MemoryTurn } from "../support/turn-memory.ts";
import { parsePeer, WANT_IPV4, WANT_IPV6 } from "../support/turn-memory-client.ts";

const PEER = "198.41.1.1:5000";
const PEER_IPV6 = "[2a01:1::9]:5000";

function allocated(turn = new MemoryTurn()) {
  const client = turn.client();
  expect(client.allocate((writer) => writer.u32(Attribute.additionalAddressFamily, WANT_IPV6)).code).toBe("success");
  return { turn, client };
}

describe("without an allocation", () => {
  it("Refresh, CreatePermission and ChannelBind are a mismatch (437)", () => {
    const client = new MemoryTurn().client();
    client.challenge();
    expect([client.refresh(600), client.permit(PEER), client.bind(0x4000, PEER)].map(({ code }) => code)).toEqual([
      437, 437, 437,
    ]);
  });
});

describe("Refresh (RFC 8656 §8.2)", () => {
  it.each([
    [null, 600],
    [1, 600],
    [1_200, 1_200],
    [90_000, 3_600],
  ])("of %s s gives %i s from now on", (asked, granted) => {
    const { turn, client } = allocated();
    turn.pass(500_000);
    expect(client.refresh(asked).message.value(Attribute.lifetime)?.readUInt32BE(0)).toBe(granted);
    turn.pass(granted * 1_000 - 1);
    expect(turn.core.allocations.size).toBe(1);
    turn.pass(1);
    expect(turn.core.allocations.size).toBe(0);
  });

  it("of 0 s ends the allocation, and the same request again gets the same answer", () => {
    const { turn, client } = allocated();
    const request = client.sealed(StunMethod.refresh, (writer) => writer.u32(Attribute.lifetime, 0));
    const first = client.ask(request);
    expect(first?.code).toBe("success");
    expect(turn.core.allocations.size).toBe(0);
    expect(client.ask(request)?.bytes).toEqual(first?.bytes);
    expect(client.refresh(0).code).toBe(437);
    expect(client.allocate().code).toBe("success");
  });

  it("of 0 s for one family ends that family alone", () => {
    const { turn, client } = allocated();
    const end = (family: number) =>
      client.refresh(0, (writer) => writer.u32(Attribute.requestedAddressFamily, family)).code;
    expect(end(WANT_IPV6)).toBe("success");
    expect(client.permit(PEER_IPV6).code).toBe(443);
    expect(client.permit(PEER).code).toBe("success");
    expect(end(WANT_IPV6)).toBe(443);
    expect(end(WANT_IPV4)).toBe("success");
    expect(turn.core.allocations.size).toBe(0);
  });
});

describe("CreatePermission (RFC 8656 §10.2)", () => {
  it("installs several at once, or none if one of them is refused", () => {
    const { turn, client } = allocated();
    expect(client.permit(PEER, "198.41.1.2", PEER_IPV6).code).toBe("success");
    expect(client.permit("198.41.1.3", "192.168.1.1").code).toBe(403);
    client.sendTo("198.41.1.3:9", Buffer.from("x"));
    expect(turn.refusals["no-permission"]).toBe(1);
  });

  it("refuses none (400), half an address (400), and a family that the allocation has not (443)", () => {
    const turn = new MemoryTurn();
    const client = turn.client();
    client.allocate();
    expect(client.permit().code).toBe(400);
    const half = client.request(StunMethod.createPermission, (w) => w.u32(Attribute.xorPeerAddress, 1));
    expect(half.code).toBe(400);
    expect(client.permit(PEER_IPV6).code).toBe(443);
  });

  it("lasts 300 s, which traffic does not lengthen and a new request does", () => {
    const { turn, client } = allocated();
    client.permit(PEER);
    const relay = turn.udp.sockets.find((socket) => socket.address.host === "10.0.0.5");
    const arrives = () => {
      const before = turn.counters.packetsFromPeers;
      relay?.deliver(Buffer.from("x"), parsePeer(PEER));
      return turn.counters.packetsFromPeers > before;
    };
    turn.pass(200_000);
    expect(arrives()).toBe(true);
    turn.pass(99_999);
    expect(arrives()).toBe(true);
    turn.nowMs += 1;
    expect(arrives()).toBe(false);
    client.permit(PEER);
    turn.pass(299_999);
    expect(arrives()).toBe(true);
  });

  it("holds 64 and no more (508), and room comes back when they expire", () => {
    const { turn, client } = allocated();
    for (let index = 0; index < 64; index++) expect(client.permit(`198.41.2.${index}`).code).toBe("success");
    turn.pass(6_000);
    expect(client.permit("198.41.2.64").code).toBe(508);
    expect(client.permit("198.41.2.63").code).toBe("success");
    turn.pass(299_000);
    expect(client.permit("198.41.2.64").code).toBe("success");
  });
});

describe("ChannelBind (RFC 8656 §12.2)", () => {
  it.each([
    [0, 400, 400],
    [0x3fff, 400, 400],
    [0x4000, "success", "success"],
    [0x4fff, "success", "success"],
    [0x5000, 400, "success"],
    [0x7fff, 400, "success"],
    [0x8000, 400, 400],
    [0xffff, 400, 400],
  ])(
    "answers to channel number %i with %s, and to a client of the time before RFC 8489 with %s",
    (number, code, old) => {
      const turn = new MemoryTurn();
      for (const [from, hash, expected] of [
        ["198.41.7.7:1", "sha256", code],
        ["198.41.7.7:2", null, old],
      ] as const) {
        const client = turn.client(from);
        client.challenge();
        client.hash = hash;
        client.allocate();
        expect(client.bind(number, PEER).code).toBe(expected);
      }
    },
  );

  it("binds one number to one peer, ports counting, until it has expired", () => {
    const { turn, client } = allocated();
    expect(client.bind(0x4000, PEER).code).toBe("success");
    expect(client.bind(0x4000, PEER).code).toBe("success");
    expect(client.bind(0x4000, "198.41.1.1:5001").code).toBe(400);
    expect(client.bind(0x4001, PEER).code).toBe(400);
    expect(client.bind(0x4001, "198.41.1.1:5001").code).toBe("success");
    client.refresh(3_600);
    turn.nowMs += 600_000;
    client.nonce = client.refresh(3_600).message.text(Attribute.nonce) ?? client.nonce;
    expect(client.bind(0x4000, "198.41.1.1:5001").code).toBe("success");
  });

  it("refuses what is missing (400), another family (443) and a forbidden peer (403)", () => {
    const turn = new MemoryTurn();
    const client = turn.client();
    client.allocate();
    const peerOnly = client.request(StunMethod.channelBind, (w) =>
      w.xorAddress(Attribute.xorPeerAddress, parsePeer(PEER)),
    );
    const numberOnly = client.request(StunMethod.channelBind, (w) => w.u32(Attribute.channelNumber, 0x40000000));
    expect([peerOnly.code, numberOnly.code]).toEqual([400, 400]);
    expect(client.bind(0x4000, PEER_IPV6).code).toBe(443);
    expect(client.bind(0x4000, "127.0.0.1:80").code).toBe(403);
    expect(client.bind(0x4000, "198.41.1.1:0").code).toBe(403);
  });

  it("holds 64 channels and no more (508)", () => {
    const { client } = allocated();
    for (let index = 0; index < 64; index++)
      expect(client.bind(0x4000 + index, `198.41.1.1:${1_000 + index}`).code).toBe("success");
    expect(client.bind(0x4040, "198.41.1.1:2000").code).toBe(508);
    expect(client.bind(0x4000, "198.41.1.1:1000").code).toBe("success");
  });

  it("lasts 600 s and permits for 300 s", () => {
    const { turn, client } = allocated();
    client.refresh(3_600);
    client.bind(0x4000, PEER);
    const relay = turn.udp.sockets.find((socket) => socket.address.host === "10.0.0.5");
    turn.pass(300_000);
    relay?.deliver(Buffer.from("x"), parsePeer(PEER));
    expect(turn.refusals["no-permission"]).toBe(1);
    client.sendChannel(0x4000, Buffer.from("still bound"));
    expect(relay?.sent).toHaveLength(1);
    turn.pass(300_000);
    client.sendChannel(0x4000, Buffer.from("no longer"));
    expect(turn.refusals["no-channel"]).toBe(1);
    expect(relay?.sent).toHaveLength(1);
  });
});

describe("one allocation's requests", () => {
  it("are limited, so that a certified user cannot keep the server busy with them", () => {
    const turn = new MemoryTurn({ requestLimits: { allocation: { perSecond: 10, burst: 20 } } });
    const client = turn.client();
    client.allocate();
    const answers = Array.from({ length: 50 }, () => client.ask(client.sealed(StunMethod.refresh)));
    expect(answers.filter((answer) => answer !== null)).toHaveLength(20);
    expect(turn.refusals["control-rate"]).toBe(30);
  });

  it("name the server's own relayed addresses as peers, and no other port of its address", () => {
    const turn = new MemoryTurn();
    const alice = turn.client("198.41.7.7:1", "alice");
    const bob = turn.client("198.41.7.7:2", "bob");
    alice.allocate();
    bob.allocate();
    const bobsPort = turn.udp.sockets.at(-1)?.address.port ?? 0;
    expect(alice.permit(EXTERNAL_IPV4).code).toBe("success");
    expect(alice.bind(0x4000, `${EXTERNAL_IPV4}:${bobsPort}`).code).toBe("success");
    for (const port of [22, 3478, bobsPort ^ 1]) expect(alice.bind(0x4001, `${EXTERNAL_IPV4}:${port}`).code).toBe(403);
    alice.sendTo(`${EXTERNAL_IPV4}:22`, Buffer.from("x"));
    expect(turn.refusals["peer-forbidden"]).toBe(4);
    bob.refresh(0);
    alice.sendChannel(0x4000, Buffer.from("nobody there any more"));
    expect(turn.refusals["peer-forbidden"]).toBe(5);
    expect(turn.udp.sockets.flatMap((socket) => (socket === turn.listening ? [] : socket.sent))).toEqual([]);
  });
});
