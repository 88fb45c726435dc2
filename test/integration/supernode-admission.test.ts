/** A supernode that everybody runs to keeps those whom it has, and tells the others when and where. */
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import { NetworkClock, systemClock } from "../../main/core/clock.ts";
import { silentLog } from "../../main/core/log.ts";
import { Routes } from "../../main/core/proxy.ts";
import { openSupernodeLink } from "../../main/directory/supernode-link.ts";
import { readBusy } from "../../protocol/busy.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNode } from "../support/node-api-client.ts";
import { codeOf } from "../support/refusal-code.ts";
import { random } from "../support/test-account.ts";
import { TestNetwork } from "../support/test-network.ts";
import { until } from "../support/until.ts";

let network: TestNetwork;
const cleanUps: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  await network.close();
});

async function attach(target: SupernodeCertificate): Promise<TestNode> {
  const node = await TestNode.attach(target, network.authority.device());
  cleanUps.push(() => node.close());
  return node;
}

/** Why the app's own link is refused. */
async function refusalOf(target: SupernodeCertificate): Promise<KithError> {
  const device = network.authority.device();
  const ignore = {
    deliver: async () => {},
    presence: () => {},
    goAway: () => {},
    keyLogHead: () => {},
    closed: () => {},
  };
  try {
    const link = await openSupernodeLink(
      target,
      {
        anchor: trustAnchor(network.authority.networkKey, Date.now),
        signSecret: device.secretKey,
        certificate: () => device.certificate,
      },
      ignore,
      {
        random,
        clock: new NetworkClock(systemClock()),
        log: silentLog,
        routes: new Routes(),
        signal: new AbortController().signal,
      },
    );
    link.close();
  } catch (error) {
    return KithError.from(error);
  }
  throw new Error("not refused");
}

test("a burst of newcomers fills the places there are and no more, and nobody who has one loses it", async () => {
  network = await TestNetwork.start(1, { limits: { maxAttachments: 10 } });
  const seats = await Promise.all([attach(network.at(0)), attach(network.at(0))]);
  const codes = await Promise.all(Array.from({ length: 40 }, () => codeOf(attach(network.at(0)))));
  expect(codes.filter((code) => code === "no error")).toHaveLength(8);
  expect(network.supernodes[0]?.attachedNodes()).toBe(10);
  expect(seats.every(({ socket }) => socket.connected)).toBe(true);
});

test("a full supernode says where there is room, and the client goes there", async () => {
  network = await TestNetwork.start(2, { limits: { maxAttachments: 1 } });
  const [full, free] = [network.at(0), network.at(1)];
  await attach(full);
  // It begins to ask around when it first has to refuse somebody.
  await until(async () => readBusy(await refusalOf(full)).elsewhere.includes(free.supernodeId));
  const alice = await HeadlessClient.signedUp(network.loginServer.url, "alice");
  cleanUps.push(() => alice.close());
  expect(network.supernodes[1]?.attachedNodes()).toBe(1);
});

test("beyond the few who are told more, newcomers are refused before the handshake, as busy all the same", async () => {
  network = await TestNetwork.start(1, { limits: { maxAttachments: 1, politeRefusalsPerSecond: 0 } });
  await attach(network.at(0));
  const refusal = await refusalOf(network.at(0));
  expect(refusal.code).toBe("supernode-busy");
  expect(readBusy(refusal)).toEqual({ waitSeconds: 5, elsewhere: [] });
});

test("a client that was refused comes back when there is room, not before it was told to", async () => {
  network = await TestNetwork.start(1, { limits: { maxAttachments: 1, politeRefusalsPerSecond: 0 } });
  const seat = await attach(network.at(0));
  const alice = await HeadlessClient.open(network.loginServer.url);
  cleanUps.push(() => alice.close());
  await alice.signUp("alice");
  await alice.until(() => alice.me.notices.some(({ code }) => code === "supernode-busy"), "told that it is full");
  const since = performance.now();
  seat.close();
  await alice.attached(60_000);
  expect(performance.now() - since).toBeGreaterThan(2_000);
}, 90_000);

test("one source has only so many connections that prove nothing; nodes that have proved themselves do not count", async () => {
  network = await TestNetwork.start(1, { limits: { strangersPerSource: 5 } });
  const { host, port } = network.at(0);
  for (let count = 0; count < 12; count++) await attach(network.at(0));
  const silent = Array.from({ length: 5 }, () => connect(port, host));
  cleanUps.push(() => void silent.map((socket) => socket.destroy()));
  await Promise.all(silent.map((socket) => once(socket, "connect")));
  expect(await codeOf(attach(network.at(0)))).not.toBe("no error");
  expect(network.supernodes[0]?.attachedNodes()).toBe(12);
  for (const socket of silent) socket.destroy();
  await until(async () => (await codeOf(attach(network.at(0)))) === "no error");
});
