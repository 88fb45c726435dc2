import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { KithError } from "../../protocol/errors.ts";
import { UserId } from "../../protocol/identifiers.ts";
import { LIMITS, TIMES } from "../../protocol/limits.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { signingKeyPair } from "../../protocol/node-crypto.ts";
import { dayOf, decodeProfile, profileEndsAt, profileKeys, trustProfile } from "../../protocol/profile.ts";
import { compareRanks, type Rank } from "../../protocol/profile-match.ts";
import { parseQuery, searchKey } from "../../protocol/search-term.ts";
import { mergePages, rankOf, trustPage } from "../../relay/search/holder-answers.ts";
import { loadProfiles, saveProfiles } from "../../relay/search/profile-file.ts";
import { ProfileStore } from "../../relay/search/profile-store.ts";
import { Allowances } from "../../relay/search/search-allowance.ts";
import { SearchCursors } from "../../relay/search/search-cursor.ts";
import { TestAuthority } from "../support/test-identities.ts";
import { type Person, person, signedProfile } from "../support/test-profiles.ts";

const keys = signingKeyPair();
const NOW = Date.UTC(2026, 10, 23, 12);
const authority = new TestAuthority(keys, () => NOW);
const anchor = trustAnchor(keys.publicKey, () => NOW);
const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return (error as KithError).code;
  }
  return "none";
};

function storeOf(people: readonly Person[], limits?: { maxProfiles: number; maxPerKey: number }): ProfileStore {
  const store = new ProfileStore(limits);
  for (const { profile } of people) store.put(profile);
  return store;
}

function search(store: ProfileStore, text: string, after: Rank | null = null, count: number = LIMITS.searchPageSize) {
  const query = parseQuery(text);
  return store.search(searchKey(query.terms[0] as string), query, after, count, NOW);
}

const handlesOf = (page: { found: readonly { handle: string }[] }) => page.found.map(({ handle }) => handle);

describe("a profile", () => {
  const alice = person(authority, "alice", "Alice Liddell", "Oxford");

  it("is believed with its own certificate and signature alone", () => {
    expect(trustProfile(anchor, alice.profile.bytes).value.texts?.displayName).toBe("Alice Liddell");
  });

  it("is refused with one bit changed, wherever it is", () => {
    const { bytes } = alice.profile;
    for (let place = 0; place < bytes.length; place++) {
      const spoilt = Uint8Array.from(bytes);
      spoilt[place] = (spoilt[place] as number) ^ 1;
      expect(codeOf(() => trustProfile(anchor, spoilt))).not.toBe("none");
    }
  });

  it("of another network, from the future, or outlived is refused", () => {
    const other = new TestAuthority(signingKeyPair(), () => NOW);
    expect(codeOf(() => trustProfile(anchor, person(other, "alice").profile.bytes))).toBe("certificate-forged");
    const tomorrow = signedProfile(alice.device, { issuedAt: dayOf(NOW) + 24 * 3_600_000 });
    expect(codeOf(() => trustProfile(anchor, tomorrow))).toBe("clock-skew");
    const old = signedProfile(alice.device, { issuedAt: dayOf(NOW - TIMES.profileValidityMs - 24 * 3_600_000) });
    expect(codeOf(() => trustProfile(anchor, old))).toBe("profile-stale");
  });

  it("with another's certificate is refused: nobody publishes under a handle that is not theirs", () => {
    const mallory = person(authority, "mallory");
    const stolen = signedProfile({ ...mallory.device, certificate: alice.device.certificate });
    expect(codeOf(() => trustProfile(anchor, stolen))).toBe("signature-invalid");
  });

  it("says of its time no more than the day, so that it tells nothing of presence", () => {
    expect(alice.profile.value.issuedAt).toBe(Date.UTC(2026, 10, 23));
    expect(codeOf(() => decodeProfile(signedProfile(alice.device, { issuedAt: NOW + 1 })))).toBe("malformed");
  });

  it("is remembered for 72 hours after any time at which its device may have been there", () => {
    const lastSeen = dayOf(NOW) + 24 * 3_600_000 + TIMES.leaseRefreshMs;
    expect(profileEndsAt(alice.profile.value)).toBeGreaterThanOrEqual(lastSeen + 72 * 3_600_000);
  });

  it.each([
    ["a line break", "Alice\nLiddell"],
    ["a control character", "Alice\u0007"],
    ["text that turns around what follows", "Alice\u202e"],
    ["a name that is too long", "A".repeat(65)],
  ])("with %s is refused", (_, displayName) => {
    const bytes = signedProfile(alice.device, { texts: { displayName, words: "" } });
    expect(codeOf(() => decodeProfile(bytes))).toBe("malformed");
  });

  it("larger than any is not even looked at", () => {
    expect(codeOf(() => decodeProfile(new Uint8Array(10_000)))).toBe("too-large");
  });
});

describe("a profile store", () => {
  const people = [
    person(authority, "anna", "Anna Kowalska", "Berlin"),
    person(authority, "annabel", "Annabel Lee"),
    person(authority, "bob", "Robert Anders"),
    person(authority, "carol", "王小明"),
  ];
  const store = storeOf(people);

  it("finds by beginnings of every word, best first", () => {
    expect(handlesOf(search(store, "ann"))).toEqual(["anna", "annabel"]);
    expect(handlesOf(search(store, "anna"))).toEqual(["anna", "annabel"]);
    expect(handlesOf(search(store, "an"))).toEqual(["anna", "annabel", "bob"]);
    expect(handlesOf(search(store, "anna berl"))).toEqual(["anna"]);
    expect(handlesOf(search(store, "小明"))).toEqual(["carol"]);
    expect(handlesOf(search(store, "zz"))).toEqual([]);
  });

  it("answers in pages that fit together and leave nobody out", () => {
    const crowd = Array.from({ length: 53 }, (_, index) => person(authority, `page${index + 10}`, "Anna"));
    const full = storeOf(crowd);
    const seen: string[] = [];
    let after: Rank | null = null;
    for (;;) {
      const page = search(full, "anna", after, 20);
      seen.push(...handlesOf(page));
      const last = page.found.at(-1);
      if (!page.more || !last) break;
      after = rankOf(parseQuery("anna"), decodeProfile(last.bytes));
    }
    expect(seen).toHaveLength(53);
    expect(new Set(seen).size).toBe(53);
  });

  it("keeps the newer of two profiles, and forgets the words of the older", () => {
    const dora = person(authority, "dora", "Dora Maar");
    const kept = storeOf([dora]);
    const formerKeys = profileKeys({ ...dora.profile.value, formerKeys: [] });
    const newer = decodeProfile(
      signedProfile(dora.device, { sequence: 2, texts: { displayName: "Theodora", words: "" }, formerKeys }),
    );
    expect(kept.put(newer)).toBe("stored");
    expect(kept.put(newer)).toBe("known");
    expect(kept.put(dora.profile)).toBe("stale");
    expect(handlesOf(search(kept, "maar"))).toEqual([]);
    expect(handlesOf(search(kept, "theodora"))).toEqual(["dora"]);
    expect(kept.size).toBe(1);
  });

  it("finds nobody who has withdrawn, and does not let an older profile come back", () => {
    const eve = person(authority, "eve", "Eve Adams");
    const kept = storeOf([eve]);
    const formerKeys = profileKeys(eve.profile.value);
    kept.put(decodeProfile(signedProfile(eve.device, { sequence: 2, texts: null, formerKeys })));
    expect(handlesOf(search(kept, "eve"))).toEqual([]);
    expect(kept.put(eve.profile)).toBe("stale");
    expect(handlesOf(search(kept, "adams"))).toEqual([]);
    // It can still be handed to new holders of every word that there was.
    expect(formerKeys.every((key) => [...kept.under(key)].length === 1)).toBe(true);
  });

  it("forgets what has lapsed, with all its places", () => {
    const kept = storeOf(people);
    expect(kept.expire(NOW)).toBe(0);
    expect(kept.expire(NOW + TIMES.profileValidityMs)).toBe(people.length);
    expect(kept.size).toBe(0);
    expect([...kept.keys()]).toEqual([]);
  });

  it("takes nobody new when it is full, but newer profiles of those who are there", () => {
    const kept = storeOf(people.slice(0, 2), { maxProfiles: 2, maxPerKey: 10 });
    expect(kept.put((people[2] as Person).profile)).toBe("full");
    expect(kept.put(decodeProfile(signedProfile((people[0] as Person).device, { sequence: 9 })))).toBe("stored");
  });

  it("says that it is cut where too many begin alike, and still finds them all by longer beginnings", () => {
    const crowd = Array.from({ length: 30 }, (_, index) => person(authority, `u${index + 10}`, `Ann${index + 10}`));
    const kept = storeOf(crowd, { maxProfiles: 100, maxPerKey: 20 });
    const page = search(kept, "ann", null, 100);
    expect(page.isCut).toBe(true);
    expect(page.found).toHaveLength(20);
    for (let index = 10; index < 40; index++) {
      const exact = search(kept, `u${index}`);
      expect(handlesOf(exact)).toEqual([`u${index}`]);
      expect(exact.isCut).toBe(false);
    }
  });

  it("keeps the same people as every other, in whatever order they came", () => {
    const crowd = Array.from({ length: 30 }, (_, index) => person(authority, `v${index + 10}`, "Ann"));
    const [one, other] = [crowd, crowd.toReversed()].map((order) => storeOf(order, { maxProfiles: 100, maxPerKey: 7 }));
    expect(handlesOf(search(one as ProfileStore, "ann"))).toEqual(handlesOf(search(other as ProfileStore, "ann")));
  });
});

describe("the profiles' file", () => {
  it("gives back what was saved, skips what is damaged, and takes no other file for its own", async () => {
    const folder = mkdtempSync(join(tmpdir(), "kith-profiles-"));
    try {
      const path = join(folder, "profiles");
      const read = async () => {
        const handles: string[] = [];
        for await (const { value } of loadProfiles(path)) handles.push(value.handle);
        return handles;
      };
      expect(await read()).toEqual([]);
      const saved = Array.from({ length: 40 }, (_, index) => person(authority, `saved${index}`).profile);
      await saveProfiles(path, saved);
      expect(await read()).toEqual(saved.map(({ value }) => value.handle));
      const bytes = Buffer.concat([Buffer.from("kith profiles 1\n"), Buffer.from([0, 3, 1, 2, 3, 0xff, 0xff, 1])]);
      writeFileSync(path, bytes);
      expect(await read()).toEqual([]);
      writeFileSync(path, "something else");
      expect(await read()).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("allowances", () => {
  it("allow a burst, then a rate, and say how long to wait", () => {
    let now = 0;
    const allowances = new Allowances<string>({ burst: 3, perMinute: 6 }, () => now);
    for (let count = 0; count < 3; count++) allowances.spend("alice");
    expect(() => allowances.spend("alice")).toThrow(
      expect.objectContaining({ code: "rate-limited", details: { seconds: 10 } }),
    );
    allowances.spend("bob");
    now += 10_000;
    allowances.spend("alice");
    expect(codeOf(() => allowances.spend("alice"))).toBe("rate-limited");
    now += 60_000;
    allowances.sweep();
    expect(allowances.size).toBe(0);
  });
});

describe("a cursor", () => {
  const cursors = new SearchCursors(new Uint8Array(32).fill(3));
  const [alice, bob] = [person(authority, "alice").device.userId, person(authority, "bob").device.userId];
  const place = { after: { score: 3, handle: person(authority, "carl").profile.value.handle, userId: bob }, shown: 20 };

  it("is opened again for the same asker and query alone", () => {
    const cursor = cursors.seal(alice, "anna", place);
    expect(cursors.open(alice, "anna", cursor)).toEqual(place);
    expect(codeOf(() => cursors.open(bob, "anna", cursor))).toBe("search-expired");
    expect(codeOf(() => cursors.open(alice, "ann", cursor))).toBe("search-expired");
    expect(codeOf(() => new SearchCursors(new Uint8Array(32)).open(alice, "anna", cursor))).toBe("search-expired");
  });

  it("cannot be made up", () => {
    const body = Buffer.from(JSON.stringify(place)).toString("base64url");
    for (const forged of ["", "x", body, "A".repeat(22) + body, "\u0000\uffff"]) {
      expect(codeOf(() => cursors.open(alice, "anna", forged))).toBe("search-expired");
    }
    const cursor = Buffer.from(cursors.seal(alice, "anna", place), "base64url");
    for (let at = 0; at < cursor.length; at++) {
      const spoilt = Buffer.from(cursor);
      spoilt[at] = (spoilt[at] as number) ^ 1;
      expect(codeOf(() => cursors.open(alice, "anna", spoilt.toString("base64url")))).toBe("search-expired");
    }
  });
});

describe("pages of two holders", () => {
  const query = parseQuery("anna");
  const people = Array.from({ length: 6 }, (_, index) => person(authority, `merge${index}`, "Anna"));
  const answer = (chosen: readonly Person[], more = false) => ({
    profiles: chosen.map(({ profile }) => profile.bytes),
    more,
    isCut: false,
  });
  const [first, second] = [UserId.parse("1".repeat(40)), UserId.parse("2".repeat(40))] as unknown as never[];
  const page = (holder: never, chosen: readonly Person[], more = false) =>
    trustPage(anchor, query, null, holder, answer(chosen, more));

  it("are one, in order, each person once", () => {
    const merged = mergePages([page(first as never, people.slice(0, 4)), page(second as never, people.slice(2))], 20);
    expect(merged.found.map(({ rank }) => rank.handle)).toEqual(people.map(({ profile }) => profile.value.handle));
  });

  it("dispute whom the one has although the other's page goes that far", () => {
    const [a, b, c, d] = people as [Person, Person, Person, Person];
    const merged = mergePages([page(first as never, [a, b, c, d]), page(second as never, [a, c], true)], 20);
    expect([...merged.disputed]).toEqual([[b.device.userId, second]]);
  });

  it.each([
    ["what does not match", [person(authority, "zoe", "Zoe")]],
    ["somebody twice", [people[0], people[0]] as Person[]],
    ["people out of order", [people[1], people[0]] as Person[]],
  ])("with %s are not believed", (_, chosen) => {
    expect(codeOf(() => page(first as never, chosen))).toBe("signature-invalid");
  });

  it("with a withdrawn profile are not believed", () => {
    const [a] = people as [Person];
    const bytes = signedProfile(a.device, { sequence: 2, texts: null });
    const told = { profiles: [bytes], more: false, isCut: false };
    expect(codeOf(() => trustPage(anchor, query, null, first as never, told))).toBe("signature-invalid");
  });

  it("that begin before the place that was asked for are not believed", () => {
    const [a, b] = people as [Person, Person];
    const after = rankOf(query, b.profile) as Rank;
    expect(compareRanks(rankOf(query, a.profile) as Rank, after)).toBeLessThan(0);
    expect(codeOf(() => trustPage(anchor, query, after, first as never, answer([a])))).toBe("signature-invalid");
  });
});
