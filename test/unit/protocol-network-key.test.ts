import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { toHex } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import { encodeKeyLogHead, trustKeyLogHead } from "../../protocol/key-log.ts";
import { TIMES } from "../../protocol/limits.ts";
import {
  decodeSuccession,
  decodeSuccessions,
  encodeSuccessions,
  MAX_SUCCESSIONS,
  type ProvedSuccession,
  type Succession,
  signSuccession,
} from "../../protocol/network-key.ts";
import {
  endOf,
  firstChain,
  follow,
  isRetired,
  issuerAt,
  type NetworkKeyChain,
  restoreChain,
  signingSince,
} from "../../protocol/network-key-chain.ts";
import { NetworkTrust } from "../../protocol/network-trust.ts";
import { networkIdOf, nodeSignatures, type SigningKeyPair, signingKeyPair } from "../../protocol/node-crypto.ts";
import { type Signed, signBody } from "../../protocol/signed.ts";
import { FUZZ_TIMEOUT_MS, fuzz } from "../support/fuzzing.ts";

const NOW = Date.UTC(2026, 10, 1);
const DAY_MS = 24 * 3_600_000;
const keys = Array.from({ length: MAX_SUCCESSIONS + 2 }, (_, index) =>
  signingKeyPair(new Uint8Array(32).fill(index + 1)),
);
const [first, second, third, thief] = keys as [SigningKeyPair, SigningKeyPair, SigningKeyPair, SigningKeyPair];
const start = firstChain(first.publicKey);
const { networkId } = start;

function succession(
  old: SigningKeyPair,
  next: SigningKeyPair,
  change: Partial<Omit<Succession, "key">> = {},
): Signed<ProvedSuccession> {
  const from = change.from ?? NOW;
  const draft: Omit<Succession, "key"> = {
    networkId,
    number: keys.indexOf(next),
    from,
    until: change.reason === "stolen" ? from : from + 30 * DAY_MS,
    reason: "planned",
    ...change,
  };
  return decodeSuccession(signSuccession(draft, old, next));
}
const toSecond = succession(first, second);
const toThird = succession(second, third, { from: NOW + DAY_MS });
const stolenToSecond = succession(first, second, { reason: "stolen" });

function followed(known: NetworkKeyChain, offered: readonly Signed<ProvedSuccession>[], now = NOW): NetworkKeyChain {
  const result = follow(known, offered, now, null);
  if (result.kind !== "followed") throw new Error(`it was ${result.kind}`);
  return result.chain;
}
function refusal(act: () => unknown): string {
  try {
    act();
    return "taken";
  } catch (error) {
    return KithError.from(error).code;
  }
}

describe("a succession", () => {
  it("is read back as it was signed", () => {
    expect(toSecond.value).toMatchObject({ networkId, number: 1, key: second.publicKey, from: NOW, reason: "planned" });
    expect(decodeSuccessions(encodeSuccessions([toSecond, toThird])).map(({ bytes }) => toHex(bytes))).toEqual(
      [toSecond, toThird].map(({ bytes }) => toHex(bytes)),
    );
  });

  it("is refused once any bit of it is changed", () => {
    fc.assert(
      fc.property(fc.nat(toSecond.bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const changed = Uint8Array.from(toSecond.bytes);
        changed[at] = (changed[at] as number) ^ mask;
        expect(refusal(() => follow(start, decodeSuccessions(changed), NOW, null))).not.toBe("taken");
      }),
      { numRuns: 100 },
    );
  });

  it("is refused from a key that is not the network's, and for a key whose holder has not agreed", () => {
    expect(refusal(() => follow(start, [succession(thief, second)], NOW, null))).toBe("network-key-forged");
    const unwilling = succession(first, { publicKey: second.publicKey, secretKey: thief.secretKey }, { number: 1 });
    expect(refusal(() => follow(start, [unwilling], NOW, null))).toBe("network-key-forged");
  });

  it("is refused out of its place, of another network, overlapping too long, or dated ahead", () => {
    const wrong: Partial<Succession>[] = [
      { number: 2 },
      { networkId: networkIdOf(thief.publicKey) },
      { until: NOW + TIMES.maxNetworkKeyOverlapMs + 1 },
    ];
    for (const change of wrong) {
      expect(refusal(() => follow(start, [succession(first, second, change)], NOW, null))).toBe("network-key-forged");
    }
    const latest = NOW + TIMES.maxNetworkKeyNoticeMs + TIMES.maxClockSkewMs;
    expect(refusal(() => follow(start, [succession(first, second, { from: latest + 1 })], NOW, null))).toBe(
      "clock-skew",
    );
    expect(follow(start, [succession(first, second, { from: latest })], NOW, null).kind).toBe("followed");
  });

  it("never leads back to a key that there was", () => {
    const back = succession(second, first, { number: 2, from: NOW + 1 });
    expect(refusal(() => follow(start, [toSecond, back], NOW, null))).toBe("network-key-forged");
    const self = decodeSuccession(
      signSuccession({ ...toSecond.value, number: 1 }, first, { ...first, publicKey: first.publicKey }),
    );
    expect(refusal(() => follow(start, [self], NOW, null))).toBe("network-key-forged");
  });

  it("does not come in chains without end", () => {
    const long = keys.slice(1).map((key, index) => succession(keys[index] as SigningKeyPair, key));
    expect(refusal(() => decodeSuccessions(encodeSuccessions(long)))).toBe("too-large");
    expect(followed(start, long.slice(0, MAX_SUCCESSIONS)).successions).toHaveLength(MAX_SUCCESSIONS);
  });
});

test(
  "whatever arrives instead of successions is refused with a code, or was signed",
  () => {
    const seeds = [toSecond.bytes, encodeSuccessions([toSecond, toThird])];
    const genuine = [...seeds, new Uint8Array()].map((bytes) => toHex(bytes));
    const take = (input: Uint8Array) => follow(start, decodeSuccessions(input), NOW, null);
    const codes = ["malformed", "too-large", "network-key-forged", "clock-skew"];
    fuzz(seeds, take, (_, input) => expect(genuine).toContain(toHex(input)), codes);
  },
  FUZZ_TIMEOUT_MS,
);

describe("following the keys of a network", () => {
  it("ends at the same place however the news were cut up, and in whatever order they came", () => {
    const all = keys.slice(1, 8).map((key, index) => {
      return succession(keys[index] as SigningKeyPair, key, { from: NOW + index * DAY_MS });
    });
    const now = NOW + 7 * DAY_MS;
    fc.assert(
      fc.property(fc.array(fc.nat(all.length), { maxLength: 12 }), (lengths) => {
        const trust = new NetworkTrust(start, () => now);
        for (const length of [...lengths, all.length]) trust.take(encodeSuccessions(all.slice(0, length)));
        expect(trust.chain.successions.map(({ value }) => value.number)).toEqual(all.map(({ value }) => value.number));
      }),
    );
  });

  it("believes the one key whose time it was: two of them are good at a time at the most", () => {
    const chain = followed(start, [toSecond, toThird]);
    fc.assert(
      fc.property(fc.integer({ min: -5, max: 60 }), fc.integer({ min: -5, max: 60 }), (issuedDay, day) => {
        const [issuedAt, now] = [NOW + issuedDay * DAY_MS, NOW + day * DAY_MS];
        const good = [0, 1, 2].filter((place) => endOf(chain, place) > now);
        const inUse = good.filter((place) => place === 0 || now >= (chain.successions[place - 1]?.value.from ?? 0));
        expect(inUse.length).toBeLessThanOrEqual(2);
        expect(good).toContain(2);
        const place = issuedDay >= 1 ? 2 : issuedDay >= 0 ? 1 : 0;
        expect(isRetired(chain, issuedAt, now)).toBe(!good.includes(place));
        if (good.includes(place)) expect(issuerAt(chain, issuedAt, now)).toEqual(keys[place]?.publicKey);
        else expect(refusal(() => issuerAt(chain, issuedAt, now))).toBe("certificate-expired");
      }),
    );
    expect([NOW - 1, NOW, NOW + DAY_MS].map((now) => signingSince(chain, now))).toEqual([0, NOW, NOW + DAY_MS]);
  });

  it("goes on after an absence longer than the overlap, but not when an old backup could have been found", () => {
    const latest = toSecond.value.until + TIMES.networkKeyFollowMs;
    expect(follow(start, [toSecond], latest, null).kind).toBe("followed");
    const late = follow(start, [toSecond], latest + 1, null);
    expect(late).toMatchObject({ kind: "unconfirmed", chain: { successions: [] } });
    expect(follow(start, [toSecond], latest + 1, networkIdOf(second.publicKey)).kind).toBe("followed");
  });

  it("says when somebody shows less than is known", () => {
    const chain = followed(start, [toSecond]);
    expect(follow(chain, [], NOW, null)).toEqual({ kind: "behind" });
    expect(follow(chain, [toSecond], NOW, null)).toEqual({ kind: "same" });
  });

  it("raises the alarm at a second successor of one key, and keeps to the first", () => {
    const chain = followed(start, [toSecond]);
    const rival = succession(first, thief, { number: 1 });
    expect(follow(chain, [rival], NOW, null)).toEqual({ kind: "forked" });
    expect(follow(chain, [rival, succession(thief, third, { number: 2 })], NOW, null)).toEqual({ kind: "forked" });
    const stolen = succession(first, thief, { number: 1, reason: "stolen" });
    expect(follow(chain, [stolen], NOW, null)).toEqual({ kind: "forked" });
  });

  it("lets a person's word decide between two successors", () => {
    const deceived = followed(start, [succession(first, thief, { number: 1 })]);
    const result = follow(deceived, [stolenToSecond, toThird], NOW, networkIdOf(second.publicKey));
    expect(result).toMatchObject({ kind: "followed" });
    expect(followed(start, [toSecond]).successions).not.toEqual(deceived.successions);
    expect(follow(deceived, [stolenToSecond], NOW, networkIdOf(third.publicKey))).toEqual({ kind: "forked" });
  });
});

describe("a stolen key", () => {
  it("is believed no longer from the moment that this is known, and nothing follows it unasked", () => {
    const trust = new NetworkTrust(start, () => NOW);
    expect(trust.take(stolenToSecond.bytes)).toBe("unconfirmed");
    for (const issuedAt of [0, NOW - DAY_MS, NOW, NOW + DAY_MS]) {
      expect(refusal(() => issuerAt(trust.chain, issuedAt, NOW))).toBe("certificate-expired");
    }
    // Whoever has only the old key has nothing to say.
    expect(trust.take(new Uint8Array())).toBe("unconfirmed");
    expect(trust.take(succession(first, thief, { number: 1 }).bytes)).toBe("unconfirmed");
    expect(trust.take(toSecond.bytes)).toBe("unconfirmed");
    expect(trust.chain.successions).toEqual([]);
    // Others hear of it, and so does this one after a restart.
    const told = new NetworkTrust(start, () => NOW);
    expect(told.take(trust.bytes)).toBe("unconfirmed");
    const restarted = new NetworkTrust(restoreChain(first.publicKey, trust.bytes, true), () => NOW);
    expect(restarted.take(new Uint8Array())).toBe("unconfirmed");
    expect(toHex(restarted.bytes)).toBe(toHex(stolenToSecond.bytes));
  });

  it("is followed by the key that a person confirms, and by those that this one names", () => {
    const trust = new NetworkTrust(start, () => NOW);
    trust.take(stolenToSecond.bytes);
    trust.confirm(networkIdOf(second.publicKey));
    expect(trust.take(encodeSuccessions([stolenToSecond, toThird]))).toBe("followed");
    expect(issuerAt(trust.chain, NOW + 2 * DAY_MS, NOW)).toEqual(third.publicKey);
    expect(refusal(() => issuerAt(trust.chain, NOW - 1, NOW))).toBe("certificate-expired");
  });

  it("signs no head of the key log that anybody believes once its time is over, however it is dated", () => {
    const time = NOW + 40 * DAY_MS;
    const { anchor } = new NetworkTrust(followed(start, [toSecond]), () => time);
    const zeros = new Uint8Array(32);
    const head = (issuedAt: number, key: SigningKeyPair) => {
      const body = encodeKeyLogHead({ networkId, epoch: 7, issuedAt, root: zeros, previous: zeros, skip: zeros });
      return signBody(nodeSignatures, "keyLogHead", body, key.secretKey);
    };
    expect(refusal(() => trustKeyLogHead(anchor, head(NOW - 1, first)))).toBe("certificate-expired");
    expect(refusal(() => trustKeyLogHead(anchor, head(time, first)))).toBe("signature-invalid");
    expect(refusal(() => trustKeyLogHead(anchor, head(time, second)))).toBe("taken");
  });

  it("that was the one before the present ends with the next change", () => {
    const chain = followed(start, [toSecond, toThird]);
    expect(endOf(chain, 0)).toBe(NOW + DAY_MS);
    expect(endOf(chain, 1)).toBe(toThird.value.until);
  });
});
