/** The supernode inside a desktop app: a process of its own that takes its orders from the app and ends with it. */
import { networkInterfaces } from "node:os";
import { pino } from "pino";
import { z } from "zod";
import { SupernodeNews, SupernodeOrder, type SupernodeReport } from "../protocol/desktop-supernode.ts";
import { KithError } from "../protocol/errors.ts";
import { Orders } from "./orders.ts";
import { type Supernode, startSupernode } from "./supernode.ts";
import { DEFAULT_CALL_RELAY, type RelayingChoice } from "./turn/call-relay-options.ts";

type StartOrder = Extract<SupernodeOrder, { kind: "start" }>;

const REPORT_MS = 1_000;
/** How long those who are attached get to go elsewhere: the person who stops it wants it to be over. */
const GOODBYE_MS = 1_500;
/** A home line is not a data centre. */
const MAX_ATTACHMENTS = 500;
const MAX_RELAYED_CALL_ENDS = 50;

/** Electron's end of the channel to the process that started this one (utilityProcess). */
interface ParentPort {
  postMessage(message: unknown): void;
  on(event: "message", listener: (event: { readonly data: unknown }) => void): void;
}
const Utility = z.object({
  parentPort: z.custom<ParentPort>((port) => typeof port === "object" && port !== null && "postMessage" in port),
});

const { parentPort } = Utility.parse(process);
const say = (news: SupernodeNews) => parentPort.postMessage(SupernodeNews.parse(news));
const orders = new Orders(() => say({ kind: "needs-token" }));
parentPort.on("message", ({ data }) => orders.take(SupernodeOrder.parse(data)));
main().catch(fail);

function fail(thrown: unknown): void {
  const { code, message } = KithError.from(thrown);
  process.stderr.write(`${JSON.stringify({ code, cause: String(KithError.from(thrown).cause ?? "") })}\n`);
  say({ kind: "failed", notice: { code, message } });
  // Once the message has gone.
  setImmediate(() => process.exit(1));
}

async function main(): Promise<void> {
  const order = await orders.started;
  const relays = isOwnAddress(order.host);
  const supernode = await startSupernode({
    dataFolder: order.dataFolder,
    loginServer: order.loginServer,
    networkKey: order.networkKey,
    enrolmentToken: () => orders.askForToken(),
    listen: listenAddressFor(order.host),
    host: order.host,
    port: order.port,
    relaying: relays ? relayingWithin(order) : { kind: "off" },
    limits: { maxAttachments: MAX_ATTACHMENTS },
    log: pino({ level: "warn" }, pino.destination({ dest: 2, sync: true })),
  });
  supernode.removed.then(() => fail(new KithError("supernode-removed")), fail);
  const reporting = setInterval(() => say({ kind: "report", report: reportOf(supernode, relays) }), REPORT_MS);
  say({ kind: "report", report: reportOf(supernode, relays) });
  await orders.stopped;
  clearInterval(reporting);
  await supernode.drain(GOODBYE_MS);
  process.exit(0);
}

function reportOf(supernode: Supernode, relays: boolean): SupernodeReport {
  const relayed = supernode.relayed();
  const stage = supernode.stage();
  return {
    stage: stage.kind === "left" ? { kind: "joining" } : stage,
    port: supernode.port,
    attached: supernode.attachedNodes(),
    members: supernode.members().length,
    relays,
    relayedCallEnds: relayed?.allocations ?? 0,
    relayedBytesThisMonth: relayed?.bytesThisMonth ?? 0,
  };
}

function relayingWithin({ caps }: StartOrder): RelayingChoice {
  return {
    kind: "own",
    // The system calls of the fast path are a native module, which is not packaged with the app.
    options: { ...DEFAULT_CALL_RELAY, udp: "portable", total: { ...caps, allocations: MAX_RELAYED_CALL_ENDS } },
  };
}

/** Behind a router the one port may be forwarded, but the ports that calls are relayed on are not. */
function isOwnAddress(host: string): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === host));
}

/** A network on this machine alone stays on it. */
function listenAddressFor(host: string): string {
  if (/^(127\.|::1$)/.test(host)) return host;
  return host.includes(":") ? "::" : "0.0.0.0";
}
