/**
 * dht-rpc (the Kademlia of Hyperswarm) with the same records, as many nodes in as many
 * processes and the same look-ups: what the directory's benchmark compares with.
 */
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as passing } from "node:timers/promises";
import DHT, { type DhtCommit } from "dht-rpc";
import type { LookUpOutcome } from "./directory-supernode.ts";
import { Failure } from "./failure.ts";
import { freePort } from "./free-port.ts";
import { OrderedProcess, serveOrders } from "./host-orders.ts";

const RECORD = 0;
const RECORD_BYTES = 260;
const LOOPBACK = "127.0.0.1";

interface DhtOrders {
  open(order: { readonly nodes: number; readonly bootstrap: number; readonly isFirst: boolean }): Promise<null>;
  /** Keys, hexadecimal. */
  put(order: { readonly keys: readonly string[]; readonly replicas: number }): Promise<null>;
  lookUp(order: { readonly keys: readonly string[]; readonly overMs: number }): Promise<LookUpOutcome[]>;
}

export async function runDhtHost(): Promise<void> {
  let nodes: DHT[] = [];
  const anyNode = () => nodes[Math.floor(Math.random() * nodes.length)] as DHT;
  serveOrders<DhtOrders>({
    async open({ nodes: count, bootstrap, isFirst }) {
      const first = isFirst ? [DHT.bootstrapper(bootstrap, LOOPBACK, { host: LOOPBACK })] : [];
      const options = { bootstrap: [`${LOOPBACK}:${bootstrap}`], host: LOOPBACK, ephemeral: false, firewalled: false };
      nodes = [...first, ...Array.from({ length: count - first.length }, () => new DHT(options))];
      for (const node of nodes) keepRecords(node);
      await Promise.all(nodes.map((node) => node.fullyBootstrapped()));
      return null;
    },
    async put({ keys, replicas }) {
      for (const key of keys) {
        const value = randomBytes(RECORD_BYTES);
        const request = { target: targetOf(key), command: RECORD, value };
        // By itself it would store with twenty: then it would be replicas that are compared, not look-ups.
        const commit: DhtCommit = async ({ token, from }, node, { closestReplies }) => {
          const isClosest = closestReplies.slice(0, replicas).some((reply) => reply.from === from);
          if (isClosest) await node.request({ ...request, token }, from);
        };
        await anyNode().query(request, { commit }).finished();
      }
      return null;
    },
    lookUp({ keys, overMs }) {
      return Promise.all(
        keys.map(async (key, place) => {
          await passing((overMs * (place + Math.random())) / keys.length);
          return lookUp(anyNode(), key);
        }),
      );
    },
  });
}

function keepRecords(node: DHT): void {
  const records = new Map<string, Buffer>();
  node.on("request", (request) => {
    const name = request.target?.toString("hex") ?? "";
    if (request.token && request.value) {
      records.set(name, request.value);
      request.reply(null);
    } else request.reply(records.get(name) ?? null);
  });
}

/** The first holder that answers ends it. */
async function lookUp(node: DHT, key: string): Promise<LookUpOutcome> {
  const startedAt = performance.now();
  const query = node.query({ target: targetOf(key), command: RECORD });
  let isFound = false;
  let requests = 0;
  try {
    for await (const { value } of query) {
      requests = query.successes + query.errors + query.inflight;
      isFound = value !== null;
      if (isFound) break;
    }
  } catch {
    // Too few nodes have answered: not found.
  }
  return { isFound, requests, tookMs: performance.now() - startedAt };
}

function targetOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

export class DhtNetwork {
  readonly #keys: readonly string[];
  readonly #replicas: number;
  #hosts: OrderedProcess<DhtOrders>[] = [];

  constructor(replicas: number, records: number) {
    this.#replicas = replicas;
    this.#keys = Array.from({ length: records }, () => randomBytes(20).toString("hex"));
  }

  async start(nodes: number, perProcess: number): Promise<void> {
    const bootstrap = await freePort();
    for (let started = 0; started < nodes; started += perProcess) {
      const host = await OrderedProcess.start<DhtOrders>("dht-rpc-host");
      this.#hosts.push(host);
      await host.order("open", { nodes: perProcess, bootstrap, isFirst: started === 0 });
    }
    await Promise.all(
      this.#dealt(this.#keys).map(({ host, keys }) => host.order("put", { keys, replicas: this.#replicas })),
    );
  }

  async lookUp(count: number, overMs: number): Promise<LookUpOutcome[]> {
    const chosen = Array.from({ length: count }, (_, at) => this.#keys[at % this.#keys.length] ?? "");
    const outcomes = await Promise.all(
      this.#dealt(chosen).map(({ host, keys }) => host.order("lookUp", { keys, overMs })),
    );
    return outcomes.flat();
  }

  /** Kills this share of the processes at once, but for the first, which has the bootstrap node. */
  async kill(share: number): Promise<void> {
    const victims = this.#hosts.splice(1, Math.round(this.#hosts.length * share));
    if (victims.length === 0) throw new Failure("Nobody to kill.");
    await Promise.all(victims.map((host) => host.kill()));
  }

  async end(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.kill()));
    this.#hosts = [];
  }

  #dealt(keys: readonly string[]): { readonly host: OrderedProcess<DhtOrders>; readonly keys: readonly string[] }[] {
    return this.#hosts.map((host, place) => ({
      host,
      keys: keys.filter((_, at) => at % this.#hosts.length === place),
    }));
  }
}
