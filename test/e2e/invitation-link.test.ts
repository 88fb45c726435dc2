/** An invitation from the link to the account, in a real app: opened by a `kith:` link as the operating system does it. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ADMIN_API } from "../../login-server/administration/admin-api.ts";
import { type LoginServer, startLoginServer } from "../../login-server/server.ts";
import { type DrivenApp, driveApp } from "../../scripts/driven-app.ts";
import { findRuntime } from "../../scripts/electron-runtime.ts";
import { commandLine } from "../../scripts/launch-app.ts";
import { Lifetime } from "../../scripts/lifetime.ts";
import { askAdmin } from "../support/admin-client.ts";

const WAIT_MS = 30_000;
const lifetime = new Lifetime();
let server: LoginServer;
let loginFolder: string;
let app: DrivenApp;
let openLink: (link: string) => Promise<void>;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "kith-e2e-"));
  lifetime.atEnd(() => rm(folder, { recursive: true, force: true }));
  loginFolder = join(folder, "login-server");
  server = await startLoginServer({ dataFolder: loginFolder, registration: "invitation" });
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

test("a network's key that has to be confirmed is asked about, with its fingerprint, and only then", async () => {
  const { page, electron } = app;
  const change = { reason: "stolen", noticeMs: 0, overlapMs: 0, endOverlap: true } as const;
  const { confirmationLink, keys } = await askAdmin(loginFolder, ADMIN_API.rotateNetworkKey, change);
  const sentence = page.getByText("The network has a new key");
  await sentence.waitFor({ timeout: WAIT_MS });
  const asked = await electron.evaluateHandle(({ dialog }) => {
    const details: string[] = [];
    // Nobody sits before a native dialog of a test: this one presses its second button.
    dialog.showMessageBox = async (...args: unknown[]) => {
      details.push((args.at(-1) as { detail: string }).detail.replaceAll(" ", ""));
      return { response: 1, checkboxChecked: false };
    };
    return details;
  });
  await openLink(confirmationLink);
  await sentence.waitFor({ state: "hidden", timeout: WAIT_MS });
  const details = await asked.evaluate((list) => list);
  expect(details).toHaveLength(1);
  expect(details[0]).toContain(keys[1]?.fingerprint);
  await openLink(confirmationLink);
  await page.getByText("There is nothing to confirm.").waitFor({ timeout: WAIT_MS });
  expect(await asked.evaluate((list) => list.length)).toBe(1);
});
