import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import { Handle } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { holdersOf } from "../../protocol/placement.ts";
import { decodeProfile, type ProfileTexts, profileKeys } from "../../protocol/profile.ts";
import type { Output } from "../../protocol/rpc.ts";
import type { SEARCH_NODE_METHODS } from "../../protocol/search-api.ts";
import { parseQuery, searchKey } from "../../protocol/search-term.ts";
import { joinRaw } from "../support/hostile-supernode.ts";
import { TestNode } from "../support/node-api-client.ts";
import { TestNetwork, type TestSupernode } from "../support/test-network.ts";
import { person, signedProfile } from "../support/test-profiles.ts";
import { until } from "../support/until.ts";

const QUICK = { settleMs: 50, republishMs: 500, retryMs: 100 };
const GENEROUS = { perUser: { burst: 1e6, perMinute: 1e6 }, publishing: { burst: 1e6, perMinute: 1e6 } };
/** More than a word beginning has holders, so that not every supernode has everything. */
const SUPERNODES = 9;

type SearchAnswer = Output<(typeof SEARCH_NODE_METHODS)["search"]>;

const refusal = (promise: Promise<unknown>): Promise<KithError> =>
  promise.then(
    () => {
      throw new Error("not refused");
    },
    (error: unknown) => KithError.from(error),
  );

/** A node with a profile of its own. */
class Publisher {
  readonly node: TestNode;
  readonly #handle: Handle;
  #sequence = 0;
  #texts: ProfileTexts | null = null;

  private constructor(node: TestNode, handle: Handle) {
    this.node = node;
    this.#handle = handle;
  }

  static async at(network: TestNetwork, index: number, handle: string): Promise<Publisher> {
    const parsed = Handle.parse(handle);
    return new Publisher(
      await TestNode.online(network.at(index), network.authority.device({ handle: parsed })),
      parsed,
    );
  }

  /** @param texts null withdraws the profile */
  sign(texts: ProfileTexts | null): Uint8Array {
    const formerKeys = this.#texts ? profileKeys({ handle: this.#handle, texts: this.#texts, formerKeys: [] }) : [];
    this.#texts = texts;
    const own = texts ? profileKeys({ handle: this.#handle, texts, formerKeys: [] }) : [];
    const former = formerKeys.filter((key) => !own.includes(key));
    return signedProfile(this.node.device, { sequence: ++this.#sequence, texts, formerKeys: former });
  }

  async publish(displayName: string, words = ""): Promise<void> {
    await this.node.call("publishProfile", { profile: this.sign({ displayName, words }) });
  }

  async withdraw(): Promise<void> {
    await this.node.call("publishProfile", { profile: this.sign(null) });
  }
}

async function handles(node: TestNode, text: string): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | null = null;
  for (;;) {
    const page: SearchAnswer = await node.call("search", { text, cursor });
    found.push(...page.profiles.map((bytes) => decodeProfile(bytes).value.handle));
    cursor = page.cursor;
    if (cursor === null) return found;
  }
}

describe("searching people", () => {
  let network: TestNetwork;
  let searcher: TestNode;

  beforeAll(async () => {
    network = await TestNetwork.start(SUPERNODES, { search: { times: QUICK, limits: GENEROUS } });
    searcher = await TestNode.online(network.at(0), network.authority.device());
  });
  afterAll(async () => {
    searcher.close();
    await network.close();
  });

  it("finds them from any supernode, by the beginnings of any of their words", async () => {
    const alice = await Publisher.at(network, 1, "liddell.a");
    await alice.publish("Álice Pleasance", "Oxford, Wunderland");
    for (const index of [0, 4, 8]) {
      const node = await TestNode.attach(network.at(index), network.authority.device());
      expect(await handles(node, "alice")).toEqual(["liddell.a"]);
      node.close();
    }
    for (const text of ["lid", "ＬＩＤＤＥＬＬ", "pleas al", "wunder", "OXFORD lidd"]) {
      expect(await handles(searcher, text)).toEqual(["liddell.a"]);
    }
    expect(await handles(searcher, "alice b")).toEqual([]);
    expect(await handles(searcher, "easance")).toEqual([]);
    alice.node.close();
  });

  it("is complete: everybody with the word is found, each once, page after page", async () => {
    const crowd = await Promise.all(
      Array.from({ length: 25 }, async (_, index) => {
        const one = await Publisher.at(network, index % 2, `crowd${index + 10}`);
        await one.publish("Wilhelmina");
        one.node.close();
        return `crowd${index + 10}`;
      }),
    );
    expect((await handles(searcher, "wilhelm")).toSorted()).toEqual(crowd.toSorted());
  });

  it("finds those who have gone offline, and those who have never been seen online", async () => {
    const bob = await Publisher.at(network, 0, "quentin");
    await bob.publish("Quentin");
    await bob.node.register({ validityMs: 0 });
    expect(await handles(searcher, "quentin")).toEqual(["quentin"]);
    await bob.node.call("detach", {});
    expect(await handles(searcher, "quentin")).toEqual(["quentin"]);
  });

  it("no longer finds who has other words now, nor who has withdrawn", async () => {
    const carol = await Publisher.at(network, 1, "carol.k");
    await carol.publish("Karolina Nowak");
    expect(await handles(searcher, "nowak")).toEqual(["carol.k"]);
    await carol.publish("Karolina Kowalska");
    expect(await handles(searcher, "nowak")).toEqual([]);
    expect(await handles(searcher, "karolina")).toEqual(["carol.k"]);
    await carol.withdraw();
    for (const text of ["karolina", "kowalska", "carol"]) expect(await handles(searcher, text)).toEqual([]);
    carol.node.close();
  });

  it("gives every device of an account the profile that another of them has published", async () => {
    const dave = await Publisher.at(network, 1, "dave");
    expect((await dave.node.call("ownProfile", {})).profile).toBeNull();
    await dave.publish("David");
    const { profile } = await dave.node.call("ownProfile", {});
    expect(decodeProfile(profile as Uint8Array).value.texts?.displayName).toBe("David");
    dave.node.close();
  });

  it("refuses a profile of another user, a forged one and one that is too large", async () => {
    const [eve, frank] = [await Publisher.at(network, 0, "evelyn"), await Publisher.at(network, 0, "franklin")];
    const franks = frank.sign({ displayName: "Franklin", words: "" });
    const publish = (profile: Uint8Array) => refusal(eve.node.call("publishProfile", { profile }));
    expect((await publish(franks)).code).toBe("profile-refused");
    const forged = Uint8Array.from(eve.sign({ displayName: "Evelyn", words: "" }));
    forged[100] = (forged[100] as number) ^ 1;
    expect((await publish(forged)).code).toBe("certificate-forged");
    expect((await publish(new Uint8Array(20_000))).code).toBe("too-large");
    expect(await handles(searcher, "evelyn")).toEqual([]);
    expect(await handles(searcher, "franklin")).toEqual([]);
    eve.node.close();
    frank.node.close();
  });

  it.each([
    ["nothing", "", "search-too-short"],
    ["blanks", "   ", "search-too-short"],
    ["one letter", "a", "search-too-short"],
    ["wildcards", "** %", "search-too-short"],
    ["ten kilobytes of text", "a".repeat(10_000), "too-large"],
  ])("for %s is refused with a code", async (_, text, code) => {
    expect((await refusal(searcher.call("search", { text, cursor: null }))).code).toBe(code);
  });

  it("does not begin at a place that nobody was given", async () => {
    expect((await refusal(searcher.call("search", { text: "anna", cursor: "A".repeat(60) }))).code).toBe(
      "search-expired",
    );
  });

  it("goes on when holders die, and a newcomer gets its share, of people who are offline too", async () => {
    const options = { search: { times: QUICK, limits: GENEROUS } };
    const lost = await TestNetwork.start(9, options);
    try {
      const names = Array.from({ length: 5 }, (_, index) => `${"abcde"[index]}xavier`);
      for (const name of names) {
        const one = await Publisher.at(lost, 0, name);
        await one.publish("Xaverius");
        one.node.close();
      }
      const newcomer = await lost.add(options);
      await lost.acquainted();
      const link = await joinRaw(lost, newcomer.certificate);
      for (const name of ["xaverius", ...names]) {
        const ids = lost.supernodes.map(({ supernodeId }) => supernodeId);
        const term = parseQuery(name).terms[0] as string;
        if (!holdersOf(searchKey(term), ids).includes(newcomer.supernodeId)) continue;
        await until(async () => {
          const { profiles } = await link.call("searchProfiles", { text: name, term: 0, after: null });
          return profiles.length === (name === "xaverius" ? names.length : 1);
        });
      }
      link.socket.disconnect();

      const ids = lost.supernodes.map(({ supernodeId }) => supernodeId);
      const victims = holdersOf(searchKey("xaveri"), ids).slice(0, 4);
      const [dead, alive] = [true, false].map((isDead) =>
        lost.supernodes.filter(({ supernodeId }) => victims.includes(supernodeId) === isDead),
      ) as [TestSupernode[], TestSupernode[]];
      await Promise.all(dead.map((one) => one.close()));
      const asker = await TestNode.attach((alive[0] as TestSupernode).certificate, lost.authority.device());
      await until(async () => (await handles(asker, "xaverius")).length === names.length);
      asker.close();
    } finally {
      await lost.close();
    }
  });

  it("is limited for each user, and for each supernode at the holder, and says when to try again", async () => {
    const strict = await TestNetwork.start(2, {
      search: {
        times: QUICK,
        limits: {
          perUser: { burst: 3, perMinute: 1 },
          perSupernode: { burst: 5, perMinute: 1 },
          publishing: { burst: 2, perMinute: 1 },
        },
      },
    });
    try {
      const harvester = await Publisher.at(strict, 0, "harvester");
      for (let count = 0; count < 3; count++) await handles(harvester.node, "anna");
      const refused = await refusal(harvester.node.call("search", { text: "anna", cursor: null }));
      expect(refused.code).toBe("rate-limited");
      expect(refused.details.seconds).toBeGreaterThan(30);
      // Of another device of the account too: the user is what is counted, not the socket.
      harvester.node.close();
      const again = await TestNode.attach(strict.at(0), harvester.node.device);
      expect((await refusal(again.call("search", { text: "anna", cursor: null }))).code).toBe("rate-limited");
      again.close();

      const link = await joinRaw(strict, strict.at(1));
      const ask = () => link.call("searchProfiles", { text: "anna", term: 0, after: null });
      for (let count = 0; count < 5; count++) await ask();
      expect((await refusal(ask())).code).toBe("rate-limited");
      link.socket.disconnect();

      const eager = await Publisher.at(strict, 0, "eager");
      for (let count = 0; count < 2; count++) await eager.publish(`Eager ${count}`);
      expect((await refusal(eager.publish("Eager"))).code).toBe("rate-limited");
      eager.node.close();
    } finally {
      await strict.close();
    }
  });

  it("shows at most so many, says that there are more, and finds them still after a restart of all supernodes", async () => {
    const alone = await TestNetwork.start(1, { search: { times: QUICK, limits: GENEROUS } });
    try {
      const other = await joinRaw(alone, alone.at(0));
      for (let index = 0; index < LIMITS.maxSearchResults + 5; index++) {
        await other.call("storeProfile", {
          profile: person(alone.authority, `many${index + 100}`, "Yolanda").profile.bytes,
        });
      }
      other.socket.disconnect();
      const first = await TestNode.attach(alone.at(0), alone.authority.device());
      expect(await handles(first, "yolanda")).toHaveLength(LIMITS.maxSearchResults);
      const exact = await first.call("search", { text: "yolanda many103", cursor: null });
      expect(exact.profiles).toHaveLength(1);
      expect(exact.isCut).toBe(false);
      first.close();
      const [before] = alone.supernodes;
      const gina = await Publisher.at(alone, 0, "gina");
      await gina.publish("Regina");
      gina.node.close();
      await before?.close();
      alone.supernodes.splice(0);
      await alone.add({ dataFolder: before?.dataFolder as string, search: { limits: GENEROUS } });
      const asker = await TestNode.attach(alone.at(0), alone.authority.device());
      await until(async () => (await handles(asker, "regina")).length === 1);
      await until(async () => (await handles(asker, "yolanda")).length === LIMITS.maxSearchResults);
      asker.close();
    } finally {
      await alone.close();
    }
  });
});
