/** A company's proxy that knows CONNECT and nothing else (RFC 9110, section 9.3.6). Run as: connect-proxy ADDRESS PORT. */
import { createServer } from "node:http";
import net from "node:net";

const [address, port] = process.argv.slice(2);
const server = createServer((_request, response) => response.writeHead(405).end());
server.on("connect", (request, client, head) => {
  const [, host = "", targetPort] = /^([\w.-]+):(\d{1,5})$/.exec(request.url ?? "") ?? [];
  const behind = net.connect(Number(targetPort), host);
  behind.once("connect", () => {
    client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    behind.write(head);
    client.pipe(behind).pipe(client);
  });
  client.on("error", () => behind.destroy()).on("close", () => behind.destroy());
  behind.on("error", () => client.destroy()).on("close", () => client.destroy());
});
server.listen(Number(port), address, () => process.send?.({ kind: "ready" }));
process.once("disconnect", () => process.exit(0));
