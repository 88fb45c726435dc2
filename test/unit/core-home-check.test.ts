import { beforeEach, describe, expect, test, vi } from "vitest";
import { Background } from "../../main/core/background.ts";
import { DEFAULT_TIMES } from "../../main/core/client-options.ts";
import { NetworkClock } from "../../main/core/clock.ts";
import { silentLog } from "../../main/core/log.ts";
import { HomeCheck } from "../../main/directory/home-check.ts";
import type { SupernodeLink } from "../../main/directory/supernode-link.ts";
import { KithError } from "../../protocol/errors.ts";
import { InboxId, SupernodeId } from "../../protocol/identifiers.ts";
import { encodeLease } from "../../protocol/lease.ts";
import { TIMES } from "../../protocol/limits.ts";
import { nodeSignatures, signingKeyPair } from "../../protocol/node-crypto.ts";
import type { UserPresence } from "../../protocol/presence.ts";
import { signBody } from "../../protocol/signed.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { TestAuthority, type TestDevice } from "../support/test-identities.ts";

const authority = new TestAuthority(signingKeyPair());
const self = authority.device();
const buddy = authority.device();
const address = { userId: self.userId, deviceId: self.deviceId };

type State = "online" | "gone" | "unknown";
type Place = Pick<SupernodeLink, "supernodeId" | "inbox">;

function placeOf(number: number): Place {
  const digits = `0${number}`;
  return { supernodeId: SupernodeId.parse(digits.repeat(20)), inbox: InboxId.parse(digits.repeat(16)) };
}

/** What a supernode does where it differs from an honest one. */
interface Lies {
  readonly saysOfSelf?: State | "nothing";
  readonly saysOfBuddy?: State;
  readonly swallows?: boolean;
  readonly isSilent?: boolean;
}

let clock: ManualClock;
let network: { home: SupernodeLink | null; standby: SupernodeLink | null };
/** What is so. */
let truth: { self: State; buddy: State; hidden: boolean };
/** What the home has told of the buddy. */
let told: State;
let left: SupernodeId[];
let check: HomeCheck;

beforeEach(() => {
  clock = new ManualClock();
  truth = { self: "online", buddy: "online", hidden: false };
  told = "online";
  left = [];
  network = { home: null, standby: null };
  const timed = { now: () => clock.now(), monotonic: () => clock.now(), after: clock.after.bind(clock) };
  check = new HomeCheck({
    networkId: authority.networkId,
    self: address,
    attachment: {
      get home() {
        return network.home;
      },
      get standby() {
        return network.standby;
      },
      hurry: () => undefined,
    },
    hosts: { refused: (id) => void left.push(id) },
    directory: {
      knows: () => true,
      devices: () => [{ state: told }] as never,
      online: () => (told === "online" ? [{}] : []) as never,
    },
    watched: () => [buddy.userId],
    isHidden: () => truth.hidden,
    surroundings: {
      clock: new NetworkClock(timed),
      random: (length) => Uint8Array.from({ length }, () => Math.floor(Math.random() * 256)),
      log: silentLog,
      times: DEFAULT_TIMES,
      background: new Background(silentLog),
    },
  });
});

function presenceOf(device: TestDevice, state: State, place: Place): UserPresence {
  const body = encodeLease({
    networkId: device.networkId,
    userId: device.userId,
    signKey: device.signKey,
    deviceId: device.deviceId,
    home: place.supernodeId,
    inbox: place.inbox,
    sequence: 1,
    issuedAt: Math.floor(clock.now()),
    validityMs: TIMES.leaseValidityMs,
    sealedBody: new Uint8Array(0),
  });
  const lease = signBody(nodeSignatures, "lease", body, device.secretKey);
  const seen = { state, home: place.supernodeId, inbox: place.inbox, lastSeenAt: 1, sealedStatus: new Uint8Array(0) };
  return { userId: device.userId, devices: [{ deviceId: device.deviceId, lease, ...seen }] };
}

function link(number: number, lies: Lies = {}): SupernodeLink {
  const place = placeOf(number);
  const lookUp = (userId: string): UserPresence => {
    if (userId === buddy.userId) return presenceOf(buddy, lies.saysOfBuddy ?? truth.buddy, placeOf(9));
    const state = lies.saysOfSelf ?? truth.self;
    if (state === "nothing") return { userId: self.userId, devices: [] };
    return presenceOf(self, state, network.home ?? place);
  };
  const request = async (name: string, input: { userId: string; envelope: Uint8Array }) => {
    if (lies.isSilent) throw new KithError("timeout");
    if (name === "lookUp") return lookUp(input.userId);
    if (!lies.swallows) check.takesProbe(address, Uint8Array.from(input.envelope));
    return { delivered: true };
  };
  const abandon = () => {
    if (network.home?.supernodeId === place.supernodeId)
      Object.assign(network, { home: network.standby, standby: null });
    if (network.standby?.supernodeId === place.supernodeId) network.standby = null;
    check.linksChanged();
  };
  return { ...place, roundTripMs: 1, request: request as SupernodeLink["request"], close: vi.fn(), abandon };
}

/** Begins at this home; whenever there is no standby the next one comes. */
async function pass(home: SupernodeLink, standbys: SupernodeLink[], ms: number): Promise<void> {
  network.home = home;
  network.standby = standbys.shift() ?? null;
  check.linksChanged();
  for (let passed = 0; passed < ms; passed += 1_000) {
    await clock.advance(1_000);
    network.standby ??= standbys.shift() ?? null;
  }
}

const [HOME, FIRST, SECOND, THIRD] = [1, 2, 3, 4];
const idOf = (number: number) => placeOf(number).supernodeId;

describe("a home that does its work", () => {
  test("is kept, visible or not", async () => {
    await pass(link(HOME), [link(FIRST)], 2 * 3_600_000);
    Object.assign(truth, { hidden: true, self: "gone" });
    await clock.advance(3_600_000);
    expect(left).toEqual([]);
  });

  test("is kept when it is the standby that lies, which goes", async () => {
    const liars: Lies[] = [
      { saysOfSelf: "gone" },
      { saysOfSelf: "nothing" },
      { saysOfBuddy: "gone" },
      { swallows: true },
    ];
    for (const lies of liars) {
      left = [];
      await pass(link(HOME), [link(FIRST, lies), link(SECOND)], 1_200_000);
      expect(left).toEqual([idOf(FIRST)]);
      expect(network.home?.supernodeId).toBe(idOf(HOME));
    }
  });

  test("is kept as long as nobody can tell", async () => {
    for (const doubtful of [{ saysOfSelf: "unknown" }, { saysOfBuddy: "unknown" }, { isSilent: true }] as Lies[]) {
      await pass(link(HOME), [link(FIRST, doubtful), link(SECOND)], 1_200_000);
    }
    await pass(link(HOME), [], 1_200_000);
    expect(left).toEqual([]);
  });

  test("is kept when the only standby there is says otherwise", async () => {
    const standby = link(FIRST, { saysOfSelf: "gone" });
    await pass(link(HOME), [standby, standby, standby], 3_600_000);
    expect(left).not.toContain(idOf(HOME));
  });
});

describe("a home that does not", () => {
  test.each<[string, Lies & { truth?: Partial<typeof truth>; told?: State }]>([
    ["tells nobody that its people are there", { truth: { self: "gone" } }],
    ["swallows what is to be sent", { swallows: true }],
    ["says of buddies who are there that they are not", { told: "gone" }],
    ["says of buddies who have left that they are there", { truth: { buddy: "gone" } }],
  ])("but %s is left on the word of two others", async (_, home) => {
    Object.assign(truth, home.truth);
    told = home.told ?? told;
    await pass(link(HOME, home), [link(FIRST), link(SECOND), link(THIRD)], 300_000);
    expect(left.slice(0, 2)).toEqual([idOf(FIRST), idOf(HOME)]);
  });
});

test("somebody else's message is no probe", () => {
  expect(check.takesProbe(address, new Uint8Array(32))).toBe(false);
  expect(check.takesProbe({ userId: buddy.userId, deviceId: buddy.deviceId }, new Uint8Array(32))).toBe(false);
});
