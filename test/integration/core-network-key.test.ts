/** A network changes its key while it runs: real login server, real supernodes, real clients, one clock that the test moves on. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { ADMIN_API } from "../../login-server/administration/admin-api.ts";
import { startLoginServer } from "../../login-server/server.ts";
import { NetworkId } from "../../protocol/identifiers.ts";
import { decodeKeyLogHead, type KeyLogHead } from "../../protocol/key-log.ts";
import { signSuccession } from "../../protocol/network-key.ts";
import { type SigningKeyPair, signingKeyPair } from "../../protocol/node-crypto.ts";
import { startSupernode } from "../../relay/supernode.ts";
import { askAdmin } from "../support/admin-client.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { joinRaw } from "../support/hostile-supernode.ts";
import { TestNode } from "../support/node-api-client.ts";
import { codeOf } from "../support/refusal-code.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

const NOTICE_MS = 60_000;
const OVERLAP_MS = 600_000;
const planned = { reason: "planned", noticeMs: NOTICE_MS, overlapMs: OVERLAP_MS, endOverlap: false } as const;
const stolen = { ...planned, reason: "stolen" } as const;
const relayTimes = { noticesMs: 300, renewalCheckMs: 300, headPushMs: 500 };
const times = { renewalCheckMs: 300, ownKeysCheckMs: 0 };

describe("the network's key", () => {
  const closers: (() => Promise<unknown>)[] = [];
  let offsetMs = 0;
  const now = () => Date.now() + offsetMs;

  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
    offsetMs = 0;
  });

  async function start(supernodes: number): Promise<TestNetwork> {
    const network = await TestNetwork.start(supernodes, { now, times: relayTimes });
    closers.push(() => network.close());
    return network;
  }
  async function signedUp(network: TestNetwork, name: string): Promise<HeadlessClient> {
    const client = await HeadlessClient.signedUp(network.loginServer.url, name, { now, times });
    closers.push(() => client.close());
    return client;
  }
  async function again(client: HeadlessClient, options = {}): Promise<HeadlessClient> {
    const reopened = await client.reopen({ now, times, ...options });
    closers.push(() => reopened.close());
    return reopened;
  }
  const rotate = (network: TestNetwork, change: typeof planned | typeof stolen = planned) =>
    askAdmin(network.loginFolder, ADMIN_API.rotateNetworkKey, change);
  const attachWithOldKey = (network: TestNetwork, index: number) =>
    codeOf(TestNode.attach(network.at(index), network.authority.device()).then((node) => node.close()));
  /** Every supernode that is listed has a certificate of the present key. */
  const supernodesRenewed = (network: TestNetwork, since: number) =>
    until(async () => {
      const ids = network.supernodes.filter((one) => one.stage().kind === "member").map((one) => one.supernodeId);
      const certificates = await Promise.all(ids.map((id) => network.certificateOf(id)));
      return certificates.every(({ issuedAt }) => issuedAt >= since);
    });

  it("changes under a running network: a call and messages go on, everybody ends up on the new key, and the old one is refused", async () => {
    const network = await start(3);
    const [alice, bob] = [await signedUp(network, "alice"), await signedUp(network, "bob")];
    let carol = await signedUp(network, "carol");
    await alice.befriend(bob);
    await alice.befriend(carol);
    await carol.close({ keepFolder: true });
    await alice.methods.dial({ peer: alice.idOf("bob") });
    await bob.inCall("incoming");
    await bob.methods.acceptCall({});
    await Promise.all([alice.inCall("active"), bob.inCall("active")]);
    const away = network.supernodes.at(-1);
    await away?.close();

    await rotate(network);
    await until(async () => (await attachWithOldKey(network, 0)) === "no error");
    offsetMs += NOTICE_MS + 1_000;
    const renewedSince = now() - 1_000;
    await supernodesRenewed(network, renewedSince - 1);
    // Half a network on each key is one network: what the old one has certified before is good.
    await alice.say("bob", "in the overlap");
    await bob.hears("in the overlap");
    const back = await startSupernode(network.options({ now, times: relayTimes, dataFolder: away?.dataFolder ?? "" }));
    closers.push(() => back.close());
    await until(() => back.stage().kind === "member" && back.members().length === 3);
    await until(() => network.supernodes.slice(0, 2).every((one) => one.members().includes(back.supernodeId)));

    // In the overlap the key log gets a head of the new key too: nobody reads one of the old key after its end.
    await until(async () => (await keyLogHeadAt(network)).issuedAt >= renewedSince);

    offsetMs += OVERLAP_MS;
    for (const index of [0, 1]) {
      const old = { issuedAt: now() - OVERLAP_MS - NOTICE_MS - 2_000 };
      const refused = TestNode.attach(network.at(index), network.authority.device(old));
      expect(await codeOf(refused)).toBe("certificate-expired");
      expect(await attachWithOldKey(network, index)).toBe("certificate-forged");
    }
    await alice.say("bob", "after it");
    await bob.hears("after it");
    expect([alice.call.phase, bob.call.phase]).toEqual(["active", "active"]);
    expect(network.supernodes[0]?.members()).toHaveLength(3);

    // Who was away for all of it follows, and finds everybody.
    carol = await again(carol);
    await carol.attached();
    await carol.say("alice", "I was away");
    await alice.hears("I was away");
    for (const client of [alice, bob, carol]) expect(client.me.alerts).toEqual([]);

    // Their certificates are the new key's: the supernodes take them without the login server.
    await network.loginServer.close();
    const restarted = await again(bob);
    await restarted.attached();
    await restarted.say("alice", "still here");
    await alice.hears("still here");
  });

  it("does not split the network of those who hear of it late and without the login server", async () => {
    const network = await start(3);
    const late = network.supernodes.at(-1);
    await late?.close();
    await rotate(network);
    offsetMs += NOTICE_MS + 1_000;
    await supernodesRenewed(network, now() - 1_000 - 1);
    const { port } = network.loginServer;
    await network.loginServer.close();
    // It knows the old key alone, and so does its certificate.
    const back = await startSupernode(network.options({ now, times: relayTimes, dataFolder: late?.dataFolder ?? "" }));
    closers.push(() => back.close());
    await until(() => back.members().length === 3);
    await until(() => network.supernodes.slice(0, 2).every((one) => one.members().includes(back.supernodeId)));
    const reopened = await startLoginServer({ dataFolder: network.loginFolder, now, port, registration: "open" });
    closers.push(() => reopened.close());
    offsetMs += OVERLAP_MS;
    await until(async () => (await network.certificateOf(back.supernodeId)).issuedAt >= now() - OVERLAP_MS);
    await until(() => back.members().length === 3);
  });

  it("that was stolen is believed no longer; the next one needs a person's word, and whoever has the old one gets nowhere", async () => {
    const network = await start(2);
    let alice = await signedUp(network, "alice");
    const otherKey = { ...network.options({ now }), networkKey: NetworkId.parse("0a".repeat(20)) };
    expect(await codeOf(startSupernode(otherKey))).toBe("network-key-withheld");
    const told = await rotate(network, stolen);
    await alice.until(() => alice.me.notices.some(({ code }) => code === "network-key-unconfirmed"), "the sentence");
    await until(async () => (await attachWithOldKey(network, 0)) !== "no error");
    expect(["certificate-expired", "certificate-forged"]).toContain(await attachWithOldKey(network, 1));

    // The thief answers at the login server's address with the old key alone.
    const withoutNews: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      if (!String(input).endsWith("/v1/network")) return answer;
      return Response.json({ ...((await answer.json()) as object), successions: "" });
    };
    alice = await again(alice, { fetch: withoutNews });
    await alice.until(() => alice.me.notices.some(({ code }) => code === "network-key-unconfirmed"), "still");
    expect(alice.me.loginServerReachable).toBe(false);

    // A supernode says so at its start, until its operator has the host's word.
    const [first, second] = network.supernodes;
    await Promise.all([first?.close(), second?.close()]);
    const options = network.options({ now, times: relayTimes, dataFolder: first?.dataFolder ?? "" });
    expect(await codeOf(startSupernode(options))).toBe("network-key-unconfirmed");
    const networkKey = NetworkId.parse(told.keys[1]?.fingerprint);
    const back = await startSupernode({ ...options, networkKey });
    closers.push(() => back.close());
    await until(() => back.stage().kind === "member");

    alice = await again(alice);
    await alice.until(() => alice.me.notices.some(({ code }) => code === "network-key-unconfirmed"), "and still");
    const thief = told.confirmationLink.replace(/&key=.*$/, `&key=${"0a".repeat(20)}`);
    alice.openLink(thief);
    alice.openLink(told.confirmationLink);
    await alice.attached();
    await alice.until(() => alice.me.loginServerReachable && alice.me.notices.length === 0, "all is well");
    expect(alice.me.alerts).toEqual([]);
    // Whoever knows the key is not talked into another one by a link that any web page may have made.
    expect(() => alice.openLink(thief)).toThrow(expect.objectContaining({ code: "network-key-known" }));
    alice = await again(alice, { fetch: withoutNews });
    await alice.until(() => alice.me.notices.some(({ code }) => code === "network-key-withheld"), "the thief is known");
    expect(alice.me.loginServerReachable).toBe(false);
  });

  it("that somebody else continues otherwise raises the alarm, and is not followed", async () => {
    const network = await start(2);
    let alice = await signedUp(network, "alice");
    const old = firstKeyOf(network);
    await rotate(network);
    const rival = rivalOf(old, network, now());
    await until(async () => (await successionsAt(network)).length > 0);
    const link = await joinRaw(network, network.at(0), { certificate: { issuedAt: now() } });
    await link.call("tellNetworkKeys", { successions: rival });
    link.socket.disconnect();
    const lying: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init);
      if (!String(input).endsWith("/v1/network")) return answer;
      return Response.json({
        ...((await answer.json()) as object),
        successions: Buffer.from(rival).toString("base64"),
      });
    };
    alice = await again(alice);
    await alice.until(() => alice.me.loginServerReachable, "the session");
    alice = await again(alice, { fetch: lying });
    await alice.until(() => alice.me.alerts.some(({ code }) => code === "network-key-forked"), "the alarm");
    expect(alice.me.loginServerReachable).toBe(false);
    // Certified by the true key, everybody still has everybody.
    offsetMs += NOTICE_MS + 1_000;
    await supernodesRenewed(network, now() - 1_000 - 1);
    await until(() => network.supernodes.every((one) => one.members().length === 2));
  });
});

function firstKeyOf({ loginFolder }: TestNetwork): SigningKeyPair {
  const { networkSeed } = JSON.parse(readFileSync(join(loginFolder, "network-keys.json"), "utf8"));
  return signingKeyPair(Buffer.from(networkSeed, "base64"));
}

function rivalOf(old: SigningKeyPair, { authority }: TestNetwork, from: number): Uint8Array {
  const thief = signingKeyPair();
  const { networkId } = authority;
  return signSuccession({ networkId, number: 1, from, until: from + OVERLAP_MS, reason: "planned" }, old, thief);
}

async function successionsAt({ loginServer }: TestNetwork): Promise<Uint8Array> {
  const answer = (await (await fetch(`${loginServer.url}/v1/network`)).json()) as { successions: string };
  return Buffer.from(answer.successions, "base64");
}

async function keyLogHeadAt({ loginServer }: TestNetwork): Promise<KeyLogHead> {
  const answer = (await (await fetch(`${loginServer.url}/v1/notices`)).json()) as { keyLogHead: string };
  return decodeKeyLogHead(Buffer.from(answer.keyLogHead, "base64")).value;
}
