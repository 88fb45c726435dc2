/** Whether a supernode can be reached by TCP: it answers where its certificate says, with the TLS certificate that it says. */
import tls from "node:tls";
import { equalBytes } from "../../protocol/bytes.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { sha256 } from "../../protocol/node-crypto.ts";

/** Never rejects. */
export function isReachableByTcp(certificate: SupernodeCertificate, withinMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = tls.connect({
      host: certificate.host,
      port: certificate.port,
      minVersion: "TLSv1.3",
      // Authorities say nothing about a self-signed certificate; the fingerprint decides.
      rejectUnauthorized: false,
    });
    const settle = (isReachable: boolean) => {
      clearTimeout(patience);
      socket.removeAllListeners("secureConnect");
      socket.destroy();
      resolve(isReachable);
    };
    const patience = setTimeout(() => settle(false), withinMs);
    socket.on("error", () => settle(false));
    socket.once("secureConnect", () => {
      const shown = socket.getPeerCertificate().raw;
      settle(Boolean(shown) && equalBytes(sha256(shown), certificate.tlsFingerprint));
    });
  });
}
