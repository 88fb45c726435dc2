/** A part of a benchmark in a process of its own, which says its figures as lines of JSON. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Failure } from "./failure.ts";

/** Runs another part of the bundle that this process runs. */
export async function onOwnLines<T>(name: string, ...args: string[]): Promise<T[]> {
  const script = process.argv[1];
  if (script === undefined) throw new Failure("No script to run.");
  const child = spawn(process.execPath, [script, name, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const lines: T[] = [];
  for await (const line of createInterface(child.stdout)) lines.push(JSON.parse(line));
  const [code] = await ended;
  if (code !== 0) throw new Failure(`${name} ended with code ${code}.`);
  return lines;
}
