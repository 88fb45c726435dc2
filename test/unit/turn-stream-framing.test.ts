/** A stream is cut into the same messages however it arrives, and any bytes are survived. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Allocation } from "../../relay/turn/allocation.ts";
import { StreamClient } from "../../relay/turn/stream-client.ts";
import type { StreamHandler } from "../../relay/turn/stream-transport.ts";
import type { Refusal } from "../../relay/turn/turn-counters.ts";
import { MemoryTurn } from "../support/turn-memory.ts";
import { parsePeer } from "../support/turn-memory-client.ts";

const numRuns = Number(process.env.KITH_FUZZ_RUNS ?? 10_000);
const timeout = 5_000 + numRuns * 2;

function anyAllocation(): Allocation {
  const turn = new MemoryTurn();
  turn.client("198.41.7.7:1").allocate();
  const known = turn.core.allocations.clientAt(parsePeer("198.41.7.7:1"), 0);
  if (known?.allocation == null) throw new Error("no allocation");
  return known.allocation;
}
const allocation = anyAllocation();

function openClient(hasAllocation: boolean) {
  const messages: string[] = [];
  const refusals: Refusal[] = [];
  let handler: StreamHandler = { data: () => {}, closed: () => {} };
  let isClosed = false;
  const events = {
    message: (_: StreamClient, packet: Buffer, start: number, end: number) => {
      messages.push(packet.toString("hex", start, end));
      // What is before a message may be overwritten by whoever relays it.
      packet.fill(0xee, Math.max(0, start - 48), start);
    },
    refused: (refusal: Refusal) => void refusals.push(refusal),
    closed: () => {},
    nowMs: () => 0,
  };
  const client = new StreamClient(parsePeer("198.41.7.7:1"), events, (opened) => {
    handler = opened;
    const close = () => {
      isClosed = true;
      opened.closed();
    };
    return { backlogBytes: 0, write: () => {}, close };
  });
  if (hasAllocation) client.allocation = allocation;
  return {
    messages,
    refusals,
    isClosed: () => isClosed,
    receive: (bytes: Uint8Array) => {
      const room = Buffer.alloc(64 + bytes.length + 64, 0xdd);
      room.set(bytes, 64);
      handler.data(room, 64, 64 + bytes.length);
    },
  };
}

const frame = fc.record({ isStun: fc.boolean(), body: fc.uint8Array({ maxLength: 60 }) }).map(({ isStun, body }) => {
  const length = isStun ? body.length & ~3 : body.length;
  const head = Buffer.alloc(isStun ? 20 : 4);
  head.writeUInt16BE(isStun ? 1 : 0x4000, 0);
  head.writeUInt16BE(length, 2);
  return Buffer.concat([head, body.subarray(0, length), Buffer.alloc(isStun ? 0 : -length & 3)]);
});

describe("a stream", { timeout }, () => {
  it("yields the messages that were put into it, wherever it is cut", () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 8 }), (frames, cuts) => {
        const stream = Buffer.concat(frames);
        const client = openClient(true);
        const places = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].sort((a, b) => a - b);
        let from = 0;
        for (const to of [...places, stream.length]) {
          if (to > from) client.receive(stream.subarray(from, to));
          from = to;
        }
        expect(client.messages).toEqual(frames.map((bytes) => bytes.toString("hex")));
        expect(client.isClosed()).toBe(false);
      }),
      { numRuns },
    );
  });

  it("of any bytes is cut or closed, never more than once, and yields nothing after that", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 6 }),
        fc.boolean(),
        (chunks, hasAllocation) => {
          const client = openClient(hasAllocation);
          let afterClose = 0;
          for (const chunk of chunks) {
            if (client.isClosed()) break;
            client.receive(chunk);
            if (client.isClosed()) afterClose = client.messages.length;
          }
          if (client.isClosed()) {
            expect(client.refusals).toEqual(["tcp-frame"]);
            expect(client.messages.length).toBe(afterClose);
          }
        },
      ),
      { numRuns },
    );
  });
});
