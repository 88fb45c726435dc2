/** Exactly once to the eye and in the sender's order, over a network that loses, doubles and lies. */
import fc from "fast-check";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { CallId, type DeviceAddress, MessageId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { type Carry, MessageSide } from "../support/message-side.ts";
import { ManualClock, TestAccount } from "../support/test-account.ts";

type Fate =
  | "arrives"
  | "is lost"
  | "arrives, unanswered"
  | "is said to have arrived"
  | "arrives twice"
  | "arrives later";
const fates: readonly Fate[] = [
  "arrives",
  "is lost",
  "arrives, unanswered",
  "is said to have arrived",
  "arrives twice",
  "arrives later",
];

/** Every commit waits for the disk: a busy machine tries fewer cases, never none. */
const TIME_LIMIT_MS = 25_000;

class Pair {
  readonly clock = new ManualClock();
  readonly fates: Fate[];
  alice: MessageSide;
  bob: MessageSide;
  readonly #late: { from: DeviceAddress; envelope: Uint8Array }[] = [];

  constructor(fatesToCome: readonly Fate[]) {
    this.fates = [...fatesToCome];
    const [a, b] = [new TestAccount(this.clock), new TestAccount(this.clock)];
    a.believe(b);
    b.believe(a);
    this.alice = new MessageSide(a, b, this.clock, (from, envelope) => this.#carry(from, envelope));
    this.bob = new MessageSide(b, a, this.clock, (from, envelope) => this.#carry(from, envelope));
  }

  /** Lets time pass until nothing moves any more; fates that are left over are forgotten. */
  async settle(): Promise<void> {
    for (let round = 0; round < 12; round++) {
      await this.quiet();
      if (round === 4) this.fates.length = 0;
      for (const { from, envelope } of this.#late.splice(0)) await this.#arrive(from, envelope);
      this.clock.advance(6 * 60_000);
    }
    await this.quiet();
  }

  async quiet(): Promise<void> {
    for (let round = 0; round < 3; round++) await Promise.all([this.alice.quiet(), this.bob.quiet()]);
  }

  async remove(): Promise<void> {
    await this.quiet();
    await Promise.all([this.alice.remove(), this.bob.remove()]);
  }

  async #carry(from: DeviceAddress, envelope: Uint8Array): ReturnType<Carry> {
    const fate = this.fates.shift() ?? "arrives";
    switch (fate) {
      case "arrives":
        return { delivered: await this.#arrive(from, envelope) };
      case "arrives twice":
        await this.#arrive(from, envelope);
        return { delivered: await this.#arrive(from, envelope) };
      case "arrives, unanswered":
        await this.#arrive(from, envelope);
        return { delivered: false };
      case "arrives later":
        this.#late.push({ from, envelope });
        return { delivered: false };
      case "is said to have arrived":
        return { delivered: true };
      case "is lost":
        return { delivered: false };
      default:
        return fate satisfies never;
    }
  }

  async #arrive(from: DeviceAddress, envelope: Uint8Array): Promise<boolean> {
    const to = from.userId === this.alice.account.address.userId ? this.bob : this.alice;
    try {
      await to.mail.receive(from, envelope);
      return true;
    } catch {
      return false;
    }
  }
}

describe("whatever the network does to envelopes", () => {
  test("both sides' messages arrive once and in order, are seen to have arrived, and leave the outbox", async () => {
    const step = fc.constantFrom("alice says", "bob says", "alice crashes", "bob crashes", "time passes");
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...fates), { maxLength: 30 }),
        fc.array(step, { minLength: 3, maxLength: 14 }),
        async (fatesToCome, steps) => {
          const pair = new Pair(fatesToCome);
          const said: Record<"alice" | "bob", string[]> = { alice: [], bob: [] };
          try {
            for (const [index, what] of steps.entries()) {
              const who = what.startsWith("alice") ? "alice" : "bob";
              if (what === "time passes") pair.clock.advance(10_000);
              else if (what.endsWith("crashes")) pair[who] = await pair[who].crashed();
              else {
                said[who].push(`${who} ${index}`);
                await pair[who].say(`${who} ${index}`);
              }
            }
            for (const side of [pair.alice, pair.bob]) side.reappeared();
            await pair.settle();
            expect(await pair.bob.texts(false)).toEqual(said.alice);
            expect(await pair.alice.texts(false)).toEqual(said.bob);
            expect(await pair.alice.texts(true)).toEqual(said.alice);
            for (const side of [pair.alice, pair.bob]) {
              expect(await side.profile.db.selectFrom("outbox").selectAll().execute()).toEqual([]);
              for (const line of await side.lines()) {
                expect(line).toMatchObject({ delivery: line.mine ? "delivered" : "received" });
              }
            }
          } finally {
            await pair.remove();
          }
        },
      ),
      { numRuns: 25, interruptAfterTimeLimit: TIME_LIMIT_MS },
    );
  });

  test("a voice message comes whole or not at all, once, and bit for bit", async () => {
    const ogg = new Uint8Array(3 * LIMITS.maxChunkBytes + 1_234).map((_, index) => (index * 7) & 0xff);
    ogg.set([0x4f, 0x67, 0x67, 0x53]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...fates), { maxLength: 20 }),
        fc.nat({ max: 6 }),
        async (fatesToCome, crashAfter) => {
          const pair = new Pair(fatesToCome);
          try {
            await pair.alice.speak(ogg);
            for (let turn = 0; turn < crashAfter; turn++) await new Promise(setImmediate);
            pair.bob = await pair.bob.crashed();
            pair.alice = await pair.alice.crashed();
            pair.alice.reappeared();
            await pair.settle();
            const lines = await pair.bob.lines();
            expect(lines).toHaveLength(1);
            const [line] = lines;
            if (line?.kind !== "voice") throw new Error("not a voice message");
            expect(Buffer.from(await pair.bob.mail.voices.read(line.messageId)).equals(ogg)).toBe(true);
          } finally {
            await pair.remove();
          }
        },
      ),
      { numRuns: 8, interruptAfterTimeLimit: TIME_LIMIT_MS },
    );
  });
});

test("a call signal is heard once, however often a supernode brings it, over a restart too", async () => {
  const pair = new Pair([]);
  const { alice } = pair;
  const invite = { kind: "invite", callId: CallId.parse("7".repeat(32)) } as const;
  const id = MessageId.parse("5".repeat(32));
  const { address } = pair.bob.account;
  const envelope = alice.account.envelopes.seal(id, address, { type: "call", signal: invite });
  try {
    for (let time = 0; time < 3; time++) await pair.bob.mail.receive(alice.account.address, envelope);
    expect(pair.bob.callSignals).toEqual([invite]);
    pair.clock.advance(1_000);
    pair.bob = await pair.bob.crashed();
    await pair.bob.mail.receive(alice.account.address, envelope);
    expect(pair.bob.callSignals).toEqual([]);
  } finally {
    await pair.remove();
  }
});

test("a message that the recipient has no room for is kept by its sender until there is", async () => {
  const pair = new Pair([]);
  const { alice, bob } = pair;
  try {
    await bob.say("x".repeat(5_000));
    await pair.quiet();
    await sql`PRAGMA max_page_count = 1`.execute(bob.profile.db);
    const long = "y".repeat(12_000);
    await alice.say(long);
    await alice.say(long);
    await pair.quiet();
    await expect(bob.say(long)).rejects.toMatchObject({ code: "data-folder-unwritable" });
    expect(await bob.texts(false)).toEqual([]);
    await sql`PRAGMA max_page_count = 1000000`.execute(bob.profile.db);
    await pair.settle();
    expect(await bob.texts(false)).toEqual([long, long]);
    expect(await alice.texts(false)).toEqual(["x".repeat(5_000)]);
  } finally {
    await pair.remove();
  }
});

test("what comes before the news that its sender has become a buddy waits for that news, and no longer than needed", async () => {
  const pair = new Pair([]);
  const { alice, bob } = pair;
  try {
    bob.account.disbelieve(alice.account);
    let accept = () => {};
    bob.acceptance = new Promise((resolve) => {
      accept = resolve;
    });
    await alice.say("hello, buddy");
    await new Promise(setImmediate);
    expect(await bob.texts(false)).toEqual([]);
    bob.account.believe(alice.account);
    accept();
    await pair.quiet();
    expect(await bob.texts(false)).toEqual(["hello, buddy"]);
  } finally {
    await pair.remove();
  }
});
