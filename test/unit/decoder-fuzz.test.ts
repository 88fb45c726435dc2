/** Decoders that have no test of their own for whatever may arrive: files, frames, statements, typed text. */
import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { concatBytes, equalBytes, utf8 } from "../../protocol/bytes.ts";
import { fold } from "../../protocol/folding.ts";
import {
  decodeAnnouncement,
  decodeSuspicion,
  decodeVoucher,
  encodeAnnouncement,
  encodeSuspicion,
  encodeVoucher,
} from "../../protocol/gossip-statement.ts";
import { Handle, NetworkId, UserId } from "../../protocol/identifiers.ts";
import { decodeKeyLogEntries, decodeKeyLogHead, encodeKeyLogHead } from "../../protocol/key-log.ts";
import { signingKeyPair } from "../../protocol/node-crypto.ts";
import { decodeRevocationList, encodeRevocationList } from "../../protocol/revocations.ts";
import { parseQuery } from "../../protocol/search-term.ts";
import type { Signed } from "../../protocol/signed.ts";
import { Decoder, Encoder, type Packet } from "../../protocol/wire-parser.ts";
import { decodeMembers, encodeMembers } from "../../relay/membership/member-file.ts";
import { decodeFrame, encodeFrame } from "../../relay/records/record-frame.ts";
import { SearchCursors } from "../../relay/search/search-cursor.ts";
import { FUZZ_RUNS, FUZZ_TIMEOUT_MS, fuzz } from "../support/fuzzing.ts";
import { GossipActor } from "../support/gossip-actor.ts";
import { LEASE_NETWORK, madeAccount, madeLease } from "../support/made-leases.ts";
import { TestAuthority } from "../support/test-identities.ts";

const NOW = 1_800_000_000_000;
const authority = new TestAuthority(signingKeyPair(), () => NOW);
const [alice, bob] = [new GossipActor(authority), new GossipActor(authority)];
const item = alice.item(NOW, bob);
const suspicion = bob.suspicionOf(alice.id, NOW);

/** What is decoded is what was signed, byte for byte. */
function sameBody<T>(encode: (value: T) => Uint8Array) {
  return ({ value, body }: Signed<T>) => {
    if (!equalBytes(encode(value), body)) throw new Error("another encoding");
  };
}

test(
  "statements of gossip are refused with a code, or come out as they were signed",
  () => {
    const announcement = bob.announce(NOW, { leaving: true });
    let refused = fuzz([announcement.bytes, item.announcement.bytes], decodeAnnouncement, sameBody(encodeAnnouncement));
    if (suspicion.kind !== "suspicion") throw new Error("not a suspicion");
    refused += fuzz([suspicion.suspicion.bytes], decodeSuspicion, sameBody(encodeSuspicion));
    refused += fuzz([item.voucher.bytes], decodeVoucher, sameBody(encodeVoucher));
    expect(refused).toBeGreaterThan(FUZZ_RUNS);
  },
  3 * FUZZ_TIMEOUT_MS,
);

test(
  "what the login server says to everybody is refused with a code, or comes out as it was signed",
  () => {
    const networkId = NetworkId.parse("0a".repeat(20));
    const [root, previous, skip] = [1, 2, 3].map((value) => new Uint8Array(32).fill(value)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const head = encodeKeyLogHead({ networkId, epoch: 7, issuedAt: NOW, root, previous, skip });
    const list = encodeRevocationList({ networkId, revision: 3, issuedAt: NOW, serials: [1, 5, 2 ** 40] });
    const signed = (body: Uint8Array) => concatBytes([body, new Uint8Array(64).fill(9)]);
    fuzz([signed(head)], decodeKeyLogHead, sameBody(encodeKeyLogHead));
    fuzz([signed(list)], decodeRevocationList, sameBody(encodeRevocationList));
    fuzz([signed(head), randomBytes(300)], decodeKeyLogEntries);
  },
  3 * FUZZ_TIMEOUT_MS,
);

test(
  "a file of members gives those who are whole in it, whatever has become of it",
  () => {
    const file = encodeMembers([{ certificate: alice.certificate, item }]);
    fuzz([file], (input) => decodeMembers(input, NOW));
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "a log of records is read up to the first frame that is not whole, and never beyond its end",
  () => {
    const leases = [0, 1, 2].map((number) => madeLease(madeAccount(number), { issuedAt: NOW }));
    const log = Buffer.concat(leases.map(({ bytes }) => encodeFrame(bytes, { gone: false, lastSeenAt: NOW })));
    expect(LEASE_NETWORK).toBe(leases[0]?.value.networkId);
    fuzz([log], (input) => {
      const bytes = Buffer.from(input);
      let step = decodeFrame(bytes, 0);
      for (let offset = 0; step.kind === "frame"; step = decodeFrame(bytes, offset)) {
        if (step.end <= offset || step.end > bytes.length) throw new Error("beyond the end");
        offset = step.end;
      }
    });
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "a frame of the sockets is refused, or decodes to a packet whose bytes are the frame's own",
  () => {
    const encoder = new Encoder();
    const packets: Packet[] = [
      { type: 2, nsp: "/", id: 1, data: ["register", { lease: new Uint8Array(40) }] },
      { type: 3, nsp: "/", id: 7, data: [{ ok: true, value: { profiles: [new Uint8Array(9), new Uint8Array(0)] } }] },
      { type: 0, nsp: "/", data: {} },
    ];
    const seeds = packets.flatMap((packet) => encoder.encode(packet)).map((frame) => Buffer.from(frame));
    const decode = (frame: unknown) => {
      const decoder = new Decoder();
      let packet: Packet | null = null;
      decoder.on("decoded", (decoded: Packet) => {
        packet = decoded;
      });
      try {
        decoder.add(frame);
      } catch (error) {
        // What the parser says to socket.io, which closes the connection.
        if (!(error instanceof Error) || error instanceof RangeError) throw error;
        return null;
      }
      return packet as Packet | null;
    };
    let decoded = 0;
    fuzz(seeds, (input) => {
      const packet = decode(Buffer.from(input)) ?? decode(Buffer.from(input).toString("utf8"));
      if (packet === null) return;
      decoded++;
      JSON.stringify(packet);
    });
    expect(decoded).toBeGreaterThan(FUZZ_RUNS / 100);
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "typed text folds to what folds no further, and asks for something or is refused with a code",
  () => {
    const texts = ["Álice Liddell", "王小明 99", "İstanbul ﬁne ŉ ǆ", "किम 김철수 مُحَمَّد", "a\u0301\u200d\u{1f642}"];
    fuzz(
      texts.map(utf8),
      (input) => parseQuery(Buffer.from(input).toString("utf8")),
      ({ terms, words }, input) => {
        const text = Buffer.from(input).toString("utf8");
        if (fold(fold(text)) !== fold(text)) throw new Error("folds further");
        if (terms.length === 0 || words.length === 0) throw new Error("asks for nothing");
      },
      ["search-too-short", "too-large"],
    );
  },
  FUZZ_TIMEOUT_MS,
);

test(
  "a place to go on from that was not given out is refused",
  () => {
    const cursors = new SearchCursors(randomBytes(32));
    const userId = UserId.parse("3b".repeat(20));
    const rank = { score: 4, handle: Handle.parse("alice"), userId };
    const given = cursors.seal(userId, "alice", { after: rank, shown: 20 });
    fuzz(
      [utf8(given)],
      (input) => cursors.open(userId, "alice", Buffer.from(input).toString("utf8")),
      (place) => {
        // Base64 has more than one way to write the same bytes; the place is the one that was sealed.
        expect(place).toEqual({ after: rank, shown: 20 });
      },
      ["search-expired"],
    );
  },
  FUZZ_TIMEOUT_MS,
);
