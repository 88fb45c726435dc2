/** What a process has used, as Linux counts it. */
import { readFileSync } from "node:fs";

/** Clock ticks a second in /proc, fixed on all our platforms. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4_096;

/** User and system time of all its threads. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field, the name in parentheses, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function residentBytesOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
}
