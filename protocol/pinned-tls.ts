/**
 * TLS to a supernode, believed for its fingerprint alone. A supernode's certificate is
 * self-signed: what vouches for it is the fingerprint in its Kith certificate. For Node
 * processes only (client core and supernodes).
 */
import https from "node:https";
import { type Duplex, PassThrough } from "node:stream";
import tls from "node:tls";
import { isBusyAlert } from "./busy.ts";
import { equalBytes } from "./bytes.ts";
import { authority, type SupernodeCertificate } from "./certificate.ts";
import { CheckedWebSocket } from "./checked-websocket.ts";
import { KithError } from "./errors.ts";
import { LIMITS, TIMES } from "./limits.ts";
import { sha256 } from "./node-crypto.ts";
import { SUPERNODE_SOCKET_PATH } from "./supernode-api.ts";
import * as wireParser from "./wire-parser.ts";

/** Opens a connection to there by another way than straight: through a proxy. */
export type OpenStream = (host: string, port: number) => Promise<Duplex>;

let context: tls.SecureContext | undefined;

/** One for all connections: to make one costs about as much as a handshake, and none of ours differs. */
function sharedContext(): tls.SecureContext {
  context ??= tls.createSecureContext({ minVersion: "TLSv1.3" });
  return context;
}

/** Hands out a TLS connection only once it has shown the certificate with this SHA-256; not a byte is sent before. */
export class PinnedAgent extends https.Agent {
  readonly #fingerprint: Uint8Array;
  readonly #open: OpenStream | null;

  /** @param fingerprint SHA-256 of the TLS certificate in DER, from a trusted supernode certificate. */
  constructor(fingerprint: Uint8Array, open: OpenStream | null = null) {
    // No session is resumed, so every connection shows its certificate.
    super({ keepAlive: false, maxCachedSessions: 0 });
    this.#fingerprint = fingerprint;
    this.#open = open;
  }

  /** Fails with KithError `supernode-untrusted` at another certificate, `supernode-busy` at a BUSY_ALERT. */
  override createConnection(
    options: https.RequestOptions,
    connected?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const host = options.host ?? "";
    const port = Number(options.port);
    const connect = (way: { readonly host: string; readonly port: number } | { readonly socket: Duplex }) =>
      this.#shakeHands(tls.connect({ ...way, secureContext: sharedContext(), rejectUnauthorized: false }), connected);
    if (this.#open === null) connect({ host, port });
    else {
      this.#open(host, port).then(
        (socket) => connect({ socket }),
        (error: Error) => connected?.(error, new PassThrough()),
      );
    }
    return undefined;
  }

  /** Authorities and names say nothing about a self-signed certificate; the comparison of fingerprints decides. */
  #shakeHands(socket: tls.TLSSocket, connected?: (error: Error | null, stream: Duplex) => void): void {
    const settle = (error: Error | null) => {
      socket.removeAllListeners("secureConnect").removeAllListeners("error");
      if (error) {
        // A connection that is torn down may still report an error of its own.
        socket.on("error", () => undefined).destroy();
      }
      connected?.(error, socket);
    };
    socket.once("error", (error) =>
      settle(isBusyAlert(error) ? new KithError("supernode-busy", { seconds: 0 }) : error),
    );
    socket.once("secureConnect", () => {
      const shown = socket.getPeerCertificate().raw;
      settle(shown && equalBytes(sha256(shown), this.#fingerprint) ? null : new KithError("supernode-untrusted"));
    });
  }
}

/** Where a supernode's socket.io endpoint is, for socket.io-client's `io(url, options)`. */
export function supernodeUrl(address: Pick<SupernodeCertificate, "host" | "port">): string {
  return `wss://${authority(address)}`;
}

/**
 * socket.io-client options that reach exactly this supernode: pinned, WebSocket only, one
 * connection per call, frames bounded. Reconnecting is the caller's (backoff.ts).
 * @param open the way there, where it is not straight
 */
export function supernodeSocketOptions(
  certificate: Pick<SupernodeCertificate, "tlsFingerprint">,
  open: OpenStream | null = null,
) {
  const agent = new PinnedAgent(certificate.tlsFingerprint, open);
  return {
    path: SUPERNODE_SOCKET_PATH,
    transports: [CheckedWebSocket],
    parser: wireParser,
    // socket.io-client types the browser's agent (a string or boolean) into the same option and passes this one on.
    agent: agent as unknown as string,
    maxPayload: LIMITS.maxFrameBytes,
    timeout: TIMES.requestTimeoutMs,
    reconnection: false,
    forceNew: true,
  };
}
