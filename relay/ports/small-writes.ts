/**
 * Keeps a TLS socket small. What Node has encrypted waits in a chain of buffers whose first has
 * 1 kB; whoever once writes more gets others of 16 kB, and one of them stays for as long as the
 * socket is open (NodeBIO in Node's src/crypto/crypto_bio.cc). Of ten thousand sockets that is
 * 160 MB, kept for one long answer each. Written in pieces that fit the first buffer, it never grows.
 */
import { Socket } from "node:net";

/** 1,024 bytes without what TLS 1.3 adds to a record (RFC 8446 §5.2: head 5, type 1, tag 16), and some room to spare. */
const PIECE_BYTES = 960;
/** What streams say of a chunk of bytes; their types leave it out. */
const NO_ENCODING = "buffer" as BufferEncoding;

type Written = (error?: Error | null) => void;

/** For sockets that are many and mostly idle: each piece costs a record and a turn of the event loop. */
export function writeInSmallPieces(socket: Socket): void {
  socket._write = writeOne;
  socket._writev = writeSeveral;
}

function writeOne(this: Socket, chunk: Buffer | string, encoding: BufferEncoding, written: Written): void {
  writeFrom(this, bytesOf({ chunk, encoding }), 0, written);
}

function writeSeveral(this: Socket, chunks: { chunk: Buffer | string; encoding: BufferEncoding }[], written: Written) {
  writeFrom(this, Buffer.concat(chunks.map(bytesOf)), 0, written);
}

/** The next piece only when the last one has left the buffer. */
function writeFrom(socket: Socket, bytes: Buffer, start: number, written: Written): void {
  const end = start + PIECE_BYTES;
  const isLast = end >= bytes.length;
  const next: Written = (error) => (error ? written(error) : writeFrom(socket, bytes, end, written));
  Socket.prototype._write.call(socket, bytes.subarray(start, end), NO_ENCODING, isLast ? written : next);
}

function bytesOf({ chunk, encoding }: { chunk: Buffer | string; encoding: BufferEncoding }): Buffer {
  return typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk;
}
