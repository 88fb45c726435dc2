/** A member that signs and seals everything properly and says whatever it likes: no word of it may be one too many. */
import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import type { GossipItem } from "../../protocol/gossip-item.ts";
import {
  DIGEST_BUCKETS,
  encodeGossipMessage,
  type GossipMessage,
  MAX_WANTED,
  type SummaryRange,
} from "../../protocol/gossip-message.ts";
import { MAX_GOSSIP_MESSAGE_BYTES } from "../../protocol/gossip-packet.ts";
import { encodeAnnouncement, encodeSuspicion, encodeVoucher } from "../../protocol/gossip-statement.ts";
import { SupernodeId } from "../../protocol/identifiers.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { GossipEffect } from "../../relay/membership/gossip-context.ts";
import { GossipCore } from "../../relay/membership/gossip-core.ts";
import type { GossipEvent } from "../../relay/membership/gossip-event.ts";
import { GOSSIP_TIMES } from "../../relay/membership/gossip-times.ts";
import { seededRandom } from "../sim/virtual-time.ts";
import { FUZZ_RUNS, FUZZ_TIMEOUT_MS } from "../support/fuzzing.ts";

const START = 1_800_000_000_000;
const MINUTE = 60_000;
const SIGNATURE = new Uint8Array(64);
/** Of times, numbers of certificates and nonces: where something may turn over. */
const EDGES = [
  0,
  1,
  START - 1,
  START,
  START + 1,
  START + 4 * MINUTE,
  START + 6 * MINUTE,
  2 ** 48,
  2 ** 53 - 2,
  2 ** 53 - 1,
];
const NONCES = [0, 1, 2 ** 31, 2 ** 32 - 1];

function signed<T>(value: T, body: Uint8Array): Signed<T> {
  return { value, body, bytes: Buffer.concat([body, SIGNATURE]), signature: SIGNATURE };
}

function certificateOf(supernodeId: SupernodeId, serial: number): Signed<SupernodeCertificate> {
  const value = {
    networkId: "0".repeat(40) as SupernodeCertificate["networkId"],
    supernodeId,
    signKey: randomBytes(32),
    tlsFingerprint: randomBytes(32),
    host: "127.0.0.1",
    port: 9,
    serial,
    issuedAt: START,
    expiresAt: START + 30 * 24 * 60 * MINUTE,
  };
  return signed(value, randomBytes(100));
}

class Storm {
  now = START;
  readonly random: () => number;
  readonly ids = Array.from({ length: 9 }, () => SupernodeId.parse(randomBytes(20).toString("hex")));
  readonly strangers = Array.from({ length: 4 }, () => SupernodeId.parse(randomBytes(20).toString("hex")));
  /** They sign whatever they like; the others and the one under test say nothing untrue. */
  readonly liars = [...this.ids.slice(1, 5), ...this.strangers];
  readonly honest = this.ids.slice(5);
  readonly certificates: ReadonlyMap<SupernodeId, Signed<SupernodeCertificate>>;
  readonly core: GossipCore;
  /** Who still answers pings, as an honest member does. */
  readonly answering = new Set<SupernodeId>();

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.certificates = new Map([...this.ids, ...this.strangers].map((id) => [id, certificateOf(id, 3)]));
    const [self] = this.ids as [SupernodeId];
    const certificate = this.certificates.get(self) as Signed<SupernodeCertificate>;
    this.core = new GossipCore(
      {
        certificate,
        secretKey: new Uint8Array(64),
        gossipKey: new Uint8Array(32),
        // Everybody is who they say they are.
        scheme: { sign: () => SIGNATURE, verify: () => true },
        seeds: this.certificates.values(),
        trustCertificate: (bytes) => {
          const known = [...this.certificates.values()].find((one) => Buffer.from(one.bytes).equals(bytes));
          if (!known) throw new Error("unknown");
          return known;
        },
        random: this.random,
        times: GOSSIP_TIMES,
      },
      START,
    );
    const members = this.ids.map((id) => ({
      certificate: this.certificates.get(id) as Signed<SupernodeCertificate>,
      item: {
        kind: "member" as const,
        announcement: this.announcement(id, START),
        voucher: this.voucher(id, this.ids[1]),
      },
    }));
    this.handle({ type: "remember", members });
    this.handle({ type: "start" });
  }

  handle(event: GossipEvent): void {
    for (const effect of this.core.handle(event, this.now)) this.#carryOut(effect);
  }

  #carryOut(effect: GossipEffect): void {
    if (effect.type !== "send") return;
    const { length } = encodeGossipMessage(effect.message);
    if (length > MAX_GOSSIP_MESSAGE_BYTES) throw new Error(`${effect.message.type} of ${length} bytes`);
    if (effect.message.type !== "ping" || !this.answering.has(effect.to.id)) return;
    this.handle({
      type: "message",
      from: effect.to.id,
      message: { type: "ack", nonce: effect.message.nonce, items: [] },
    });
  }

  pass(ms: number): void {
    const end = this.now + ms;
    while (this.core.nextWakeAt() <= end) {
      this.now = Math.max(this.now, this.core.nextWakeAt());
      this.handle({ type: "wake" });
    }
    this.now = end;
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)] as T;
  }

  many<T>(max: number, make: () => T): T[] {
    return Array.from({ length: Math.floor(this.random() * (max + 1)) }, make);
  }

  announcement(supernodeId: SupernodeId, incarnation: number, serial = 3, leaving = false) {
    const gossipKey = new Uint8Array(32).fill(this.random() < 0.5 ? 0 : 7);
    const value = { supernodeId, incarnation, gossipKey, certificateSerial: serial, leaving };
    return signed(value, encodeAnnouncement(value));
  }

  voucher(subject: SupernodeId, voucher = this.liar(), certificateSerial = 3) {
    const value = { subject, certificateSerial, voucher };
    return signed(value, encodeVoucher(value));
  }

  anybody(): SupernodeId {
    return this.pick([...this.ids, ...this.strangers]);
  }

  liar(): SupernodeId {
    return this.pick(this.liars);
  }

  time(): number {
    return this.random() < 0.5 ? Math.floor(this.now + (this.random() - 0.5) * 20 * MINUTE) : this.pick(EDGES);
  }

  item(): GossipItem {
    const subject = this.anybody();
    const announcement = this.announcement(this.liar(), this.time(), this.pick([3, ...EDGES]), this.random() < 0.2);
    switch (Math.floor(this.random() * 4)) {
      case 0:
        return {
          kind: "member",
          announcement,
          voucher: this.voucher(
            this.pick([subject, announcement.value.supernodeId]),
            this.liar(),
            this.pick([3, ...EDGES]),
          ),
        };
      case 1:
        return { kind: "announcement", announcement };
      case 2: {
        const value = { subject, incarnation: this.time(), accuser: this.liar() };
        return { kind: "suspicion", suspicion: signed(value, encodeSuspicion(value)) };
      }
      default:
        return { kind: "certificate", certificate: this.certificates.get(subject) as Signed<SupernodeCertificate> };
    }
  }

  range(): SummaryRange {
    const [from, to] = [this.pick(NONCES), this.pick(NONCES)].sort((a, b) => a - b) as [number, number];
    return { from, to, members: this.many(6, () => ({ supernodeId: this.anybody(), incarnation: this.time() })) };
  }

  message(): GossipMessage {
    const nonce = this.random() < 0.5 ? this.pick(NONCES) : Math.floor(this.random() * 2 ** 32);
    const subject = this.anybody();
    const certificate = this.certificates.get(subject) as Signed<SupernodeCertificate>;
    const kinds: (() => GossipMessage)[] = [
      () => ({ type: "ping", nonce, items: this.many(5, () => this.item()) }),
      () => ({ type: "ack", nonce, items: this.many(5, () => this.item()) }),
      () => ({ type: "probe", nonce, target: subject }),
      () => ({ type: "nack", nonce }),
      () => ({ type: "gossip", items: this.many(5, () => this.item()) }),
      () => ({ type: "digest", hashes: Uint32Array.from({ length: DIGEST_BUCKETS }, () => this.pick(NONCES)) }),
      () => ({ type: "summary", ranges: this.many(5, () => this.range()) }),
      () => ({
        type: "want",
        wanted: this.many(MAX_WANTED, () => ({ supernodeId: this.anybody(), certificate: this.random() < 0.5 })),
      }),
      () => ({ type: "vouch", certificate, announcement: this.announcement(this.liar(), this.time()) }),
      () => ({ type: "unreachable", subject, by: this.pick(["udp", "tcp"]) }),
      () => ({ type: "reach" }),
      () => ({ type: "reached", isReached: this.random() < 0.5 }),
    ];
    return this.pick(kinds)();
  }
}

it(
  "well-signed nonsense of every kind ends nothing, is answered within a packet, and leaves an honest crowd together",
  () => {
    for (let run = 0, seed = 1; run < FUZZ_RUNS / 2; seed++) {
      const storm = new Storm(seed);
      for (let step = 0; step < 500; step++, run++) {
        const from = storm.pick(storm.ids.slice(1, 5));
        if (storm.random() < 0.8) storm.handle({ type: "message", from, message: storm.message() });
        else if (storm.random() < 0.5) {
          const id = storm.liar();
          const certificate = storm.certificates.get(id) as Signed<SupernodeCertificate>;
          const announcement = storm.announcement(id, storm.time());
          const flags = { isAnswer: storm.random() < 0.5, isMember: storm.random() < 0.5 };
          storm.handle({ type: "hello", hello: { certificate, announcement, ...flags } });
        } else storm.handle({ type: "tcp-probed", supernodeId: storm.anybody(), isReachable: storm.random() < 0.5 });
        if (storm.random() < 0.3) storm.pass(storm.random() * 3_000);
      }
      const own = storm.core.hello(false).announcement.value.incarnation;
      // Nobody has made it say what the others would have to refuse.
      expect(own).toBeLessThan(storm.now + 3 * MINUTE);
      // Afterwards those who are there, and say so, are its members again.
      storm.pass(10 * MINUTE);
      const { honest } = storm;
      for (const id of honest) storm.answering.add(id);
      for (const id of honest) {
        const item = {
          kind: "member",
          announcement: storm.announcement(id, Math.floor(storm.now)),
          voucher: storm.voucher(id, storm.ids[1]),
        } as const;
        storm.handle({ type: "message", from: honest[0] as SupernodeId, message: { type: "gossip", items: [item] } });
        const hello = {
          certificate: storm.certificates.get(id) as Signed<SupernodeCertificate>,
          announcement: item.announcement,
          isAnswer: true,
          isMember: true,
        };
        storm.handle({ type: "hello", hello });
      }
      storm.pass(MINUTE);
      const members = new Set(storm.core.members.map(({ id }) => id));
      expect({ seed, missing: honest.filter((id) => !members.has(id)).length }).toEqual({ seed, missing: 0 });
    }
  },
  FUZZ_TIMEOUT_MS,
);
