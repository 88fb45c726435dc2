/**
 * Several protocols on one port, told apart by the first byte of a connection: a TLS record
 * begins with 0x16 (RFC 8446 §5.1), a STUN message with two bits of 0 (RFC 8489 §5), an
 * HTTP request with a capital letter. TURN's channel data, which would begin as some
 * letters do, cannot come first: there is no channel before a request.
 */
import type { Server as HttpServer } from "node:http";
import type { Socket } from "node:net";
import tls from "node:tls";

/** One protocol on the shared port. */
export interface StreamProtocol {
  claims(firstByte: number): boolean;
  /** Takes the connection over; its first byte is still to be read. */
  take(socket: Socket): void;
}

const TLS_HANDSHAKE_RECORD = 0x16;
const LAST_STUN_BYTE = 0x03;

/** Why a connection came to nothing before any protocol had it. */
export type Unwelcome = "silent" | "unknown-protocol" | "tls-failed" | "too-many" | "busy";

/** A connection that nobody claims, or that says nothing for this long, is closed. */
export function welcome(
  socket: Socket,
  protocols: readonly StreamProtocol[],
  timeoutMs: number,
  refused: (why: Unwelcome) => void,
): void {
  const silence = setTimeout(() => {
    refused("silent");
    socket.destroy();
  }, timeoutMs);
  const stop = () => clearTimeout(silence);
  socket.once("close", stop);
  // A reset is no concern of ours; whoever takes the connection over sees it close.
  socket.on("error", destroy);
  socket.once("data", (chunk: Buffer) => {
    stop();
    socket.off("close", stop);
    const protocol = protocols.find((candidate) => candidate.claims(chunk[0] ?? -1));
    if (!protocol) {
      refused("unknown-protocol");
      socket.destroy();
      return;
    }
    socket.pause();
    socket.unshift(chunk);
    protocol.take(socket);
  });
}

/** One for all: a connection keeps it for as long as it is open. */
function destroy(this: Socket): void {
  this.destroy();
}

export interface TlsIdentity {
  /** PEM. */
  readonly tlsKey: string;
  readonly tlsCertificate: string;
}

/** TLS, and inside it again one of several protocols. @param timeoutMs for the handshake, and then for the first byte */
export function tlsProtocol(
  { tlsKey, tlsCertificate }: TlsIdentity,
  inside: readonly StreamProtocol[],
  timeoutMs: number,
  refused: (why: Unwelcome) => void,
): StreamProtocol {
  const server = tls.createServer(
    { key: tlsKey, cert: tlsCertificate, minVersion: "TLSv1.3", handshakeTimeout: timeoutMs },
    (socket) => welcome(socket, inside, timeoutMs, refused),
  );
  // TLS errors of a stranger's connection are the stranger's.
  server.on("tlsClientError", (_error, socket) => {
    refused("tls-failed");
    socket.destroy();
  });
  return {
    claims: (firstByte) => firstByte === TLS_HANDSHAKE_RECORD,
    take: (socket) => {
      server.emit("connection", socket);
    },
  };
}

/** @param server need not listen itself */
export function httpProtocol(server: HttpServer): StreamProtocol {
  return {
    claims: (firstByte) => firstByte >= 0x41 && firstByte <= 0x5a,
    take: (socket) => {
      server.emit("connection", socket);
      // It takes a connection for one that flows already.
      socket.resume();
    },
  };
}

/** STUN and TURN, whose server listens for data at once. */
export function stunProtocol(take: (socket: Socket) => void): StreamProtocol {
  return {
    claims: (firstByte) => firstByte >= 0 && firstByte <= LAST_STUN_BYTE,
    take: (socket) => {
      take(socket);
      socket.resume();
    },
  };
}
