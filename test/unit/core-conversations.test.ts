import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newCallId, newDeviceId, newMessageId } from "../../main/core/randomness.ts";
import { Conversations, type NewMessage } from "../../main/messages/conversations.ts";
import type { CallRecord } from "../../protocol/call-event.ts";
import type { EndReason } from "../../protocol/call-state.ts";
import { UserId } from "../../protocol/identifiers.ts";
import { random } from "../support/test-account.ts";
import { type TestProfile, testProfile } from "../support/test-profile.ts";

const peer = UserId.parse("a".repeat(40));
const other = UserId.parse("b".repeat(40));
const deviceId = newDeviceId(random);
let profile: TestProfile;
let conversations: Conversations;

beforeEach(() => {
  profile = testProfile();
  conversations = new Conversations(profile.db);
});
afterEach(() => profile.remove());

function message(sequence: number, text: string, change: Partial<NewMessage> = {}): NewMessage {
  return {
    peer,
    mine: false,
    messageId: newMessageId(random),
    deviceId,
    sentAt: sequence,
    sequence,
    content: { kind: "text", text },
    ...change,
  };
}

const add = (entry: NewMessage) => profile.db.transaction().execute((tx) => conversations.addMessage(tx, entry));

async function texts(of = peer): Promise<string[]> {
  const { lines } = await conversations.page(of, null, 200);
  return lines.map((line) => (line.kind === "text" ? line.text : line.kind));
}

describe("the order of a conversation", () => {
  test("is the sender's, in whatever order the messages arrive", async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7], { minLength: 7 }), async (arrival) => {
        await profile.db.deleteFrom("lines").execute();
        for (const sequence of arrival) await add(message(sequence, String(sequence)));
        expect(await texts()).toEqual(["1", "2", "3", "4", "5", "6", "7"]);
      }),
      { numRuns: 60 },
    );
  });

  test("leaves each side's own order whole when both write at once", async () => {
    await add(message(10, "theirs 1"));
    await add(message(500, "mine 1", { mine: true, deviceId: null }));
    await add(message(30, "theirs 3"));
    await add(message(501, "mine 2", { mine: true, deviceId: null }));
    await add(message(20, "theirs 2"));
    expect(await texts()).toEqual(["theirs 1", "mine 1", "theirs 2", "theirs 3", "mine 2"]);
  });

  test("pages from the newest to the oldest without a gap or a line twice", async () => {
    for (let sequence = 1; sequence <= 25; sequence++) await add(message(sequence, String(sequence)));
    await add(message(1, "elsewhere", { peer: other }));
    const seen: string[] = [];
    let before: string | null = null;
    for (let more = true; more; ) {
      const page: Awaited<ReturnType<Conversations["page"]>> = await conversations.page(peer, before, 10);
      seen.unshift(...page.lines.map((line) => (line.kind === "text" ? line.text : "")));
      before = page.lines[0]?.lineId ?? null;
      more = page.more;
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => String(index + 1)));
    expect(await conversations.page(other, "1", 10)).toEqual({ lines: [], more: false });
  });

  test("numbers our next message after all before it, with time", async () => {
    const next = (now: number) => profile.db.transaction().execute((tx) => conversations.nextSequence(tx, peer, now));
    expect(await next(1_000)).toBe(1_000);
    await add(message(5_000, "from the phone", { mine: true }));
    expect(await next(1_000)).toBe(5_001);
    expect(await next(9_000)).toBe(9_000);
  });
});

describe("what became of a message", () => {
  test("only moves forward, and only for ours to this very peer", async () => {
    const mine = message(1, "hello", { mine: true, deviceId: null });
    await add(mine);
    const ids = [mine.messageId];
    const advance = (to: "sent" | "delivered" | "read", of = peer) =>
      profile.db.transaction().execute((tx) => conversations.advance(tx, of, ids, to));
    expect(await advance("delivered", other)).toEqual([]);
    expect(await advance("delivered")).toMatchObject([{ delivery: "delivered" }]);
    expect(await advance("sent")).toEqual([]);
    expect(await advance("read")).toMatchObject([{ delivery: "read" }]);
    expect(await advance("delivered")).toEqual([]);

    const theirs = message(2, "hi");
    await add(theirs);
    const moved = profile.db.transaction().execute((tx) => conversations.advance(tx, peer, [theirs.messageId], "read"));
    expect(await moved).toEqual([]);
  });

  test("is unread until it is read, and names the devices that want to know", async () => {
    const first = message(1, "one");
    await add(first);
    await add(message(2, "two", { mine: true, deviceId: null }));
    expect(await conversations.summary(peer)).toEqual({ unread: 1, lastActivityAt: 2, lastLine: "two" });
    const read = await profile.db.transaction().execute((tx) => conversations.markRead(tx, peer));
    expect(read).toEqual([{ messageId: first.messageId, deviceId }]);
    expect((await conversations.summary(peer)).unread).toBe(0);
    expect(await profile.db.transaction().execute((tx) => conversations.markRead(tx, peer))).toEqual([]);
  });
});

describe("a call's line", () => {
  const record = (change: Partial<CallRecord>): CallRecord => ({
    callId: newCallId(random),
    peer,
    direction: "incoming",
    reason: "no-answer",
    durationMs: null,
    endedAt: 60_000,
    ...change,
  });

  test("is written once, stands at the time of its first sound, and says how long it was", async () => {
    const call = record({ reason: "peer-hung-up", durationMs: 12_000 });
    expect(await conversations.addCall(call)).toMatchObject({
      kind: "call",
      at: 48_000,
      durationMs: 12_000,
      mine: false,
    });
    expect(await conversations.addCall(call)).toBeNull();
    expect((await conversations.page(peer, null, 10)).lines).toHaveLength(1);
  });

  test.each<[EndReason, Partial<CallRecord>, number]>([
    ["no-answer", {}, 1],
    ["gave-up", {}, 1],
    ["declined", {}, 0],
    ["answered-elsewhere", {}, 0],
    ["peer-hung-up", { durationMs: 5 }, 0],
    ["no-answer", { direction: "outgoing" }, 0],
  ])("that ended with %s (%o) counts as unread: %i", async (reason, change, unread) => {
    await conversations.addCall(record({ reason, ...change }));
    expect((await conversations.summary(peer)).unread).toBe(unread);
  });
});
