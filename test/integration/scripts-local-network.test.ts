import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { LOGIN_HTTP } from "../../protocol/login-api.ts";
import { build } from "../../scripts/app-build.ts";
import { DataFolder } from "../../scripts/data-folder.ts";
import { type LocalNetwork, startLocalNetwork } from "../../scripts/local-network.ts";

let folder: string;
const open: { close(): Promise<void> }[] = [];

beforeAll(() => build(["login-server", "relay"]));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kith-network-"));
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
  await rm(folder, { recursive: true });
});

async function start(supernodes: number): Promise<{ data: DataFolder; network: LocalNetwork }> {
  const data = await DataFolder.open(folder);
  open.push(data);
  const network = await startLocalNetwork(data, supernodes);
  open.push(network);
  return { data, network };
}

async function networkAt(url: string) {
  return LOGIN_HTTP.network.output.parse(await (await fetch(new URL("/v1/network", url))).json());
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("a network on this machine", () => {
  it("is up when it says so: the login server answers, and lists every supernode", async () => {
    const { network } = await start(3);
    expect(await networkAt(network.url)).toMatchObject({ kith: "login-server", registration: "open" });
    expect(new Set(network.supernodes.map((node) => node.port)).size).toBe(3);
    const listed = await fetch(new URL("/v1/supernodes", network.url));
    const { list } = LOGIN_HTTP.supernodes.output.parse(await listed.json());
    const text = Buffer.from(list, "base64").toString("latin1");
    expect(text.split("127.0.0.1").length - 1).toBe(3);
  });

  it("ends every process that it started", async () => {
    const { network } = await start(2);
    const pids = [network.loginServer.pid, ...network.supernodes.map((node) => node.process.pid)];
    expect(pids.every(isAlive)).toBe(true);
    await network.close();
    expect(pids.some(isAlive)).toBe(false);
  });

  it("tells which of its servers has died", async () => {
    const { network } = await start(1);
    network.supernodes[0]?.process.child.kill("SIGKILL");
    expect(await network.broken).toBe("Supernode 1 was ended by SIGKILL.");
  });

  it("comes back at the same addresses, as the same network", async () => {
    const first = await start(1);
    const before = await networkAt(first.network.url);
    await first.network.close();
    await first.data.close();
    const second = await start(1);
    expect(second.network.url).toBe(first.network.url);
    expect(second.network.supernodes.map((node) => node.port)).toEqual(
      first.network.supernodes.map((node) => node.port),
    );
    expect((await networkAt(second.network.url)).networkKey).toBe(before.networkKey);
  });

  it("takes another port when somebody else has its own by now", async () => {
    const first = await start(0);
    await first.network.close();
    await first.data.close();
    const taken = Number(new URL(first.network.url).port);
    const squatter = createServer().listen(taken, "127.0.0.1");
    open.push({ close: () => new Promise((resolve) => squatter.close(() => resolve())) });
    const second = await start(0);
    expect(Number(new URL(second.network.url).port)).not.toBe(taken);
  });

  it("fails with the server's own words, and leaves no process behind", async () => {
    const data = await DataFolder.open(folder);
    open.push(data);
    data.settings.enrolmentToken = "";
    await expect(startLocalNetwork(data, 1)).rejects.toThrow(/^The login server ended with code \d+: .*\S/);
    expect(await readFile(data.in("login-server.log"), "utf8")).not.toBe("");
  });
});
