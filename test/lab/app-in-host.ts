#!/usr/bin/env node
/**
 * Starts the app in a host of the lab as if it ran here. Playwright talks to an app over two
 * debugging ports on loopback, which in the host is another loopback: so each port that the
 * app names is opened here too and led in by the host's doorway, and named in its place.
 * Run in place of the app, with LAB_NAMESPACE, LAB_DOORWAY (the socket's file) and LAB_EXECUTABLE in its environment.
 */
import { spawn } from "node:child_process";
import net, { type AddressInfo } from "node:net";
import { createInterface } from "node:readline";

const { LAB_NAMESPACE = "", LAB_DOORWAY = "", LAB_EXECUTABLE = "" } = process.env;
const args = ["netns", "exec", LAB_NAMESPACE, LAB_EXECUTABLE, ...process.argv.slice(2)];
const app = spawn("ip", args, { stdio: ["inherit", "inherit", "pipe"] });
app.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => app.kill(signal));

const ANNOUNCED = /ws:\/\/127\.0\.0\.1:(\d+)\//;
createInterface({ input: app.stderr }).on("line", (line) => {
  const port = ANNOUNCED.exec(line)?.[1];
  if (port === undefined) {
    process.stderr.write(`${line}\n`);
    return;
  }
  const server = net.createServer((client) => {
    const host = net.connect(LAB_DOORWAY);
    host.write(`${port}\n`);
    client.pipe(host).pipe(client);
    client.on("error", () => host.destroy()).on("close", () => host.destroy());
    host.on("error", () => client.destroy()).on("close", () => client.destroy());
  });
  server.listen(0, "127.0.0.1", () => {
    const { port: here } = server.address() as AddressInfo;
    process.stderr.write(`${line.replace(`:${port}/`, `:${here}/`)}\n`);
  });
});
