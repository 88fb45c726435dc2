/** Replication messages as bytes. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import {
  decodeReplicationMessage,
  encodeReplicationMessage,
  MAX_SENT,
  type ReplicationMessage,
  replicationBytes,
} from "../../protocol/replication-message.ts";
import { deviceNumber, madeAccount, madeLease } from "../support/made-leases.ts";

const RUNS = Number(process.env.FUZZ_RUNS ?? 10_000);
const START = 1_800_000_000_000;
const USERS = 120;

let accounts: ReturnType<typeof madeAccount>[];
let leases: ReturnType<typeof madeLease>[];
beforeAll(() => {
  accounts = Array.from({ length: USERS }, (_, number) => madeAccount(number));
  leases = accounts.map((account) => madeLease(account, { issuedAt: START }));
});

describe("on the wire", () => {
  const messages = (): ReplicationMessage[] => [
    {
      type: "offer",
      offerId: 0xffffffff,
      records: leases
        .slice(0, 3)
        .map(({ value: { userId, sequence } }) => ({ userId, deviceId: deviceNumber(7), sequence })),
    },
    { type: "answer", offerId: 3, wanted: [0, 999], held: [1] },
    {
      type: "records",
      records: leases.slice(0, 2).map(({ bytes }) => ({ lease: bytes, gone: true, lastSeenAt: START })),
    },
  ];

  it("every message survives, has the size that is reckoned with, and fits a frame when full", () => {
    for (const message of messages()) {
      const bytes = encodeReplicationMessage(message);
      expect(bytes).toHaveLength(replicationBytes(message));
      expect(encodeReplicationMessage(decodeReplicationMessage(bytes))).toEqual(bytes);
    }
    const largest = new Uint8Array(468);
    const full = {
      type: "records",
      records: Array(MAX_SENT).fill({ lease: largest, gone: false, lastSeenAt: 1 }),
    } as const;
    expect(replicationBytes(full)).toBeLessThan(128 * 1024);
  });

  it("rubbish, or what is nearly right, is refused as malformed and nothing worse", () => {
    const originals = messages().map(encodeReplicationMessage);
    const nearly = fc
      .record({
        original: fc.constantFrom(...originals),
        changes: fc.array(fc.record({ at: fc.nat(600), to: fc.nat(255) }), { maxLength: 5 }),
        keep: fc.nat(600),
      })
      .map(({ original, changes, keep }) => {
        const bytes = Uint8Array.from(original.subarray(0, keep));
        for (const { at, to } of changes) if (at < bytes.length) bytes[at] = to;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), nearly), (bytes) => {
        try {
          return Buffer.from(encodeReplicationMessage(decodeReplicationMessage(bytes))).equals(bytes);
        } catch (error) {
          return error instanceof KithError && error.code === "malformed";
        }
      }),
      { numRuns: RUNS },
    );
  });
});
