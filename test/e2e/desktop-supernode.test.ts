/** A real app that becomes a supernode of a real network, and stops being one. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeSupernodeList } from "../../protocol/supernode-list.ts";
import { AppWindow } from "../../scripts/app-window.ts";
import { DataFolder } from "../../scripts/data-folder.ts";
import { type DrivenApp, driveApp } from "../../scripts/driven-app.ts";
import { findRuntime } from "../../scripts/electron-runtime.ts";
import { Lifetime } from "../../scripts/lifetime.ts";
import { type LocalNetwork, startLocalNetwork } from "../../scripts/local-network.ts";
import { root } from "../../scripts/repository.ts";

const SWITCH = "Let this computer help the network";
const SHOTS = join(root, "out", "e2e");
const PATIENCE = { timeout: 60_000, interval: 250 };

const lifetime = new Lifetime();
let network: LocalNetwork;
let app: DrivenApp;
let window: AppWindow;

beforeAll(async () => {
  await mkdir(SHOTS, { recursive: true });
  const folder = await mkdtemp(join(tmpdir(), "kith-e2e-"));
  lifetime.atEnd(() => rm(folder, { recursive: true, force: true }));
  const data = await DataFolder.open(folder);
  lifetime.atEnd(() => data.close());
  network = await startLocalNetwork(data, 2);
  lifetime.atEnd(() => network.close());
  const runtime = await findRuntime(process.env);
  app = await driveApp(runtime, { profile: data.in("alice"), loginServer: network.url, flags: [] }, process.env);
  lifetime.atEnd(() => app.quit());
  window = new AppWindow(app.page);
  await window.ask("signUp", {
    loginServer: network.url,
    handle: "alice",
    password: data.settings.password,
    invitation: "",
  });
});
afterAll(() => lifetime.end());

/** What the other supernodes count, each for itself. */
async function membersCounted(): Promise<number[]> {
  return Promise.all(
    network.supernodes.map(async ({ statusUrl }) => {
      const metrics = await (await fetch(`${statusUrl}metrics`)).text();
      return Number(/^kith_members (\d+)$/m.exec(metrics)?.[1]);
    }),
  );
}

/** The ports on the login server's list. */
async function listed(): Promise<number[]> {
  const { list } = (await (await fetch(`${network.url}/v1/supernodes`)).json()) as { list: string };
  return decodeSupernodeList(Buffer.from(list, "base64")).value.supernodes.map(({ value }) => value.port);
}

const view = async () => (await window.ask("snapshot", {})).supernode;

async function utilityProcesses(): Promise<string[]> {
  return app.electron.evaluate(({ app: electronApp }) =>
    electronApp.getAppMetrics().flatMap(({ serviceName, name }) => (serviceName && name ? [name] : [])),
  );
}

test("an app is no supernode until its user says so", async () => {
  await expect.poll(async () => (await window.ask("snapshot", {})).session, PATIENCE).toMatchObject({ attached: true });
  expect(await view()).toEqual({ phase: "off" });
  expect(await membersCounted()).toEqual([2, 2]);
  expect(await utilityProcesses()).not.toContain("Kith supernode");
});

test("switched on, it runs in a process of its own, others count it as a member, and the login server lists it", async () => {
  await window.set(SWITCH, true);
  await expect.poll(view, PATIENCE).toMatchObject({ phase: "running", host: "127.0.0.1", members: 3 });
  await expect.poll(membersCounted, PATIENCE).toEqual([3, 3]);
  const own = await view();
  await expect.poll(listed, PATIENCE).toContain(own.phase === "running" ? own.port : 0);
  expect(await utilityProcesses()).toContain("Kith supernode");
});

test("the window shows for as long as it runs that it does, and what it does", async () => {
  await app.page.getByText("Supernode · nobody attached").waitFor();
  await app.page.screenshot({ path: join(SHOTS, "supernode-indicator.png") });
  await app.page.getByRole("button", { name: "Your account" }).click();
  await app.page.getByRole("menuitem", { name: "Settings…" }).click();
  const dialog = app.page.getByRole("dialog", { name: "Settings" });
  await dialog.getByText("Running: this computer is a supernode.").waitFor();
  await expect.poll(() => dialog.locator(".supernode-figures").textContent()).toMatch(/Supernodes in the network\s*3/);
  await dialog.getByText("Running").scrollIntoViewIfNeeded();
  await app.page.screenshot({ path: join(SHOTS, "supernode-settings.png") });
  await dialog.getByRole("button", { name: "Close", exact: true }).click();
  await dialog.waitFor({ state: "hidden" });
});

test("on battery it stops, says so, and goes on at the socket", async () => {
  await app.electron.evaluate(({ powerMonitor }) => {
    powerMonitor.isOnBatteryPower = () => true;
    powerMonitor.emit("on-battery");
  });
  await expect.poll(view, PATIENCE).toEqual({ phase: "waiting", obstacle: "battery" });
  await expect.poll(membersCounted, PATIENCE).toEqual([2, 2]);
  await app.electron.evaluate(({ powerMonitor }) => {
    powerMonitor.isOnBatteryPower = () => false;
    powerMonitor.emit("on-ac");
  });
  await expect.poll(view, PATIENCE).toMatchObject({ phase: "running" });
});

test("switched off, it is gone at once: process, member and list", async () => {
  await window.set(SWITCH, false);
  expect(await view()).toEqual({ phase: "off" });
  await expect.poll(utilityProcesses, PATIENCE).not.toContain("Kith supernode");
  await expect.poll(membersCounted, PATIENCE).toEqual([2, 2]);
  await expect.poll(async () => (await listed()).length, PATIENCE).toBe(2);
});
