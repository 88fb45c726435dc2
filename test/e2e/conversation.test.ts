/** Messages, voice messages and restarts in two real apps. The last test kills supernodes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { meet } from "../../scripts/check-acts.ts";
import { hear } from "../../scripts/check-hearing.ts";
import type { Actor } from "../../scripts/check-stage.ts";
import type { LocalSupernode } from "../../scripts/local-network.ts";
import { connectedPorts } from "../support/open-sockets.ts";
import { openTwoApps, type TwoApps } from "../support/two-apps.ts";

const SOON = { timeout: 30_000, interval: 200 };
const PATIENT = { timeout: 60_000, interval: 200 };

let apps: TwoApps;
let alice: Actor;
let bob: Actor;

beforeAll(async () => {
  apps = await openTwoApps();
  ({ alice, bob } = apps);
  await meet(apps);
});
afterAll(() => apps.close());

test("what one types, the other reads, letter for letter, and the writer sees that it was read", async () => {
  const odd = 'Grüße, 你好 👋🏽 <b>not bold</b> <img src="x" onerror="document.title=1"> & "quotes"';
  await alice.window.write(odd);
  await bob.window.line(odd).waitFor();
  await alice.window.conversation.getByTitle("Read").last().waitFor();
  await bob.window.write("Two\nlines");
  await expect.poll(() => received(alice, "bob"), SOON).toEqual(["Two\nlines"]);
  expect(await bob.window.page.title()).toBe("Kith");
});

test("a voice message recorded by one is played to the other", async () => {
  await alice.window.page.getByRole("button", { name: "Record voice message" }).click();
  const send = alice.window.page.getByRole("button", { name: "Send voice message" });
  await expect.poll(() => send.isEnabled(), SOON).toBe(true);
  await wait(6_000);
  await send.click();

  await bob.window.page.getByRole("button", { name: "Play voice message" }).click();
  await bob.tap.clear();
  await expect.poll(() => hear(bob, alice), SOON).toMatchObject({ recognised: true });
});

test("after a restart one is still signed in, keeps the conversation, and gets what was written meanwhile", async () => {
  await alice.window.write("Before the restart");
  await bob.window.line("Before the restart").waitFor();
  await bob.app.quit();
  await alice.window.buddy("bob", "offline").waitFor();
  await alice.window.write("While you were away");

  bob = await apps.reopen("bob");
  await bob.window.buddy("alice", "online").waitFor();
  await bob.window.openConversation("alice");
  await bob.window.line("Before the restart").waitFor();
  await bob.window.line("While you were away").waitFor();
  await alice.window.buddy("bob", "online").waitFor();
});

test("home supernode killed in mid-chat: no message is lost, doubled or out of order", async () => {
  const [before, repliesBefore] = [await received(bob, "alice"), await received(alice, "bob")];
  const chatting = { on: true };
  const sent = { alice: [] as string[], bob: [] as string[] };
  const write = async (actor: Actor) => {
    while (chatting.on) {
      const text = `${actor.name} ${sent[actor.handle].length + 1}`;
      await actor.window.write(text);
      sent[actor.handle].push(text);
      await wait(200);
    }
  };
  const writers = [write(alice), write(bob)];
  try {
    await expect.poll(() => sent.alice.length, PATIENT).toBeGreaterThan(5);
    // One of the two is her home, the other one her standby: each of them dies once.
    const attachedTo = await supernodesOf(alice);
    expect(attachedTo).toHaveLength(2);
    for (const supernode of attachedTo) {
      supernode.process.child.kill("SIGKILL");
      await supernode.process.ended;
      const left = apps.network.supernodes.filter(({ process }) => process.child.signalCode === null);
      await expect.poll(async () => portsOf(await supernodesOf(alice)), PATIENT).toEqual(portsOf(left));
      const [fromAlice, fromBob] = [sent.alice.length, sent.bob.length];
      await expect.poll(() => sent.alice.length, PATIENT).toBeGreaterThan(fromAlice + 5);
      await expect.poll(() => sent.bob.length, PATIENT).toBeGreaterThan(fromBob + 5);
    }
  } finally {
    chatting.on = false;
    await Promise.all(writers);
  }

  await expect.poll(() => received(bob, "alice"), PATIENT).toEqual([...before, ...sent.alice]);
  await expect.poll(() => received(alice, "bob"), PATIENT).toEqual([...repliesBefore, ...sent.bob]);
  await alice.window.line(sent.bob.at(-1) ?? "").waitFor();
  await bob.window.line(sent.alice.at(-1) ?? "").waitFor();
});

/** The supernodes to which the person's app is connected. */
async function supernodesOf({ app }: Actor) {
  const ports = await connectedPorts(app.electron.process().pid ?? 0);
  return apps.network.supernodes.filter(({ port }) => ports.includes(port));
}

function portsOf(supernodes: readonly LocalSupernode[]): number[] {
  return supernodes.map(({ port }) => port);
}

/** The texts that a person has got from the other, oldest first. */
async function received({ window }: Actor, from: string): Promise<string[]> {
  const { buddies } = await window.ask("snapshot", {});
  const peer = buddies.find(({ handle }) => handle === from)?.userId;
  if (peer === undefined) throw new Error(`${from} is no buddy`);
  const { lines } = await window.ask("lines", { peer, before: null, limit: 200 });
  return lines.flatMap((line) => (line.kind === "text" && !line.mine ? [line.text] : []));
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
