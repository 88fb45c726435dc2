/**
 * `npm run bench -- turn-load`: loads any TURN server with two-way calls and says what
 * becomes of the packets. Linux only. Half of the packets go from clients to the peer, half
 * from the peer to the relayed addresses, each with the time that it was sent at.
 */

import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { TransportAddress } from "../relay/turn/transport-address.ts";
import type { UdpSocket } from "../relay/turn/udp-transport.ts";
import { Failure } from "./failure.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { cpuSecondsOf, residentBytesOf } from "./process-usage.ts";
import { clientPacket, LoadClient, type LoadMode, payloadAt } from "./turn-load-client.ts";
import { type LoadNetwork, openTcpNetwork, openUdpNetwork } from "./turn-load-pipes.ts";

export interface LoadRow {
  /** Packets a second that were to be sent, that were, and that came. */
  readonly wanted: number;
  readonly sent: number;
  readonly received: number;
  /** Share of those sent. */
  readonly loss: number;
  /** Of the server's process; null if its ID was not given. */
  readonly cpuSecondsPerMillion: number | null;
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface LoadReport {
  readonly clients: number;
  readonly rows: readonly LoadRow[];
  /** The most packets a second at no more than 1 % loss; null without --search. */
  readonly mostAtOnePercentLoss: number | null;
  /** Whether that is all that the generator could send: the server may carry more. */
  readonly generatorLimited: boolean;
  /** Resident memory of the server before and after the allocations were made. */
  readonly serverBytesBefore: number | null;
  readonly serverBytesAfter: number | null;
}

/** Time for the packets on the way to arrive after the last was sent. Later ones count as lost. */
const SETTLE_MS = 200;
/** In the data: the time of sending, then the number of the run. */
const RUN_AT = 8;
/** Packets sent between two looks at what has come. */
const BURST = 32;
const MAX_LOSS = 0.01;
const FIRST_RATE = 30_000;
const RATE_STEP = 1.35;
/** A generator that sends less than this share of what it was to send is at its end. */
const KEEPS_UP = 0.97;
/** But it may have been held up by somebody else on the machine, as may the server: the best of three counts. */
const ATTEMPTS = 3;
/** A server runs for months: what a just-in-time compiler does in its first seconds is not measured. */
const WARM_UP = { packetsPerSecond: 40_000, seconds: 3 };

const OPTIONS = {
  server: { type: "string" },
  user: { type: "string", default: "" },
  password: { type: "string", default: "" },
  transport: { type: "string", default: "udp" },
  mode: { type: "string", default: "channels" },
  clients: { type: "string", default: "1000" },
  bytes: { type: "string", default: "120" },
  seconds: { type: "string", default: "1" },
  rates: { type: "string", default: "" },
  search: { type: "boolean", default: false },
  /** Without a server: from socket to socket, which is what latencies are compared with. */
  direct: { type: "boolean", default: false },
  pid: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

export async function runTurnLoad(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  const server = readServer(values.server ?? (values.direct ? "127.0.0.1:9" : ""));
  const network = values.transport === "tcp" ? openTcpNetwork(server) : openUdpNetwork(server);
  const pid = values.pid === undefined ? null : Number(values.pid);
  const mode: LoadMode = values.mode === "indications" ? "indications" : "channels";
  const before = pid === null ? null : residentBytesOf(pid);
  const load = new TurnLoad(network, server, mode, Number(values.bytes), pid);
  if (values.direct) load.openDirect(Number(values.clients));
  else load.openClients(Number(values.clients), { username: values.user, password: values.password });
  const after = pid === null ? null : residentBytesOf(pid);

  const seconds = Number(values.seconds);
  const rates = values.rates === "" ? [] : values.rates.split(",").map(Number);
  if (rates.length > 0 || values.search) load.run(WARM_UP.packetsPerSecond, WARM_UP.seconds);
  const rows = rates.map((rate) => load.run(rate, seconds));
  const found = values.search ? searchMost(load, seconds) : null;
  network.close();
  const report: LoadReport = {
    clients: Number(values.clients),
    rows: [...rows, ...(found?.rows ?? [])],
    mostAtOnePercentLoss: found?.most ?? null,
    generatorLimited: found?.generatorLimited ?? false,
    serverBytesBefore: before,
    serverBytesAfter: after,
  };
  if (!values.json) console.table(report.rows);
  console.log(JSON.stringify(report));
}

class TurnLoad {
  readonly #network: LoadNetwork;
  readonly #mode: LoadMode;
  readonly #pid: number | null;
  readonly #peer: UdpSocket;
  readonly #latencies = new LatencyHistogram();
  /** What clients and the peer send; the time lies at the beginning of the data. */
  readonly #upward: Buffer;
  readonly #upwardDataAt: number;
  readonly #downward: Buffer;
  #sendUp: ((packet: Buffer) => void)[] = [];
  #downTo: TransportAddress[] = [];
  #received = 0;
  #run = 0;

  constructor(network: LoadNetwork, server: TransportAddress, mode: LoadMode, dataBytes: number, pid: number | null) {
    const address = server.clone();
    address.port = 0;
    const peer = network.udp.open(address, "listen", (packet, start) => this.#arrived(packet, start));
    if (peer === null) throw new Failure(`No UDP socket at ${address.host}.`);
    const data = Buffer.alloc(dataBytes, "x");
    const { packet, dataAt } = clientPacket(data, peer.address, mode);
    this.#network = network;
    this.#mode = mode;
    this.#pid = pid;
    this.#peer = peer;
    this.#upward = packet;
    this.#upwardDataAt = dataAt;
    this.#downward = data;
  }

  openClients(count: number, login: { readonly username: string; readonly password: string }): void {
    for (let index = 0; index < count; index++) {
      const client = new LoadClient(this.#network, login);
      client.allocate(this.#peer.address, this.#mode);
      client.pipe.onMessage = (packet, start) => this.#arrived(packet, payloadAt(packet, start));
      this.#sendUp.push((packet) => client.pipe.send(packet, 0, packet.length));
      this.#downTo.push(client.relayed);
    }
  }

  /** Sockets that send to the peer and are sent to by it, with nothing between. */
  openDirect(count: number): void {
    const local = this.#peer.address.clone();
    local.port = 0;
    for (let index = 0; index < count; index++) {
      const socket = this.#network.udp.open(local, "relay", (packet, start) => this.#arrived(packet, start));
      if (socket === null) throw new Failure("No more UDP sockets to be had.");
      this.#sendUp.push((packet) => socket.send(packet, this.#upwardDataAt, packet.length, this.#peer.address));
      this.#downTo.push(socket.address);
    }
  }

  /** Sends at a steady rate, both ways together, and takes in what comes. */
  run(packetsPerSecond: number, seconds: number): LoadRow {
    this.#latencies.clear();
    this.#received = 0;
    this.#run++;
    const cpuBefore = this.#pid === null ? 0 : cpuSecondsOf(this.#pid);
    const startedAt = performance.now();
    const until = startedAt + seconds * 1_000;
    let sent = 0;
    for (let now = startedAt; now < until; now = performance.now()) {
      const due = Math.floor(((now - startedAt) / 1_000) * packetsPerSecond) - sent;
      if (due > 0) {
        this.#send(sent, Math.min(due, BURST));
        sent += Math.min(due, BURST);
      }
      this.#network.receive();
    }
    const elapsed = (performance.now() - startedAt) / 1_000;
    const settled = performance.now() + SETTLE_MS;
    while (this.#received < sent && performance.now() < settled) this.#network.receive();
    const cpu = this.#pid === null ? null : cpuSecondsOf(this.#pid) - cpuBefore;
    return {
      wanted: packetsPerSecond,
      sent: Math.round(sent / elapsed),
      received: Math.round(this.#received / elapsed),
      loss: 1 - this.#received / sent,
      cpuSecondsPerMillion: cpu === null ? null : (cpu / this.#received) * 1e6,
      p50Us: this.#latencies.quantileUs(0.5),
      p99Us: this.#latencies.quantileUs(0.99),
    };
  }

  /** Packets number `from` to `from + count`: the even ones from clients, the odd ones from the peer. */
  #send(from: number, count: number): void {
    const now = performance.now();
    this.#upward.writeDoubleLE(now, this.#upwardDataAt);
    this.#upward.writeUInt32LE(this.#run, this.#upwardDataAt + RUN_AT);
    this.#downward.writeDoubleLE(now, 0);
    this.#downward.writeUInt32LE(this.#run, RUN_AT);
    this.#network.udp.together(() => {
      for (let number = from; number < from + count; number++) {
        const pair = (number >> 1) % this.#sendUp.length;
        const to = this.#downTo[pair];
        if (number % 2 === 0) this.#sendUp[pair]?.(this.#upward);
        else if (to !== undefined) this.#peer.send(this.#downward, 0, this.#downward.length, to);
      }
    });
  }

  #arrived(packet: Buffer, dataAt: number): void {
    if (packet.readUInt32LE(dataAt + RUN_AT) !== this.#run) return;
    this.#received++;
    this.#latencies.addMs(performance.now() - packet.readDoubleLE(dataAt));
  }
}

/** Raises the rate until packets are lost, then halves the gap three times. */
function searchMost(load: TurnLoad, seconds: number): { rows: LoadRow[]; most: number; generatorLimited: boolean } {
  const rows: LoadRow[] = [];
  const carries = (rate: number) => {
    let row = load.run(rate, seconds);
    for (let more = 1; more < ATTEMPTS && (row.loss > MAX_LOSS || row.sent < rate * KEEPS_UP); more++) {
      const again = load.run(rate, seconds);
      if (again.loss <= row.loss) row = again;
    }
    rows.push(row);
    return { good: row.loss <= MAX_LOSS, atEnd: row.sent < rate * KEEPS_UP, received: row.received };
  };
  let most = 0;
  let good = 0;
  let bad = Number.POSITIVE_INFINITY;
  for (let rate = FIRST_RATE; bad === Number.POSITIVE_INFINITY; rate = Math.round(rate * RATE_STEP)) {
    const result = carries(rate);
    if (result.good) [good, most] = [rate, Math.max(most, result.received)];
    else bad = rate;
    if (result.good && result.atEnd) return { rows, most, generatorLimited: true };
  }
  for (let step = 0; step < 3; step++) {
    const rate = Math.round((good + bad) / 2);
    const result = carries(rate);
    if (result.good) [good, most] = [rate, Math.max(most, result.received)];
    else bad = rate;
  }
  return { rows, most, generatorLimited: false };
}

function readServer(text: string): TransportAddress {
  const [host = "", port = ""] = text.split(/:(?=\d+$)/);
  const address = TransportAddress.parse(host, Number(port));
  if (address === null || address.family !== 4) throw new Failure("--server takes an IPv4 address and a port.");
  return address;
}
