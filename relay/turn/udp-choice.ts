/** Which way to do UDP on this machine. */
import { endianness } from "node:os";
import { isMainThread } from "node:worker_threads";
import { PortableUdp } from "./portable-udp.ts";
import type { UdpLosses, UdpTransport } from "./udp-transport.ts";

/**
 * @param choice `auto` takes the batched path where it works
 * @throws an Error for `batched` where it does not
 */
export async function openUdpTransport(
  choice: "auto" | "batched" | "portable",
  losses: UdpLosses,
): Promise<UdpTransport> {
  if (choice === "portable") return new PortableUdp(losses);
  if (choice === "batched") return await openBatched(losses);
  if (!isBatchingKnown()) return new PortableUdp(losses);
  try {
    return await openBatched(losses);
  } catch {
    // A C library or a Node without what is needed: the portable path does the same, slower.
    return new PortableUdp(losses);
  }
}

/** The memory layouts of linux-sockets.ts hold here, and the descriptor is watched by this thread's event loop. */
function isBatchingKnown(): boolean {
  const is64Bit = process.arch === "x64" || process.arch === "arm64";
  return process.platform === "linux" && is64Bit && endianness() === "LE" && isMainThread;
}

/** Loaded only here: elsewhere its native module may not exist. */
async function openBatched(losses: UdpLosses): Promise<UdpTransport> {
  const { BatchedUdp } = await import("./batched-udp.ts");
  return new BatchedUdp(losses);
}
