/** TCP and TLS connections as the relay needs them; Node's streams everywhere, and a faster way for plain TCP on Linux. */
import type { Socket } from "node:net";

/** One connection. */
export interface StreamPipe {
  /** Bytes that wait for the client to read. */
  readonly backlogBytes: number;
  /** Queues a copy of `packet[start, end)`. */
  write(packet: Buffer, start: number, end: number): void;
  /** Ends it without waiting for anything. `closed` follows. */
  close(): void;
}

export interface StreamHandler {
  /**
   * Some bytes have come: `bytes[start, end)`. Those before `start` may be overwritten. All are the transport's, and
   * used again once this returns.
   */
  data(bytes: Buffer, start: number, end: number): void;
  /** The connection is over, whoever ended it. Called once. */
  closed(): void;
}

export interface StreamTransport {
  /** Takes over a connection, with what its owner has read from it already and put back. */
  adopt(socket: Socket, handler: StreamHandler): StreamPipe;
  close(): void;
}
