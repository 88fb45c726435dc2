/** Which TCP connections a process has open, as Linux tells it. */
import { readdir, readFile, readlink } from "node:fs/promises";

const ESTABLISHED = "01";

/** Remote ports of the process's IPv4 connections. */
export async function connectedPorts(pid: number): Promise<number[]> {
  const own = await socketInodes(pid);
  const table = (await readFile("/proc/net/tcp", "utf8")).trim().split("\n").slice(1);
  return table
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode]) => state === ESTABLISHED && own.has(Number(inode)))
    .map(([, , remote = ""]) => Number.parseInt(remote.split(":")[1] ?? "", 16));
}

async function socketInodes(pid: number): Promise<Set<number>> {
  const folder = `/proc/${pid}/fd`;
  const targets = await Promise.all((await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => "")));
  return new Set(targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []).map(Number));
}
