/**
 * What supernodes of the directory's benchmark say to each other about records: frames over
 * one TCP connection for each pair. Two hundred supernodes keep twenty thousand of them,
 * which is more TLS and socket.io than a small machine can set up in a benchmark's time;
 * everything above the connection is the real code.
 */
import { connect, type Socket } from "node:net";
import { ByteReader, ByteWriter, fromHex } from "../protocol/bytes.ts";
import { SUPERNODE_ID_BYTES, type SupernodeId, USER_ID_BYTES, type UserId } from "../protocol/identifiers.ts";
import { MAX_LEASE_BYTES } from "../protocol/lease.ts";
import { readSupernodeId, readUserId } from "../protocol/raw-identifiers.ts";
import type { ToldRecord } from "../relay/presence/trusted-record.ts";

export type DirectoryFrame =
  | { readonly type: "hello"; readonly from: SupernodeId }
  | { readonly type: "find"; readonly request: number; readonly userId: UserId }
  | { readonly type: "found"; readonly request: number; readonly records: readonly ToldRecord[] }
  | { readonly type: "replicate"; readonly message: Uint8Array };

export interface LinkOwner {
  received(frame: DirectoryFrame, link: DirectoryLink): void;
  closed(link: DirectoryLink): void;
}

const TYPES = ["hello", "find", "found", "replicate"] as const;
const MAX_FRAME_BYTES = 1 << 20;
const LENGTH_BYTES = 4;

export class DirectoryLink {
  readonly #socket: Socket;
  readonly #owner: LinkOwner;
  /** Who is at the other end, once that is known. */
  peer: SupernodeId | null = null;
  /** Whether it was ever connected. */
  wasOpen: boolean;
  #unread: Buffer = Buffer.alloc(0);

  constructor(socket: Socket, owner: LinkOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.wasOpen = !socket.connecting;
    socket.setNoDelay(true);
    socket.once("connect", () => {
      this.wasOpen = true;
    });
    socket.on("data", (data) => this.#read(data));
    socket.on("error", () => undefined);
    socket.on("close", () => owner.closed(this));
  }

  static open(port: number, owner: LinkOwner): DirectoryLink {
    return new DirectoryLink(connect(port, "127.0.0.1"), owner);
  }

  send(frame: DirectoryFrame): void {
    const encoded = encodeFrame(frame);
    const message = Buffer.allocUnsafe(LENGTH_BYTES + encoded.length);
    message.writeUInt32BE(encoded.length);
    message.set(encoded, LENGTH_BYTES);
    this.#socket.write(message);
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(data: Buffer): void {
    this.#unread = this.#unread.length === 0 ? data : Buffer.concat([this.#unread, data]);
    while (this.#unread.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + this.#unread.readUInt32BE(0);
      if (end > MAX_FRAME_BYTES) throw new RangeError("a frame beyond the longest");
      if (this.#unread.length < end) return;
      const frame = decodeFrame(this.#unread.subarray(LENGTH_BYTES, end));
      this.#unread = this.#unread.subarray(end);
      this.#owner.received(frame, this);
    }
  }
}

function encodeFrame(frame: DirectoryFrame): Uint8Array {
  const writer = new ByteWriter().u8(TYPES.indexOf(frame.type));
  switch (frame.type) {
    case "hello":
      return writer.fixed(fromHex(frame.from), SUPERNODE_ID_BYTES).finish();
    case "find":
      return writer.u32(frame.request).fixed(fromHex(frame.userId), USER_ID_BYTES).finish();
    case "found":
      writer.u32(frame.request).u8(frame.records.length);
      for (const { lease, gone, lastSeenAt } of frame.records) {
        writer
          .bytes16(lease)
          .u8(gone ? 1 : 0)
          .u64(lastSeenAt);
      }
      return writer.finish();
    case "replicate":
      return writer.bytes32(frame.message).finish();
    default:
      return frame satisfies never;
  }
}

function decodeFrame(bytes: Uint8Array): DirectoryFrame {
  const reader = new ByteReader(bytes, "frame");
  switch (TYPES[reader.u8()]) {
    case "hello":
      return { type: "hello", from: readSupernodeId(reader) };
    case "find":
      return { type: "find", request: reader.u32(), userId: readUserId(reader) };
    case "found": {
      const request = reader.u32();
      const records = Array.from({ length: reader.u8() }, () => ({
        lease: reader.bytes16(MAX_LEASE_BYTES),
        gone: reader.u8() === 1,
        lastSeenAt: reader.u64(),
      }));
      return { type: "found", request, records };
    }
    case "replicate":
      return { type: "replicate", message: reader.bytes32(MAX_FRAME_BYTES) };
    default:
      throw reader.refuse("a frame that is not known here");
  }
}
