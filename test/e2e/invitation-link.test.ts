/** An invitation from the link to the account, in a real app: opened by a `kith:` link as the operating system does it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LoginServer, startLoginServer } from "../../login-server/server.ts";
import { type DrivenApp, driveApp } from "../../scripts/driven-app.ts";
import { findRuntime } from "../../scripts/electron-runtime.ts";
import { commandLine } from "../../scripts/launch-app.ts";
import { Lifetime } from "../../scripts/lifetime.ts";

const WAIT_MS = 30_000;
const lifetime = new Lifetime();
let server: LoginServer;
let app: DrivenApp;
let openLink: (link: string) => Promise<void>;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "kith-e2e-"));
  lifetime.atEnd(() => rm(folder, { recursive: true, force: true }));
  server = await startLoginServer({ dataFolder: join(folder, "login-server"), registration: "invitation" });
  lifetime.atEnd(() => server.close());
  const runtime = await findRuntime(process.env);
  const profile = join(folder, "profile");
  app = await driveApp(runtime, { profile }, process.env);
  lifetime.atEnd(() => app.quit());
  await app.page.getByRole("button", { name: "Create account" }).waitFor();
  openLink = async (link) => {
    // A second process of the same profile hands its link to the first one and ends.
    const second = spawn(runtime.executable, commandLine([`--profile=${profile}`, link]), { stdio: "ignore" });
    await once(second, "exit");
  };
});
afterAll(() => lifetime.end());

test("a link that was tampered with is told, and changes nothing", async () => {
  await openLink(`kith:join?server=http%3A%2F%2Fevil.example&invitation=${server.firstInvitation?.token}`);
  await app.page.getByText("That is not an invitation link.").waitFor({ timeout: WAIT_MS });
  await openLink("kith:sign-out");
  expect(await app.page.getByLabel("Invitation link").count()).toBe(0);
  expect(await app.page.getByLabel("Login server").inputValue()).toBe("");
});

test("a link fills in the form, and the account is made by it", async () => {
  await openLink(server.firstInvitation?.appLink ?? "");
  const { page } = app;
  await page.getByLabel("Invitation link").waitFor({ timeout: WAIT_MS });
  expect(await page.getByLabel("Login server").inputValue()).toBe(server.url);
  await page.getByLabel("Handle").fill("anna");
  await page.getByRole("textbox", { name: "Password" }).fill("correct horse battery");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("heading", { name: "anna", exact: true }).waitFor({ timeout: WAIT_MS });
});

test("its owner runs the network from the app: invites, and makes a recovery key", async () => {
  const { page } = app;
  await page.getByRole("button", { name: "Your account" }).click();
  await page.getByRole("menuitem", { name: "Account…" }).click();
  await page.getByRole("tab", { name: "Network" }).click();
  await page.getByRole("button", { name: "Link for one person" }).press("Enter");
  const link = await page.getByText(`${server.url}/i/`).textContent({ timeout: WAIT_MS });
  await page.getByRole("button", { name: "Copy link" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  expect(await app.electron.evaluate(({ clipboard }) => clipboard.readText())).toBe(link);
  await page.getByRole("tab", { name: "Recovery key" }).click();
  await page.getByRole("button", { name: "Make a recovery key" }).click();
  await page.getByText(/^([0-9A-Z]{4}-){7}[0-9A-Z]{4}$/).waitFor({ timeout: WAIT_MS });
  // The button that was pressed is gone: the keyboard must still be in the dialog.
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden", timeout: WAIT_MS });
});

test("a link that comes while somebody is signed in is told, and leaves them signed in", async () => {
  await openLink(server.firstInvitation?.appLink ?? "");
  await app.page.getByText("Somebody is signed in here.").waitFor({ timeout: WAIT_MS });
  await app.page.getByRole("heading", { name: "anna", exact: true }).waitFor({ timeout: WAIT_MS });
});
