/** Nothing is lost and nothing comes twice, whichever process dies at whichever moment. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { UserId } from "../../protocol/identifiers.ts";
import { buildHeadlessProcess, ClientProcess } from "../support/client-process.ts";
import { HeadlessClient } from "../support/headless-client.ts";
import { TestNetwork } from "../support/test-network.ts";

let built: { script: string; remove(): void };
let network: TestNetwork;
let alice: HeadlessClient;
let folder: string;
const processes: ClientProcess[] = [];

beforeAll(async () => {
  built = await buildHeadlessProcess();
});
afterAll(() => built.remove());

beforeEach(async () => {
  network = await TestNetwork.start(3);
  folder = mkdtempSync(join(tmpdir(), "kith-client-"));
  alice = await HeadlessClient.signedUp(network.loginServer.url, "alice");
  const bob = await HeadlessClient.signedUp(network.loginServer.url, "bob", { dataFolder: folder });
  await alice.befriend(bob);
  await bob.close();
});

afterEach(async () => {
  for (const child of processes.splice(0)) await child.kill();
  await alice.close();
  await network.close();
  rmSync(folder, { recursive: true, force: true });
});

async function startBob(): Promise<ClientProcess> {
  const bob = await ClientProcess.start(built.script, folder, network.loginServer.url);
  processes.push(bob);
  return bob;
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `message ${index}`);

test("a recipient killed in mid-stream has every message once and in order after its restart", async () => {
  const bob = await startBob();
  await alice.seesOnline("bob");
  const sent = numbered(40);
  let heard = 0;
  const killed = new Promise<void>((resolve) => {
    bob.onPush("line", () => {
      if (++heard === 10) resolve(bob.kill());
    });
  });
  const saying = (async () => {
    for (const text of sent) await alice.say("bob", text);
  })();
  await killed;
  await saying;

  const restarted = await startBob();
  const allDelivered = () => {
    const lines = [...alice.lines.values()];
    return lines.length === sent.length && lines.every((line) => line.kind === "text" && line.delivery === "delivered");
  };
  await alice.until(allDelivered, "all delivered", 25_000);
  const { lines } = await restarted.invoke("lines", { peer: alice.me.userId, before: null, limit: 200 });
  expect(lines.map((line) => (line.kind === "text" ? line.text : line.kind))).toEqual(sent);
}, 60_000);

test("a sender killed in mid-stream has lost nothing that it said was kept, and sends it once", async () => {
  const bob = await startBob();
  await alice.seesOnline("bob");
  const kept: string[] = [];
  const peer = UserId.parse(alice.me.userId);
  for (const text of numbered(15)) {
    await bob.invoke("sendMessage", { peer, text });
    kept.push(text);
  }
  await bob.kill();
  const restarted = await startBob();
  for (const text of kept) await alice.hears(text, 25_000);
  await restarted.invoke("sendMessage", { peer, text: "after the crash" });
  await alice.hears("after the crash");
  expect(await alice.texts("bob")).toEqual([...kept, "after the crash"]);
}, 60_000);
