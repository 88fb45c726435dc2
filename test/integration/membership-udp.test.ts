/** Gossip between real sockets on loopback, with real keys: joining, dying, restarting, and strangers that interfere. */
import { X509Certificate } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import tls from "node:tls";
import { pino } from "pino";
import { generate } from "selfsigned";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { encodeHello, HELLO_BYTES } from "../../protocol/gossip-packet.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { sha256, signingKeyPair } from "../../protocol/node-crypto.ts";
import { DialPolicy } from "../../relay/links/dial-policy.ts";
import { type DatagramPort, openUdpPort } from "../../relay/membership/datagram-port.ts";
import { GossipMembership } from "../../relay/membership/gossip-membership.ts";
import type { MembershipChange } from "../../relay/membership/membership-source.ts";
import { isReachableByTcp } from "../../relay/membership/tcp-reach.ts";
import { GossipActor } from "../support/gossip-actor.ts";
import { TestAuthority } from "../support/test-identities.ts";
import { until } from "../support/until.ts";

/** Ten times as fast as in earnest, where it is the sockets that are under test and not the pace. */
const dial = new DialPolicy("127.0.0.1", []);
const QUICK = {
  foundMs: 400,
  helloMs: 200,
  probeMs: 200,
  probeTimeoutMs: 100,
  gossipMs: 40,
  suspicionMs: 600,
  reachMs: 2_000,
  vouchRetryMs: 1_500,
  reconnectMs: 500,
  syncMs: 2_000,
  sweepMs: 500,
  reachCheckMs: 2_000,
};

let certificatePem: { key: string; cert: string; fingerprint: Uint8Array };
beforeAll(async () => {
  const { private: key, cert } = await generate([{ name: "commonName", value: "kith" }], { keyType: "ec" });
  certificatePem = { key, cert, fingerprint: sha256(new X509Certificate(cert).raw) };
});

interface TestSupernode {
  readonly actor: GossipActor;
  readonly membership: GossipMembership;
  readonly changes: MembershipChange[];
  readonly port: number;
  stored: Uint8Array | null;
  /** Ends it without a goodbye. */
  kill(): void;
  /** Its UDP goes on. */
  closeTcp(): void;
}

let authority: TestAuthority;
let supernodes: TestSupernode[];
/** Serials of the certificates that the network has taken back. */
let revoked: Set<number>;
let ending: (() => void | Promise<void>)[];

beforeEach(() => {
  authority = new TestAuthority(signingKeyPair());
  supernodes = [];
  revoked = new Set();
  ending = [];
});
afterEach(async () => {
  for (const end of ending.reverse()) await end();
});

/** A port that a test can cut off. */
class Line implements DatagramPort {
  readonly #port: DatagramPort;
  isCut = false;

  constructor(port: DatagramPort) {
    this.#port = port;
  }

  get port(): number {
    return this.#port.port;
  }

  send(datagram: Uint8Array, host: string, port: number): void {
    if (!this.isCut) this.#port.send(datagram, host, port);
  }

  onDatagram(listener: (datagram: Uint8Array) => void): void {
    this.#port.onDatagram((datagram) => {
      if (!this.isCut) listener(datagram);
    });
  }

  close(): void {
    this.#port.close();
  }
}

/** A UDP port with a TLS listener of the same number. */
async function openPorts(): Promise<{ udp: DatagramPort; listener: tls.Server }> {
  const listener = tls.createServer({ key: certificatePem.key, cert: certificatePem.cert }, (socket) => {
    socket.on("error", () => undefined);
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { udp: await openUdpPort("127.0.0.1", address.port), listener };
}

interface Choices {
  readonly tcp?: "open" | "closed" | "another-certificate";
  readonly former?: TestSupernode;
  readonly serial?: number;
}

async function start({ tcp = "open", former, serial = 1 }: Choices = {}): Promise<TestSupernode> {
  const { udp, listener } = await openPorts();
  if (tcp === "closed") listener.close();
  const actor = new GossipActor(authority, {
    port: udp.port,
    tlsFingerprint: tcp === "another-certificate" ? new Uint8Array(32) : certificatePem.fingerprint,
    ...(former ? { supernodeId: former.actor.id, serial: 2 } : { serial }),
  });
  const line = new Line(udp);
  const otherPort = await openUdpPort("127.0.0.1", 0);
  const stored = former?.stored ?? null;
  const membership = new GossipMembership({
    self: actor.certificate,
    secretKey: actor.keys.secretKey,
    anchor: trustAnchor(authority.networkKey, authority.now),
    isRevoked: (serial) => revoked.has(serial),
    seeds: supernodes.map((other) => other.actor.certificate),
    port: line,
    otherPort,
    mayDial: (address) => address === "127.0.0.1",
    probeTcp: (certificate) => isReachableByTcp(certificate, dial.open, 1_000),
    memory: {
      read: () => stored,
      write: (bytes) => {
        supernode.stored = bytes;
      },
    },
    random: Math.random,
    log: pino({ level: "silent" }),
    times: QUICK,
  });
  const changes: MembershipChange[] = [];
  membership.onChange((change) => changes.push(change));
  const supernode: TestSupernode = {
    actor,
    membership,
    changes,
    port: udp.port,
    stored,
    kill() {
      line.isCut = true;
      listener.close();
    },
    closeTcp() {
      listener.close();
    },
  };
  ending.push(() => {
    membership.close();
    listener.close();
  });
  supernodes.push(supernode);
  return supernode;
}

const knows = (supernode: TestSupernode, others: readonly TestSupernode[]) =>
  others.every(({ actor }) => supernode.membership.members().has(actor.id)) &&
  supernode.membership.members().size === others.length;
const agree = (nodes: readonly TestSupernode[]) => nodes.every((node) => knows(node, nodes));

async function network(size: number): Promise<TestSupernode[]> {
  for (let count = 0; count < size; count++) await start();
  await until(
    () => agree(supernodes),
    20_000,
    () => `sizes ${supernodes.map((s) => s.membership.members().size)}`,
  );
  return supernodes;
}

describe("supernodes on real sockets", () => {
  it("find each other, see one leave and one die, and take one back that starts again from its own memory", async () => {
    const [first, second, third, fourth, fifth] = (await network(5)) as [
      TestSupernode,
      TestSupernode,
      TestSupernode,
      TestSupernode,
      TestSupernode,
    ];
    expect(first.changes.filter(({ kind }) => kind === "joined")).toHaveLength(4);

    fifth.membership.close();
    await until(() => agree([first, second, third, fourth]), 5_000);

    expect(fourth.membership.members().size).toBe(4);
    fourth.kill();
    await until(() => agree([first, second, third]), 20_000);
    expect(first.changes.at(-1)).toEqual({ kind: "left", supernodeId: fourth.actor.id });

    third.membership.close();
    await until(() => agree([first, second]), 5_000);
    supernodes = [];
    const again = await start({ former: third });
    await until(() => agree([first, second, again]), 20_000);
  });

  it("drop one whose certificate was taken back, and do not let it in again", async () => {
    const [first, second] = (await network(2)) as [TestSupernode, TestSupernode];
    const outlaw = await start({ serial: 77 });
    await until(() => agree(supernodes), 20_000);
    revoked.add(77);
    await until(() => agree([first, second]), 20_000);
    // It greets them and is passed on by nobody, for several rounds of both.
    await new Promise((resolve) => setTimeout(resolve, 3 * QUICK.reconnectMs));
    expect(agree([first, second])).toBe(true);
    expect(outlaw.membership.members().has(outlaw.actor.id)).toBe(true);
  });

  it("turn away a newcomer whose TCP is closed, or answers with another certificate", async () => {
    const members = [...(await network(3))];
    const closed = await start({ tcp: "closed" });
    const wrong = await start({ tcp: "another-certificate" });
    await until(() => [closed, wrong].every(({ membership }) => membership.stage.kind === "unreachable"), 20_000);
    expect(closed.membership.stage).toEqual({ kind: "unreachable", by: "tcp" });
    expect(agree(members)).toBe(true);
    expect(closed.membership.members().size).toBe(1);
  });

  it("put nobody out, but one whose TCP port is closed leaves by itself and knows why", async () => {
    const [shut, ...others] = (await network(4)) as [TestSupernode, ...TestSupernode[]];
    shut.closeTcp();
    await until(() => agree(others), 40_000);
    expect(shut.membership.stage).toEqual({ kind: "unreachable", by: "tcp" });
    expect(shut.membership.metrics.reachFailures).toBeGreaterThanOrEqual(3);
    expect(shut.changes.every(({ kind }) => kind === "joined")).toBe(true);
  });

  it("are not moved by rubbish, recorded packets or hellos from strangers, and answer none of it at length", async () => {
    const [first, second] = (await network(2)) as [TestSupernode, TestSupernode];
    const attacker = createSocket("udp4");
    ending.push(() => new Promise<void>((resolve) => attacker.close(() => resolve())));
    attacker.bind(0, "127.0.0.1");
    await once(attacker, "listening");
    let receivedBytes = 0;
    attacker.on("message", (message) => {
      receivedBytes += message.length;
    });
    /** One at a time: what overflows the socket's buffer would prove nothing. */
    const shoot = async (bytes: Uint8Array) => {
      attacker.send(bytes, first.port, "127.0.0.1");
      await new Promise((resolve) => setTimeout(resolve, 2));
    };

    for (let round = 0; round < 200; round++) await shoot(Uint8Array.from({ length: round * 6 }, () => 0xf1));
    const foreign = new GossipActor(new TestAuthority(signingKeyPair()), { port: attacker.address().port });
    await shoot(encodeHello(foreign.hello(Date.now())));
    // In the second's name, from another address: what answers there are go to the second.
    await shoot(encodeHello(second.actor.hello(Date.now() - 60_000)));
    const certified = new GossipActor(authority, { port: attacker.address().port });
    await shoot(encodeHello(certified.hello(Date.now())));
    await until(() => receivedBytes > 0, 5_000);
    await new Promise((resolve) => setTimeout(resolve, 300));

    const { refused } = first.membership.metrics;
    expect(refused.malformed).toBe(199);
    expect(refused.forged).toBeGreaterThan(0);
    expect(agree([first, second])).toBe(true);
    expect(first.membership.members().has(certified.id)).toBe(false);
    // Only the certified one was answered; the examiners' own hellos are as long as one of its own.
    expect(receivedBytes).toBeLessThanOrEqual(5 * HELLO_BYTES);
  });
});
