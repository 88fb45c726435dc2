import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ERRORS } from "../../protocol/errors.ts";
import { DeviceId, InboxId, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { SOCKET_FUZZ_RUNS } from "../support/fuzzing.ts";
import { joinRaw } from "../support/hostile-supernode.ts";
import { attachRequest, connectRaw, TestNode } from "../support/node-api-client.ts";
import { TestNetwork } from "../support/test-network.ts";

const RUNS = SOCKET_FUZZ_RUNS;
const UNLIMITED = { burst: 1e9, perMinute: 1e9 };
const CODES = new Set(Object.keys(ERRORS));

const bytes = fc.uint8Array({ maxLength: 700 });
const id = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((raw) => Buffer.from(raw).toString("hex"));
const nonsense = fc.anything({
  withBigInt: false,
  withDate: true,
  withSparseArray: false,
  withTypedArray: true,
  maxDepth: 3,
});
/** Something of the right kind or something else. */
const perhaps = <T>(good: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: good }, { weight: 1, arbitrary: nonsense });

const address = fc.record({ userId: perhaps(id(20)), deviceId: perhaps(id(16)) });
const lists = (length: number) => fc.array(perhaps(id(length)), { maxLength: 5 });
const searched = fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ minLength: 9_000, maxLength: 11_000 }));
const INPUTS: Record<string, fc.Arbitrary<unknown>> = {
  attach: fc.record({
    protocolVersion: fc.constantFrom(1, 2, "1"),
    certificate: perhaps(bytes),
    nonce: perhaps(fc.uint8Array({ minLength: 32, maxLength: 32 })),
    proof: perhaps(fc.uint8Array({ minLength: 64, maxLength: 64 })),
  }),
  join: fc.record({
    protocolVersion: fc.constantFrom(1, 0),
    certificate: perhaps(bytes),
    nonce: perhaps(fc.uint8Array({ minLength: 32, maxLength: 32 })),
    proof: perhaps(fc.uint8Array({ minLength: 64, maxLength: 64 })),
  }),
  register: fc.record({ lease: perhaps(bytes) }),
  setStatus: fc.record({ sealedStatus: perhaps(bytes) }),
  watch: fc.record({ userIds: perhaps(lists(20)) }),
  lookUp: fc.record({ userId: perhaps(id(20)) }),
  send: fc.record({ home: perhaps(id(20)), inbox: perhaps(id(16)), envelope: perhaps(bytes) }),
  store: fc.record({ lease: perhaps(bytes), certificate: perhaps(bytes) }),
  markGone: fc.record({
    userId: perhaps(id(20)),
    deviceId: perhaps(id(16)),
    inbox: perhaps(id(16)),
    lastSeenAt: perhaps(fc.integer()),
  }),
  find: fc.record({ userId: perhaps(id(20)) }),
  watchLeases: fc.record({ add: perhaps(lists(20)), remove: perhaps(lists(20)) }),
  watchInboxes: fc.record({ add: perhaps(lists(16)), remove: perhaps(lists(16)) }),
  publishProfile: fc.record({ profile: perhaps(bytes) }),
  ownProfile: nonsense,
  search: fc.record({ text: perhaps(searched), cursor: perhaps(fc.option(fc.string())) }),
  storeProfile: fc.record({ profile: perhaps(bytes) }),
  offerProfiles: fc.record({
    offered: perhaps(fc.array(fc.record({ userId: perhaps(id(20)), sequence: perhaps(fc.nat()) }), { maxLength: 5 })),
  }),
  searchProfiles: fc.record({ text: perhaps(searched), term: perhaps(fc.nat(9)), after: perhaps(fc.constant(null)) }),
  knownProfiles: fc.record({ userIds: perhaps(lists(20)) }),
  route: fc.record({ inbox: perhaps(id(16)), from: perhaps(address), envelope: perhaps(bytes) }),
};

interface Answer {
  ok: boolean;
  error?: { code: string };
}

/** A value or a refusal with a code that we know, and never one that says that we stumbled. */
function expectProper(answer: Answer): void {
  if (answer.ok) return;
  expect(CODES).toContain(answer.error?.code);
  expect(answer.error?.code).not.toBe("internal");
}

describe("nonsense over a real socket", () => {
  let network: TestNetwork;

  beforeAll(async () => {
    network = await TestNetwork.start(1, {
      limits: { nodeRequestBurst: 1e9, linkRequestBurst: 1e9 },
      search: { limits: { perUser: UNLIMITED, perSupernode: UNLIMITED, publishing: UNLIMITED } },
      times: { deliverMs: 100, presenceSettleMs: 50 },
    });
  });
  afterAll(() => network.close());

  const ask = (socket: TestNode["socket"], method: string, input: unknown): Promise<Answer> =>
    socket.timeout(5_000).emitWithAck(method, input);

  it.each(["register", "setStatus", "watch", "lookUp", "send", "publishProfile", "ownProfile", "search"])(
    "is refused with a code by %s",
    async (method) => {
      const node = await TestNode.online(network.at(0), network.authority.device());
      await fc.assert(
        fc.asyncProperty(fc.oneof(nonsense, INPUTS[method] as fc.Arbitrary<unknown>), async (input) => {
          expectProper(await ask(node.socket, method, input));
        }),
        { numRuns: RUNS },
      );
      expect(node.socket.connected).toBe(true);
      node.close();
    },
  );

  it.each([
    ...["store", "markGone", "find", "watchLeases", "watchInboxes", "route"],
    ...["storeProfile", "offerProfiles", "searchProfiles", "knownProfiles"],
  ])("from another supernode is refused with a code by %s", async (method) => {
    const link = await joinRaw(network, network.at(0));
    await fc.assert(
      fc.asyncProperty(fc.oneof(nonsense, INPUTS[method] as fc.Arbitrary<unknown>), async (input) => {
        expectProper(await ask(link.socket, method, input));
      }),
      { numRuns: RUNS },
    );
    expect(link.socket.connected).toBe(true);
    link.socket.disconnect();
  });

  it.each(["attach", "join"])("in place of proof is refused with a code by %s", async (method) => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(nonsense, INPUTS[method] as fc.Arbitrary<unknown>), async (input) => {
        const { socket } = await connectRaw(network.at(0));
        const answer = await ask(socket, method, input);
        expect(answer.ok).toBe(false);
        expectProper(answer);
        socket.disconnect();
      }),
      { numRuns: Math.ceil(RUNS / 5) },
    );
  });

  it("in place of a proof that is nearly right is refused, bit by bit", async () => {
    const device = network.authority.device();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("certificate", "nonce", "proof"),
        fc.nat(),
        fc.nat(7),
        async (field, place, bit) => {
          const { socket, challenge } = await connectRaw(network.at(0));
          const request = attachRequest(network.at(0), challenge, device);
          const spoilt = Uint8Array.from(request[field as "proof"]);
          spoilt[place % spoilt.length] = (spoilt[place % spoilt.length] as number) ^ (1 << bit);
          const answer = await ask(socket, "attach", { ...request, [field]: spoilt });
          expect(answer.ok).toBe(false);
          expectProper(answer);
          socket.disconnect();
        },
      ),
      { numRuns: Math.ceil(RUNS / 3) },
    );
  });

  it("under any name, with or without somewhere to answer, breaks nothing", async () => {
    const node = await TestNode.online(network.at(0), network.authority.device());
    const names = fc.oneof(
      fc.string(),
      fc.constantFrom("__proto__", "constructor", "hasOwnProperty", "challenge", "deliver", "presence"),
    );
    await fc.assert(
      fc.asyncProperty(names, fc.array(nonsense, { maxLength: 3 }), async (name, args) => {
        const reserved = [
          "connect",
          "connect_error",
          "disconnect",
          "disconnecting",
          "error",
          "newListener",
          "removeListener",
        ];
        if (reserved.includes(name)) return;
        node.socket.emit(name, ...args);
        const answer = await ask(node.socket, name, args[0]);
        expectProper(answer);
      }),
      { numRuns: RUNS },
    );
    expect(node.socket.connected).toBe(true);
    node.close();
  });

  it("in a binary frame closes that socket at most, and the next one is served", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (frame) => {
        const node = await TestNode.attach(network.at(0), network.authority.device());
        node.socket.io.engine.write(Buffer.from(frame) as unknown as string);
        await ask(node.socket, "lookUp", { userId: node.userId }).catch(() => undefined);
        node.close();
      }),
      { numRuns: Math.ceil(RUNS / 5) },
    );
    const node = await TestNode.online(network.at(0), network.authority.device());
    const other = UserId.parse(randomBytes(20).toString("hex"));
    expect((await node.call("lookUp", { userId: other })).devices).toEqual([]);
    node.close();
  });

  it("leaves no trace: what was refused is in no record, no watch and no inbox", async () => {
    const link = await joinRaw(network, network.at(0));
    const node = await TestNode.online(network.at(0), network.authority.device());
    const stranger = {
      userId: UserId.parse(randomBytes(20).toString("hex")),
      deviceId: DeviceId.parse(randomBytes(16).toString("hex")),
    };
    const inbox = InboxId.parse(randomBytes(16).toString("hex"));
    await link.call("markGone", { ...stranger, inbox, lastSeenAt: 1 });
    await ask(link.socket, "store", { lease: new Uint8Array(300), certificate: node.device.certificate });
    expect((await link.call("find", { userId: stranger.userId })).records).toEqual([]);
    const home = SupernodeId.parse(randomBytes(20).toString("hex"));
    expect(await node.send({ home, inbox }, new Uint8Array(1))).toEqual({ delivered: false });
    link.socket.disconnect();
    node.close();
  });
});
