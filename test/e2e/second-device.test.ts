/** A second device of the callee: the third real app. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AppWindow } from "../../scripts/app-window.ts";
import { observeCalls, readObservation } from "../../scripts/call-observer.ts";
import { accept, meet, ring } from "../../scripts/check-acts.ts";
import { hear } from "../../scripts/check-hearing.ts";
import type { Actor } from "../../scripts/check-stage.ts";
import { root } from "../../scripts/repository.ts";
import { tapSpeech } from "../../scripts/speech-tap.ts";
import { openTwoApps, type TwoApps } from "../support/two-apps.ts";

const SOON = { timeout: 30_000, interval: 200 };

let apps: TwoApps;
let second: Actor;

beforeAll(async () => {
  apps = await openTwoApps();
  await meet(apps);
});
afterAll(() => apps.close());

test("signing in on another device with handle and password gives the same account and the same buddies", async () => {
  const app = await apps.openAnother();
  const { page } = app;
  await page.getByRole("textbox", { name: "Handle" }).fill("bob");
  await page.getByLabel("Password", { exact: true }).fill(`${apps.password}!`);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("alert").getByText("Handle or password is wrong.").waitFor();
  await page.getByLabel("Password", { exact: true }).fill(apps.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();

  const window = new AppWindow(page);
  await observeCalls(page);
  second = { ...apps.bob, name: "Bob's second device", app, window, tap: await tapSpeech(page) };
  await window.buddy("alice", "online").waitFor();
  const session = await sessionOf(window);
  expect(session).toMatchObject({ phase: "signed-in", handle: "bob", userId: await userIdOf(apps.bob.window) });
  // The same keys: to Alice nothing has changed.
  expect((await apps.alice.window.ask("snapshot", {})).buddies).toMatchObject([{ handle: "bob", keyChanged: false }]);
});

test("both devices ring; the one that answers has the call, and the other stops", async () => {
  const { alice, bob } = apps;
  await ring(alice, bob);
  await second.window.incomingCall("alice").waitFor();
  await accept(alice, second);
  await bob.window.incomingCall("alice").waitFor({ state: "hidden" });
  expect((await bob.window.ask("snapshot", {})).call).toMatchObject({ phase: "ended", reason: "answered-elsewhere" });
  expect(await readObservation(bob.window.page)).toMatchObject({ microphoneAsked: 0, connections: 0 });
  await expect.poll(() => hear(second, alice), { ...SOON, timeout: 60_000 }).toMatchObject({ recognised: true });
  await expect.poll(() => hear(alice, second), { ...SOON, timeout: 60_000 }).toMatchObject({ recognised: true });
  await alice.window.hangUpButton.click();
  await second.window.call.waitFor({ state: "hidden" });
});

test("a message reaches both devices", async () => {
  await second.window.openConversation("alice");
  await apps.alice.window.write("To all of your devices");
  await apps.bob.window.line("To all of your devices").waitFor();
  await second.window.line("To all of your devices").waitFor();
});

test("whoever turns on being found is found by name in the dialog that adds buddies", async () => {
  const { alice, bob } = apps;
  await bob.window.page.getByRole("button", { name: "Your account" }).click();
  await bob.window.page.getByRole("menuitem", { name: "Settings…" }).click();
  await bob.window.page.getByText("Let people find me").click();
  await bob.window.page.getByRole("textbox", { name: "Name" }).fill("Robért Hargreaves");
  await bob.window.page.getByRole("button", { name: "Close" }).click();

  const { page } = alice.window;
  await page.getByRole("button", { name: "Add buddy" }).click();
  const field = page.getByRole("searchbox", { name: "Find by name" });
  const found = page.getByRole("list", { name: "People found" }).getByRole("listitem");
  await expect
    .poll(
      async () => {
        await field.fill("HARG rob");
        await field.press("Enter");
        await page.getByText(/person found|Nobody was found/).waitFor();
        return found.allInnerTexts();
      },
      { timeout: 60_000, interval: 3_000 },
    )
    .toEqual([expect.stringMatching(/Robért Hargreaves[\s\S]*bob[\s\S]*Your buddy/)]);
  await mkdir(join(root, "out", "test-pictures"), { recursive: true });
  await page.screenshot({ path: join(root, "out", "test-pictures", "find-people.png") });
  await field.fill("x");
  await field.press("Enter");
  await page.getByRole("alert").getByText("Type at least two letters of a name").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
});

async function sessionOf(window: AppWindow) {
  return (await window.ask("snapshot", {})).session;
}

async function userIdOf(window: AppWindow): Promise<string> {
  const session = await sessionOf(window);
  if (session.phase !== "signed-in") throw new Error("nobody is signed in here");
  return session.userId;
}
