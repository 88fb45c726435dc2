/** One hostile supernode among honest ones, in the place where it is asked first; whatever it does, people see what is so. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import { Handle, type SupernodeId, type UserId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { holdersOf, type Placed } from "../../protocol/placement.ts";
import { decodeProfile, profileKeys } from "../../protocol/profile.ts";
import { parseQuery, searchKey } from "../../protocol/search-term.ts";
import type { LinkHandlers } from "../../relay/links/link-peer.ts";
import { type HostileSupernode, startHostileSupernode } from "../support/hostile-supernode.ts";
import { inShort, TestNode } from "../support/node-api-client.ts";
import type { TestDevice } from "../support/test-identities.ts";
import { TestNetwork } from "../support/test-network.ts";
import { signedProfile } from "../support/test-profiles.ts";
import { until } from "../support/until.ts";

/** As many as a record has holders, so that with the hostile one there is one more, where people ask from. */
const HONEST = 8;
const FORGIVEN_MS = 200;

/** What it was told of the one whom the test is about, to be served again or spoilt. */
interface Told {
  oldLease: Uint8Array;
  lease: Uint8Array;
  oldProfile: Uint8Array;
  profile: Uint8Array;
}

/** The signature is no longer that of what it stands under. */
function spoilt(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length - 1] = (copy[copy.length - 1] as number) ^ 1;
  return copy;
}

const CROWD = 2_000;
const record = (lease: Uint8Array) => ({ lease, gone: false, lastSeenAt: Date.now() });
const page = (profiles: Uint8Array[]) => ({ profiles, more: false, isCut: false });
const refuse = () => {
  throw new KithError("rate-limited", { seconds: 1 });
};
/** Longer than a look-up waits before it asks the next one, and than `watch` waits for its answer. */
const LATE_MS = 1_600;
const late = <T>(value: T) => new Promise<T>((resolve) => setTimeout(() => resolve(value), LATE_MS));
const TOO_LARGE = new Uint8Array(2 * LIMITS.maxFrameBytes);
const never = () => new Promise<never>(() => undefined);

const BEHAVIOURS: Record<string, (told: Told) => Partial<LinkHandlers>> = {
  "drops what it is told and knows nobody": () => ({}),
  "serves what was true before": ({ oldLease, oldProfile }) => ({
    find: () => ({ records: [record(oldLease)] }),
    watchLeases(peer, { add }) {
      for (const userId of add) peer.push({ name: "leaseChanged", value: { userId, ...record(oldLease) } });
      return {};
    },
    searchProfiles: () => page([oldProfile]),
    knownProfiles: () => ({ profiles: [oldProfile] }),
  }),
  "serves what nobody has signed": ({ lease, profile }) => ({
    find: () => ({ records: [record(spoilt(lease))] }),
    watchLeases(peer, { add }) {
      for (const userId of add) peer.push({ name: "leaseChanged", value: { userId, ...record(spoilt(lease)) } });
      return {};
    },
    searchProfiles: () => page([spoilt(profile)]),
    knownProfiles: () => ({ profiles: [spoilt(profile)] }),
  }),
  "refuses every question": () => ({
    find: refuse,
    watchLeases: refuse,
    searchProfiles: refuse,
    knownProfiles: refuse,
    store: refuse,
    storeProfile: refuse,
  }),
  "never answers": () => ({
    find: never,
    watchLeases: never,
    searchProfiles: never,
    knownProfiles: never,
    store: never,
    storeProfile: never,
  }),
  "answers late, and with what was true before": ({ oldLease, oldProfile }) => ({
    find: () => late({ records: [record(oldLease)] }),
    async watchLeases(peer, { add }) {
      await late({});
      for (const userId of add) peer.push({ name: "leaseChanged", value: { userId, ...record(oldLease) } });
      return {};
    },
    searchProfiles: () => late(page([oldProfile])),
    knownProfiles: () => late({ profiles: [oldProfile] }),
  }),
  "answers with more than a frame holds": () => ({
    find: () => ({ records: [record(TOO_LARGE)] }),
    watchLeases(peer, { add }) {
      for (const userId of add) peer.push({ name: "leaseChanged", value: { userId, ...record(TOO_LARGE) } });
      return {};
    },
    searchProfiles: () => page([TOO_LARGE]),
    knownProfiles: () => ({ profiles: [TOO_LARGE] }),
  }),
  "answers with floods": ({ lease, profile }) => ({
    find: () => ({ records: Array.from({ length: CROWD / 20 }, () => record(lease)) }),
    watchLeases(peer, { add }) {
      for (let count = 0; count < CROWD; count++) {
        for (const userId of add) peer.push({ name: "leaseChanged", value: { userId, ...record(spoilt(lease)) } });
      }
      return {};
    },
    searchProfiles: () => page(Array.from({ length: CROWD / 20 }, () => profile)),
    knownProfiles: () => ({ profiles: Array.from({ length: CROWD / 20 }, () => profile) }),
  }),
};

describe("a hostile supernode", () => {
  let network: TestNetwork;
  let hostile: HostileSupernode;
  let lies: Partial<LinkHandlers> = {};
  let asked: string[] = [];
  let statusPage = "";
  const cleanUps: (() => void)[] = [];

  const options = {
    times: { distrustMs: FORGIVEN_MS, doubtMs: FORGIVEN_MS, slownessMs: FORGIVEN_MS, linkRequestMs: 3_000 },
    search: { limits: { perUser: { burst: 1e6, perMinute: 1e6 }, publishing: { burst: 1e6, perMinute: 1e6 } } },
  };

  beforeAll(async () => {
    network = await TestNetwork.start(0);
    // People ask from here.
    const first = await network.add({ ...options, status: { host: "127.0.0.1", port: 0 } });
    statusPage = first.statusUrl ?? "";
    for (let count = 1; count < HONEST; count++) await network.add(options);
    await network.acquainted();
    /** Counts, and does what the test wants. */
    const lying = <K extends keyof LinkHandlers>(name: K, honest: LinkHandlers[K]): LinkHandlers[K] =>
      ((peer: never, input: never) => {
        asked.push(name);
        return (
          (lies[name] as ((peer: never, input: never) => unknown) | undefined)?.(peer, input) ?? honest(peer, input)
        );
      }) as LinkHandlers[K];
    hostile = await startHostileSupernode(network, {
      find: lying("find", () => ({ records: [] })),
      watchLeases: lying("watchLeases", () => ({})),
      searchProfiles: lying("searchProfiles", () => page([])),
      knownProfiles: lying("knownProfiles", () => ({ profiles: [] })),
      store: lying("store", () => ({})),
      storeProfile: lying("storeProfile", () => ({})),
    });
    await until(() => network.supernodes.every((one) => one.members().includes(hostile.certificate.supernodeId)));
  });
  beforeEach(async () => {
    lies = {};
    asked = [];
    await new Promise((resolve) => setTimeout(resolve, FORGIVEN_MS));
  });
  afterEach(() => {
    for (const cleanUp of cleanUps.splice(0)) cleanUp();
  });
  afterAll(async () => {
    await hostile?.close();
    await network?.close();
  });

  const everybody = (): SupernodeId[] => [
    ...network.supernodes.map(({ supernodeId }) => supernodeId),
    hostile.certificate.supernodeId,
  ];
  /** The hostile one is asked before the others, and where people ask from is no holder. */
  const isItsPlace = (placed: Placed): boolean => {
    const holders = holdersOf(placed, everybody());
    return holders[0] === hostile.certificate.supernodeId && !holders.includes(network.at(0).supernodeId);
  };
  const somebody = (choices: Parameters<TestNetwork["authority"]["device"]>[0] = {}): TestDevice => {
    for (;;) {
      const device = network.authority.device(choices);
      if (isItsPlace(device.userId)) return device;
    }
  };
  const placedName = (): string => {
    for (let number = 0; ; number++) {
      const name = `n${Math.floor(Math.random() * 36 ** 4).toString(36)}${number}`;
      if (isItsPlace(searchKey(parseQuery(name).terms[0] as string))) return name;
    }
  };
  const online = async (index: number, device: TestDevice) => {
    const node = await TestNode.online(network.at(index), device);
    cleanUps.push(() => node.close());
    return node;
  };
  /** Somebody who was at one home and is at another now, under another name: what the hostile one may know of it. */
  const scene = async () => {
    const [oldName, name] = [placedName(), placedName()];
    const handle = Handle.parse(`h${Math.floor(Math.random() * 1e9)}`);
    const device = somebody({ handle });
    const before = await TestNode.attach(network.at(1), device);
    const oldLease = before.lease();
    await before.call("register", { lease: oldLease });
    const oldProfile = signedProfile(device, { texts: { displayName: oldName, words: "" } });
    await before.call("publishProfile", { profile: oldProfile });
    before.close();
    const now = await TestNode.attach(network.at(2), device);
    cleanUps.push(() => now.close());
    const lease = now.lease();
    await now.call("register", { lease });
    const formerKeys = profileKeys(decodeProfile(oldProfile).value).filter(
      (key) => !profileKeys({ handle, texts: { displayName: name, words: "" }, formerKeys: [] }).includes(key),
    );
    const texts = { displayName: name, words: "" };
    const profile = signedProfile(device, { texts, sequence: 2, formerKeys });
    await now.call("publishProfile", { profile });
    return { now, name, oldName, device, handle, told: { oldLease, lease, oldProfile, profile } };
  };
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${statusPage}metrics`)).text();
    const lines = text.split("\n").filter((line) => line.startsWith(name));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };

  /** Again, if it happened not to be asked: it may still be in bad books because of what it did before. */
  const whereItIsAsked = async (name: keyof LinkHandlers, act: () => Promise<void>) => {
    for (let attempt = 0; attempt < 6; attempt++) {
      lies = {};
      asked = [];
      await act();
      if (asked.includes(name)) return;
      await new Promise((resolve) => setTimeout(resolve, FORGIVEN_MS * (attempt + 1)));
    }
    throw new Error(`it was never asked to ${name}`);
  };

  describe.each(Object.entries(BEHAVIOURS))("that %s", (_, behaviour) => {
    it("does not keep a look-up from finding where somebody is", async () => {
      await whereItIsAsked("find", async () => {
        const { now, told } = await scene();
        const asker = await online(0, network.authority.device());
        lies = behaviour(told);
        const { devices } = await asker.call("lookUp", { userId: now.userId });
        expect(devices).toMatchObject([{ state: "online", inbox: now.inbox }]);
      });
    });

    it("does not keep a watcher from seeing somebody come and go", async () => {
      await whereItIsAsked("watchLeases", async () => {
        const { now, told } = await scene();
        lies = behaviour(told);
        const watcher = await online(0, network.authority.device());
        const { presences } = await watcher.call("watch", { userIds: [now.userId] });
        const seen = () => inShort([...presences, ...watcher.pushed].at(-1));
        await until(() => seen() === "online");
        await now.call("detach", {});
        await until(() => seen() === "gone");
        const again = await online(3, now.device);
        await until(() => seen() === "online");
        const inboxes = watcher.pushed.at(-1)?.devices.map(({ inbox }) => inbox);
        expect(inboxes).toEqual([again.inbox]);
      });
    });

    it("does not keep a search from finding exactly those who are to be found", async () => {
      await whereItIsAsked("searchProfiles", async () => {
        const { handle, name, oldName, told } = await scene();
        const asker = await online(0, network.authority.device());
        lies = behaviour(told);
        const found = async (text: string) => {
          const { profiles } = await asker.call("search", { text, cursor: null });
          return profiles.map((bytes) => decodeProfile(bytes).value.handle);
        };
        expect(await found(name)).toEqual([handle]);
        expect(await found(oldName)).toEqual([]);
      });
    });
  });

  it("shows in the metrics of those whom it has lied to", async () => {
    const asker = await online(0, network.authority.device());
    const lieTo = async (act: (name: string, userId: UserId) => Promise<unknown>) => {
      const { name, now, told } = await scene();
      lies = BEHAVIOURS["serves what nobody has signed"]?.(told) ?? {};
      await act(name, now.userId);
    };
    const forged = 'kith_search_holder_faults_total{fault="forged"}';
    const [searches, lookUps] = [await metric(forged), await metric("kith_holder_faults_total")];
    await whereItIsAsked("searchProfiles", () => lieTo((text) => asker.call("search", { text, cursor: null })));
    expect(await metric(forged)).toBeGreaterThan(searches);
    await whereItIsAsked("find", () => lieTo((_, userId) => asker.call("lookUp", { userId })));
    expect(await metric("kith_holder_faults_total")).toBeGreaterThan(lookUps);
  });
});
