import nacl from "tweetnacl";
import { beforeEach, describe, expect, test } from "vitest";
import { appSignatures } from "../../main/account/account-keys.ts";
import { newMessageId } from "../../main/core/randomness.ts";
import { envelopeIdFor } from "../../main/messages/envelopes.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope } from "../../protocol/envelope.ts";
import { LIMITS, TIMES } from "../../protocol/limits.ts";
import { encodePayload, type PayloadHeader } from "../../protocol/payload.ts";
import { signBody } from "../../protocol/signed.ts";
import { ManualClock, random, TestAccount } from "../support/test-account.ts";

let clock: ManualClock;
let alice: TestAccount;
let bob: TestAccount;
let mallory: TestAccount;
let chat: PayloadHeader;

beforeEach(() => {
  clock = new ManualClock();
  alice = new TestAccount(clock);
  bob = new TestAccount(clock);
  mallory = new TestAccount(clock);
  alice.believe(bob);
  bob.believe(alice);
  chat = { type: "chat", messageId: newMessageId(random), text: "Hello", sentAt: 1, sequence: 1 };
});

const seal = () => alice.envelopes.seal(newMessageId(random), bob.address, chat);
const refused = (why: string) => expect.objectContaining({ code: "envelope-refused", details: { why } });

/** An envelope as Alice would send it, but for what is changed; signed by whoever `signer` is. */
function forged(change: Partial<Envelope>, signer = alice): Uint8Array {
  const nonce = random(24);
  const sealed = nacl.box(encodePayload(chat), nonce, bob.keys.box.publicKey, alice.keys.box.secretKey);
  const body = encodeEnvelope({
    id: newMessageId(random),
    sender: alice.address,
    recipient: bob.address,
    sentAt: clock.now(),
    nonce,
    sealed,
    ...change,
  });
  return signBody(appSignatures, "envelope", body, signer.keys.sign.secretKey);
}

test("what was sealed to a device opens there, with who sent it and when", () => {
  const id = newMessageId(random);
  const bytes = random(1_000);
  const envelope = alice.envelopes.seal(id, bob.address, chat, bytes);
  expect(bob.envelopes.open(alice.address, envelope)).toEqual({
    id,
    sender: alice.address,
    sentAt: clock.now(),
    header: chat,
    bytes,
  });
});

test("neither the text nor the sender's secret keys can be read from it", () => {
  const envelope = Buffer.from(seal());
  expect(envelope.includes("Hello")).toBe(false);
  expect(envelope.includes(Buffer.from(alice.keys.signSeed))).toBe(false);
});

describe("an envelope is refused", () => {
  test("when any of its bytes was altered", () => {
    const envelope = seal();
    for (let index = 0; index < envelope.length; index += 3) {
      const altered = Uint8Array.from(envelope);
      altered[index] = (altered[index] ?? 0) ^ 1;
      expect(() => bob.envelopes.open(alice.address, altered), `byte ${index}`).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(envelope-refused|malformed)$/) }),
      );
    }
  });

  test("when the supernode says that somebody else has brought it", () => {
    expect(() => bob.envelopes.open(mallory.address, seal())).toThrow(
      refused("another sender than the one who brought it"),
    );
    const otherDevice = { ...alice.address, deviceId: mallory.address.deviceId };
    expect(() => bob.envelopes.open(otherDevice, seal())).toThrow(
      refused("another sender than the one who brought it"),
    );
  });

  test("when it is addressed to another person or another device", () => {
    for (const recipient of [mallory.address, { ...bob.address, deviceId: mallory.address.deviceId }]) {
      expect(() => bob.envelopes.open(alice.address, forged({ recipient }))).toThrow(
        refused("addressed to somebody else"),
      );
    }
    // Passed on as it is: what Alice sent to Bob, brought to Mallory, who is Alice's buddy too.
    mallory.believe(alice);
    expect(() => mallory.envelopes.open(alice.address, seal())).toThrow(refused("addressed to somebody else"));
  });

  test("when another key signed it than the pinned one", () => {
    expect(() => bob.envelopes.open(alice.address, forged({}, mallory))).toThrow(refused("not signed by its sender"));
    bob.believe(alice, { ...alice.publicKeys, signKey: mallory.keys.sign.publicKey });
    expect(() => bob.envelopes.open(alice.address, seal())).toThrow(refused("not signed by its sender"));
  });

  test("when it comes from a stranger, or from this very device", () => {
    mallory.believe(bob);
    const stranger = mallory.envelopes.seal(newMessageId(random), bob.address, chat);
    expect(() => bob.envelopes.open(mallory.address, stranger)).toThrow(refused("not from a buddy"));
    bob.believe(bob);
    const own = bob.envelopes.seal(newMessageId(random), bob.address, chat);
    expect(() => bob.envelopes.open(bob.address, own)).toThrow(refused("from this very device"));
  });

  test("when what it holds was sealed to somebody else and signed anew", () => {
    const nonce = random(24);
    const sealed = nacl.box(encodePayload(chat), nonce, mallory.keys.box.publicKey, alice.keys.box.secretKey);
    expect(() => bob.envelopes.open(alice.address, forged({ nonce, sealed }))).toThrow(
      refused("sealed to somebody else"),
    );
  });

  test("when it is older than the memory of replays, or from the future beyond what clocks differ", () => {
    const open = (sentAt: number) => bob.envelopes.open(alice.address, forged({ sentAt }));
    expect(() => open(clock.now() - TIMES.envelopeMaxAgeMs - 1)).toThrow(refused("too old"));
    expect(() => open(clock.now() + TIMES.maxClockSkewMs + 1)).toThrow(refused("from the future"));
    expect(open(clock.now() - TIMES.envelopeMaxAgeMs).header).toEqual(chat);
    expect(open(clock.now() + TIMES.maxClockSkewMs).header).toEqual(chat);
  });
});

test("nothing is sealed to somebody who is no buddy", () => {
  expect(() => alice.envelopes.seal(newMessageId(random), mallory.address, chat)).toThrow(
    expect.objectContaining({ code: "not-a-buddy" }),
  );
});

test("keys that are pinned anew are used from then on", () => {
  seal();
  alice.believe(bob, { ...bob.publicKeys, boxKey: mallory.keys.box.publicKey });
  expect(() => bob.envelopes.open(alice.address, seal())).toThrow(refused("sealed to somebody else"));
});

test("a whole chunk of a voice message fits one envelope", () => {
  const header: PayloadHeader = {
    type: "voice",
    messageId: newMessageId(random),
    sentAt: Date.now(),
    sequence: Date.now(),
    durationMs: LIMITS.maxVoiceMessageMs,
    index: 49,
    count: 50,
  };
  const envelope = alice.envelopes.seal(newMessageId(random), bob.address, header, random(LIMITS.maxChunkBytes));
  expect(decodeEnvelope(envelope).bytes.length).toBeLessThanOrEqual(LIMITS.maxEnvelopeBytes);
});

test("a message's envelope has one ID per device and chunk, the same at every retry", () => {
  const messageId = newMessageId(random);
  const ids = [
    envelopeIdFor(messageId, alice.address, bob.address, 0),
    envelopeIdFor(messageId, alice.address, bob.address, 1),
    envelopeIdFor(messageId, alice.address, mallory.address, 0),
    envelopeIdFor(messageId, mallory.address, bob.address, 0),
    envelopeIdFor(newMessageId(random), alice.address, bob.address, 0),
  ];
  expect(new Set(ids).size).toBe(ids.length);
  expect(envelopeIdFor(messageId, alice.address, bob.address, 0)).toBe(ids[0]);
});
