import { describe, expect, it } from "vitest";
import { Attribute, StunMethod } from "../../relay/turn/stun-attributes.ts";
import type { StunWriter } from "../../relay/turn/stun-writer.ts";
import { issueTurnCredential, MAX_CREDENTIAL_SECONDS, userOfCredential } from "../../relay/turn/turn-credential.ts";
import { MEMORY_SECRET, MemoryTurn } from "../support/turn-memory.ts";
import { UDP } from "../support/turn-memory-client.ts";

const MINUTE_MS = 60_000;

describe("the challenge", () => {
  it("is at most 100 bytes, with the longest realm allowed, and names no software", () => {
    const turn = new MemoryTurn({ realm: "twenty-bytes-of-realm".slice(0, 20) });
    const reply = turn.client().challenge();
    expect(reply.code).toBe(401);
    expect(reply.bytes.length).toBeLessThanOrEqual(100);
    expect(reply.message.has(0x8022)).toBe(false);
    expect(reply.message.text(Attribute.nonce)?.startsWith("obMatJos2gAAA")).toBe(true);
    expect(reply.message.value(Attribute.passwordAlgorithms)).toEqual(Buffer.from([0, 2, 0, 0, 0, 1, 0, 0]));
  });

  it("gives every client another nonce, which works from its own address and port alone", () => {
    const turn = new MemoryTurn();
    const alice = turn.client("198.41.7.7:40000");
    const neighbour = turn.client("198.41.7.7:40001");
    alice.challenge();
    neighbour.challenge();
    expect(alice.nonce).not.toBe(neighbour.nonce);
    neighbour.nonce = alice.nonce;
    expect(neighbour.allocate().code).toBe(401);
    expect(alice.allocate().code).toBe("success");
  });

  it("stops for a network that asks too often, and for no other", () => {
    const turn = new MemoryTurn({ requestLimits: { unauthenticated: { perSecond: 10, burst: 20 } } });
    const ask = (address: string) => {
      const client = turn.client(address);
      return client.ask(client.writer(StunMethod.allocate).u32(Attribute.requestedTransport, UDP).finish()) !== null;
    };
    const answered = Array.from({ length: 100 }, (_, index) => ask(`203.0.114.${index}:1000`)).filter(Boolean);
    expect(answered).toHaveLength(20);
    expect(turn.refusals["unauthenticated-rate"]).toBe(80);
    expect(ask("198.41.9.9:1000")).toBe(true);
    turn.pass(1_000);
    expect(ask("203.0.114.1:1000")).toBe(true);
  });
});

describe("credentials", () => {
  it("are accepted with every secret that the operator has not withdrawn", () => {
    const turn = new MemoryTurn({ secrets: ["the secret of today, new", "the secret of yesterday"] });
    expect(turn.client("198.41.7.1:1", "a", "the secret of today, new").allocate().code).toBe("success");
    expect(turn.client("198.41.7.2:1", "b", "the secret of yesterday").allocate().code).toBe("success");
    expect(turn.client("198.41.7.3:1", "c", "the secret of last year").allocate().code).toBe(401);
  });

  it("end with their hour", () => {
    const turn = new MemoryTurn();
    const client = turn.client();
    turn.wallMs += MAX_CREDENTIAL_SECONDS * 1_000;
    expect(client.allocate().code).toBe(401);
    expect(turn.refusals).toEqual({ unauthenticated: 1, "credential-invalid": 1 });
  });

  it("may not claim to last longer than an hour, whoever signed them", () => {
    const now = Date.UTC(2026, 10, 23);
    const { username } = issueTurnCredential(MEMORY_SECRET, "alice", now, 999_999);
    expect(Number(username.split(":")[0])).toBe(now / 1_000 + 3_600);
    expect(userOfCredential(`${now / 1_000 + 3_600}:alice`, now)).toBe("alice");
    expect(userOfCredential(`${now / 1_000 + 4_000}:alice`, now)).toBeNull();
    expect(userOfCredential(`${now / 1_000}:alice`, now)).toBeNull();
  });

  it.each(["alice", "", ":alice", "12345", "1e9:alice", "99999999999999:alice", "1763899200:al ice", "-1:a"])(
    "are refused when the username is %j",
    (username) => expect(userOfCredential(username, 0)).toBeNull(),
  );

  it("that have run out still refresh the call that they began", () => {
    const turn = new MemoryTurn();
    const client = turn.client();
    expect(client.allocate((writer) => writer.u32(Attribute.lifetime, 3_600)).code).toBe("success");
    turn.wallMs += 2 * MAX_CREDENTIAL_SECONDS * 1_000;
    expect(client.refresh(600).code).toBe("success");
  });

  it("of another user do not reach the allocation (441)", () => {
    const turn = new MemoryTurn();
    const alice = turn.client();
    const mallory = turn.client("198.41.7.7:40000", "mallory");
    alice.allocate();
    Object.assign(mallory, { realm: alice.realm, nonce: alice.nonce });
    for (const reply of [mallory.refresh(0), mallory.permit("198.41.1.1"), mallory.bind(0x4000, "198.41.1.1")]) {
      expect(reply.code).toBe(441);
    }
    expect(turn.core.allocations.size).toBe(1);
  });
});

describe("nonces", () => {
  it("go stale (438), and the fresh one that comes with the news works", () => {
    const turn = new MemoryTurn({ nonceLifetimeMs: 10 * MINUTE_MS });
    const client = turn.client();
    client.allocate((writer) => writer.u32(Attribute.lifetime, 3_600));
    turn.pass(10 * MINUTE_MS + 2_000);
    const attempts = [
      () => client.refresh(3_600),
      () => client.permit("198.41.1.1"),
      () => client.bind(0x4000, "198.41.1.1"),
    ];
    for (const attempt of attempts) {
      const reply = attempt();
      expect(reply.code).toBe(438);
      expect(reply.message.text(Attribute.realm)).toBe(client.realm);
      expect(reply.message.has(Attribute.passwordAlgorithms)).toBe(true);
      client.nonce = reply.message.text(Attribute.nonce) ?? "";
      expect(attempt().code).toBe("success");
      turn.pass(10 * MINUTE_MS + 2_000);
    }
  });

  it("are never called stale to an Allocate, which would be fatal to Chromium", () => {
    const turn = new MemoryTurn({ nonceLifetimeMs: MINUTE_MS });
    const client = turn.client();
    client.challenge();
    turn.pass(30 * MINUTE_MS);
    expect(client.allocate().code).toBe("success");
    for (const nonce of ["", "f//499k954d6OL34oL9FSTvy64sA", "obMatJos2gAAAAAAAAAAAAAAAAAAA", "\u0000"]) {
      const other = turn.client(`198.41.7.8:${1_000 + nonce.length}`);
      other.challenge();
      other.nonce = nonce;
      const attempt = other.ask(
        other.sealed(StunMethod.allocate, (writer) => writer.u32(Attribute.requestedTransport, UDP)),
      );
      expect(attempt?.code).toBe(401);
    }
  });

  it("are not called stale to somebody who does not know the password", () => {
    const turn = new MemoryTurn({ nonceLifetimeMs: MINUTE_MS });
    const client = turn.client();
    client.allocate();
    turn.pass(2 * MINUTE_MS);
    client.password = "guessed";
    expect(client.refresh(600).code).toBe(401);
  });
});

describe("message integrity", () => {
  it("is on every success, for old clients and new ones alike", () => {
    for (const hash of [null, "md5", "sha256"] as const) {
      const turn = new MemoryTurn();
      const client = turn.client();
      client.challenge();
      client.hash = hash;
      const replies = [
        client.allocate(),
        client.permit("198.41.1.1"),
        client.bind(0x4000, "198.41.1.1"),
        client.refresh(0),
      ];
      for (const reply of replies) {
        expect([reply.code, client.isSealed(reply)]).toEqual(["success", true]);
        expect(reply.message.has(hash === null ? Attribute.messageIntegritySha256 : Attribute.messageIntegrity)).toBe(
          false,
        );
      }
    }
  });

  it("that does not fit is answered 401, and nothing is done", () => {
    const turn = new MemoryTurn();
    const client = turn.client();
    client.challenge();
    const request = client.sealed(StunMethod.allocate, (writer) => writer.u32(Attribute.requestedTransport, UDP));
    request.writeUInt8(request.readUInt8(request.length - 1) ^ 1, request.length - 1);
    expect(client.ask(request)?.code).toBe(401);
    expect(turn.core.allocations.size).toBe(0);
  });

  it("covers what comes before it: attributes after it do not exist", () => {
    const turn = new MemoryTurn();
    const client = turn.client();
    client.challenge();
    const request = client.sealed(StunMethod.allocate);
    const smuggled = Buffer.concat([request, Buffer.from([0, 0x19, 0, 4, 17, 0, 0, 0])]);
    smuggled.writeUInt16BE(smuggled.length - 20, 2);
    expect(client.ask(smuggled)?.code).toBe(400);
  });

  it.each([Attribute.username, Attribute.realm, Attribute.nonce])(
    "without attribute %i besides is a bad request",
    (missing) => {
      const turn = new MemoryTurn();
      const client = turn.client();
      client.challenge();
      const writer = client.writer(StunMethod.allocate).u32(Attribute.requestedTransport, UDP);
      for (const [type, text] of [
        [Attribute.username, client.username],
        [Attribute.realm, client.realm],
        [Attribute.nonce, client.nonce],
      ] as const) {
        if (type !== missing) writer.text(type, text);
      }
      expect(client.ask(writer.integrity("sha1", client.key()).finish())?.code).toBe(400);
    },
  );
});

describe("the choice of a password algorithm (RFC 8489 §9.2.4)", () => {
  const attempts: [string, (writer: StunWriter) => void][] = [
    ["a choice without the list", (writer) => writer.u32(Attribute.passwordAlgorithm, 0x20000)],
    ["the list without a choice", (writer) => writer.bytes(Attribute.passwordAlgorithms, OFFER)],
    ["a list cut down to MD5", (writer) => choose(writer, OFFER.subarray(4), 0x10000)],
    ["an algorithm that was not offered", (writer) => choose(writer, OFFER, 0x30000)],
    ["an algorithm with parameters", (writer) => choose(writer, OFFER, 0x20004)],
  ];

  it.each(attempts)("refuses %s", (_, attributes) => {
    const turn = new MemoryTurn();
    const client = turn.client();
    client.challenge();
    const attempt = client.ask(client.sealed(StunMethod.allocate, attributes));
    expect(attempt?.code).toBe(400);
  });
});

const OFFER = Buffer.from([0, 2, 0, 0, 0, 1, 0, 0]);

function choose(writer: StunWriter, list: Uint8Array, choice: number): void {
  writer.bytes(Attribute.passwordAlgorithms, list).u32(Attribute.passwordAlgorithm, choice);
}
