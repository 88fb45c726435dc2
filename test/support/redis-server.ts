/** A Redis of a test's own, on a port that was free, without files, gone with the process that started it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { createClient } from "redis";
import { endingWithUs } from "../../scripts/owned-process.ts";
import { ensureTools } from "../../scripts/system-packages.ts";
import { until } from "./until.ts";

export interface RedisServer {
  readonly url: string;
  /** Ends it at once; `revive` starts an empty one at the same address. */
  kill(): Promise<void>;
  revive(): Promise<void>;
}

/** @returns why there can be none, as a clause; null if there can */
export function whyNoRedis(): Promise<string | null> {
  return ensureTools({ "redis-server": "redis-server" }, process.env);
}

export async function startRedis(): Promise<RedisServer> {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let child: ChildProcess;
  const start = async () => {
    const args = ["--bind", "127.0.0.1", "--port", `${port}`, "--save", "", "--appendonly", "no", "--dir", tmpdir()];
    child = spawn(...endingWithUs("redis-server", args, process.env), { stdio: "ignore" });
    await until(() => answers(url));
  };
  await start();
  return {
    url,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
    revive: start,
  };
}

async function answers(url: string): Promise<boolean> {
  const client = createClient({ url, socket: { reconnectStrategy: false } });
  client.on("error", () => undefined);
  try {
    await client.connect();
    await client.ping();
    return true;
  } catch {
    return false;
  } finally {
    if (client.isOpen) client.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
