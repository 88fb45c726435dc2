/** The real servers under `bench -- attach`: a login server and supernodes, killed and restarted at will. */
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { build } from "./app-build.ts";
import { Failure } from "./failure.ts";
import { startNode } from "./owned-process.ts";
import { root } from "./repository.ts";

const HOST = "127.0.0.1";
const TOKEN = "attach-benchmark-token";

const LoginServerReady = z.object({ kind: z.literal("ready"), url: z.url() });
const SupernodeReady = z.object({
  kind: z.literal("ready"),
  supernodeId: z.string(),
  port: z.number(),
  statusUrl: z.string(),
});
const NetworkKeysFile = z.object({ networkSeed: z.string() });
const ListAnswer = z.object({ list: z.string() });

export interface BenchSupernode {
  readonly supernodeId: string;
  readonly pid: number;
  /** Nodes attached just now, by its own count; null while it is dead. */
  attachedNodes(): Promise<number | null>;
  kill(): Promise<void>;
  /** Again with the same data, at the same port. */
  restart(): Promise<void>;
}

export interface BenchNetwork {
  readonly supernodes: readonly BenchSupernode[];
  /** Base64: the secret seed of the network's key, and the signed supernode list. */
  readonly networkSeed: string;
  readonly list: string;
  close(): Promise<void>;
}

/** @param limit nodes that each supernode lets attach */
export async function startBenchNetwork(count: number, limit: number): Promise<BenchNetwork> {
  await build(["login-server", "relay"]);
  const folder = await mkdtemp(join(tmpdir(), "kith-bench-attach-"));
  const closing: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async () => {
    for (const step of closing.reverse()) await step();
  };
  try {
    const loginFolder = join(folder, "login-server");
    const loginArgs = ["--data", loginFolder, "--listen", HOST, "--port", "0", `--enrolment-token=${TOKEN}`];
    const loginServer = await start("login-server", loginArgs, join(folder, "login-server.log"));
    closing.push(() => loginServer.process.end());
    const { url } = LoginServerReady.parse(loginServer.ready);
    const supernodes: BenchSupernode[] = [];
    for (let index = 0; index < count; index++) {
      const supernode = await startSupernode(folder, index, url, limit);
      supernodes.push(supernode);
      closing.push(() => supernode.kill());
    }
    const { networkSeed } = NetworkKeysFile.parse(
      JSON.parse(await readFile(join(loginFolder, "network-keys.json"), "utf8")),
    );
    const { list } = ListAnswer.parse(await (await fetch(`${url}/v1/supernodes`)).json());
    return { supernodes, networkSeed, list, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startSupernode(folder: string, index: number, url: string, limit: number): Promise<BenchSupernode> {
  const name = `supernode-${index + 1}`;
  const args = ["--data", join(folder, name), "--login-server", url, `--enrolment-token=${TOKEN}`];
  args.push("--listen", HOST, "--nodes", String(limit), "--relay", "off", "--log-level", "warn");
  const open = async () => {
    const { process, ready } = await start("relay", args, join(folder, `${name}.log`));
    return { process, ...SupernodeReady.parse(ready) };
  };
  let running = await open();
  let isAlive = true;
  return {
    supernodeId: running.supernodeId,
    get pid() {
      return running.process.pid;
    },
    async attachedNodes() {
      if (!isAlive) return null;
      const text = await fetch(`${running.statusUrl}metrics`).then((answer) => answer.text());
      return Number(/^kith_attached_nodes (\d+)$/m.exec(text)?.[1]);
    },
    async kill() {
      isAlive = false;
      running.process.child.kill("SIGKILL");
      await running.process.ended;
    },
    async restart() {
      running = await open();
      isAlive = true;
    },
  };
}

async function start(bundle: "login-server" | "relay", args: readonly string[], log: string) {
  const owned = await startNode(bundle, join(root, "out", `${bundle}.mjs`), args, process.env, {
    file: log,
  });
  const ended = owned.ended.then((how) => ({ how }));
  const first: unknown = await Promise.race([once(owned.child, "message").then(([message]) => message), ended]);
  if (typeof first === "object" && first !== null && "how" in first) {
    throw new Failure(`The ${bundle} ${first.how}: ${await readFile(log, "utf8")}`);
  }
  return { process: owned, ready: first };
}
