/**
 * The way into a host for whoever drives the app there: a Unix socket, which is of no
 * network, to the host's own loopback. A connection begins with the port as a line.
 * Run as: doorway SOCKET_FILE.
 */
import net from "node:net";

const server = net.createServer((outside) => {
  let head = Buffer.alloc(0);
  const read = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\n");
    if (end === -1) return;
    outside.off("data", read).pause();
    const inside = net.connect(Number(head.subarray(0, end).toString()), "127.0.0.1");
    inside.write(head.subarray(end + 1));
    outside.pipe(inside).pipe(outside);
    inside.on("error", () => outside.destroy()).on("close", () => outside.destroy());
    outside.on("close", () => inside.destroy());
  };
  outside.on("data", read).on("error", () => {});
});
server.listen(process.argv[2], () => process.send?.({ kind: "ready" }));
process.once("disconnect", () => process.exit(0));
