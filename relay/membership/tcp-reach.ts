/** Whether a supernode can be reached by TCP: it answers where its certificate says, with the TLS certificate that it says. */
import tls from "node:tls";
import { isBusyAlert } from "../../protocol/busy.ts";
import { equalBytes } from "../../protocol/bytes.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { sha256 } from "../../protocol/node-crypto.ts";
import type { OpenStream } from "../../protocol/pinned-tls.ts";

/** Never rejects. */
export async function isReachableByTcp(
  { host, port, tlsFingerprint }: SupernodeCertificate,
  open: OpenStream,
  withinMs: number,
): Promise<boolean> {
  let settle: (isReachable: boolean) => void = () => undefined;
  const answered = new Promise<boolean>((resolve) => {
    settle = resolve;
  });
  const patience = setTimeout(() => settle(false), withinMs);
  const opened = open(host, port).then(
    (stream) => {
      // Authorities say nothing about a self-signed certificate; the fingerprint decides.
      const socket = tls.connect({ socket: stream, minVersion: "TLSv1.3", rejectUnauthorized: false });
      // One that is too busy for newcomers is there: it must not lose its place for that, in a crowd of all times.
      socket.on("error", (error) => settle(isBusyAlert(error)));
      socket.once("secureConnect", () => {
        const shown = socket.getPeerCertificate().raw;
        settle(Boolean(shown) && equalBytes(sha256(shown), tlsFingerprint));
      });
      return socket;
    },
    () => {
      settle(false);
      return null;
    },
  );
  const isReachable = await answered;
  clearTimeout(patience);
  void opened.then((socket) => socket?.destroy());
  return isReachable;
}
