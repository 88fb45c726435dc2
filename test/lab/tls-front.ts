/**
 * What a host puts before a login server: TLS on port 443, passed on in the clear on the same machine.
 * Run as: tls-front ADDRESS KEY_FILE CERTIFICATE_FILE PORT_BEHIND.
 */
import { readFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";

const [address, keyFile = "", certificateFile = "", portBehind] = process.argv.slice(2);
const identity = { key: readFileSync(keyFile), cert: readFileSync(certificateFile) };
const server = tls.createServer(identity, (client) => {
  const behind = net.connect(Number(portBehind), "127.0.0.1");
  client.pipe(behind).pipe(client);
  client.on("error", () => behind.destroy()).on("close", () => behind.destroy());
  behind.on("error", () => client.destroy()).on("close", () => client.destroy());
});
server.on("tlsClientError", () => {});
server.listen(443, address, () => process.send?.({ kind: "ready" }));
process.once("disconnect", () => process.exit(0));
