/** Which way to do UDP and TCP on this machine. */
import { endianness } from "node:os";
import { isMainThread } from "node:worker_threads";
import { PortableStreams } from "./portable-streams.ts";
import { PortableUdp } from "./portable-udp.ts";
import type { StreamTransport } from "./stream-transport.ts";
import type { UdpLosses, UdpTransport } from "./udp-transport.ts";

export interface Transports {
  readonly udp: UdpTransport;
  readonly streams: StreamTransport;
}

/**
 * @param choice `auto` takes the batched path where it works
 * @throws an Error for `batched` where it does not
 */
export async function openTransports(choice: "auto" | "batched" | "portable", losses: UdpLosses): Promise<Transports> {
  if (choice === "batched") return await openBatched(losses);
  if (choice === "auto" && isBatchingKnown()) {
    try {
      return await openBatched(losses);
    } catch {
      // A C library or a Node without what is needed: the portable path does the same, slower.
    }
  }
  return { udp: new PortableUdp(losses), streams: new PortableStreams() };
}

/** The memory layouts of linux-sockets.ts hold here, and the descriptors are watched by this thread's event loop. */
function isBatchingKnown(): boolean {
  const is64Bit = process.arch === "x64" || process.arch === "arm64";
  return process.platform === "linux" && is64Bit && endianness() === "LE" && isMainThread;
}

/** Loaded only here: elsewhere its native module may not exist. */
async function openBatched(losses: UdpLosses): Promise<Transports> {
  const [{ BatchedUdp }, { BatchedStreams }] = await Promise.all([
    import("./batched-udp.ts"),
    import("./batched-streams.ts"),
  ]);
  return { udp: new BatchedUdp(losses), streams: new BatchedStreams() };
}
