/** What a person sees whose login server has issued a second key for their name, in a real app. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Handle } from "../../protocol/identifiers.ts";
import { type DrivenApp, driveApp } from "../../scripts/driven-app.ts";
import { findRuntime } from "../../scripts/electron-runtime.ts";
import { Lifetime } from "../../scripts/lifetime.ts";
import { CrookedHost } from "../support/crooked-host.ts";
import { TestNetwork } from "../support/test-network.ts";

const WAIT_MS = 30_000;
const lifetime = new Lifetime();
let network: TestNetwork;
let openApp: () => Promise<DrivenApp>;

beforeAll(async () => {
  const profile = await mkdtemp(join(tmpdir(), "kith-e2e-"));
  lifetime.atEnd(() => rm(profile, { recursive: true, force: true }));
  network = await TestNetwork.start(1, { times: { noticesMs: 200, headPushMs: 200 } });
  lifetime.atEnd(() => network.close());
  const runtime = await findRuntime(process.env);
  openApp = async () => {
    const app = await driveApp(runtime, { profile, loginServer: network.loginServer.url }, process.env);
    lifetime.atEnd(() => app.quit());
    return app;
  };
});
afterAll(() => lifetime.end());

test("a second key for one's own name is told in words that say what to do, until the person closes them", async () => {
  const first = await openApp();
  await first.page.getByRole("button", { name: "Create account" }).click();
  await first.page.getByLabel("Handle").fill("anna");
  await first.page.getByRole("textbox", { name: "Password" }).fill("correct horse battery");
  await first.page.getByRole("button", { name: "Create account" }).click();
  await first.page.getByRole("heading", { name: "anna", exact: true }).waitFor({ timeout: WAIT_MS });
  const alert = (app: DrivenApp) => app.page.getByRole("status").getByText("somebody else's key");
  expect(await alert(first).count()).toBe(0);
  // The app looks when it starts, and then once a minute.
  await first.quit();

  const host = await CrookedHost.of(network);
  await host.issueSecondKey(Handle.parse("anna"));
  await host.close();

  const second = await openApp();
  await alert(second).waitFor({ timeout: WAIT_MS });
  expect(await alert(second).textContent()).toMatch(
    /^The login server has given somebody else's key your handle, anna \(.*\)\. Whoever holds it can pose as you towards people who do not know your key\. Ask whoever runs the login server, and tell your buddies by another way\.$/,
  );
  await second.page.getByRole("status").getByRole("button").first().click();
  await alert(second).waitFor({ state: "detached", timeout: WAIT_MS });
});
