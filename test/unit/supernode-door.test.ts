import { beforeEach, describe, expect, test } from "vitest";
import { Door } from "../../relay/ports/door.ts";
import { RELAY_LIMITS } from "../../relay/relay-limits.ts";

const LIMITS = {
  ...RELAY_LIMITS,
  newcomersInProgress: 100,
  newcomersPerSecond: 1_000,
  newcomerBurst: 1_000,
  politeRefusalsPerSecond: 5,
  strangersPerSource: 8,
  strangers: 1_000,
};

let now: number;
let isFull: boolean;
let load: number;
let door: Door;
let ports: number;

beforeEach(() => {
  now = 1_000;
  isFull = false;
  load = 0;
  ports = 0;
  door = new Door({ limits: LIMITS, proofMs: 20_000, clock: () => now, load: () => load, isFull: () => isFull });
});

class Stranger {
  readonly remoteAddress: string;
  readonly remotePort = ports++;
  isClosed = false;

  constructor(remoteAddress: string) {
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.isClosed = true;
    door.leave(this);
  }
}

/** People with a line of their own each. */
const person = (number: number) => new Stranger(`198.51.${number >> 8}.${number & 0xff}`);

/** Whoever is not let in goes away. */
function comes(stranger: Stranger): boolean {
  const isIn = door.arrive(stranger) && door.admit(stranger);
  if (!isIn) door.leave(stranger);
  return isIn;
}

/** As many newcomers as it takes at once. */
function crowd(count: number, first = 0): Stranger[] {
  return Array.from({ length: count }, (_, index) => person(first + index)).filter(comes);
}

describe("a crowd", () => {
  test("is served as many at a time as are in progress, and the next as soon as one has proved itself", () => {
    const inside = crowd(200);
    expect(inside).toHaveLength(50);
    door.proved(inside[0] as Stranger);
    expect(crowd(200, 500)).toHaveLength(2);
  });

  test("is served more of at a time when they are served promptly, never more than the limit", () => {
    for (let round = 0; round < 10; round++, now += 1_000) for (const one of crowd(200)) door.proved(one);
    expect(crowd(300, 5_000)).toHaveLength(100);
  });

  test("is served fewer of at a time when this machine is too slow for them", () => {
    const inside = crowd(50);
    load = 1;
    now += 3_000;
    for (const one of inside) door.leave(one);
    expect(crowd(200, 1_000)).toHaveLength(35);
  });

  test("who dawdle on purpose close the door for nobody", () => {
    const inside = crowd(50);
    now += 3_000;
    for (const one of inside) door.leave(one);
    expect(crowd(200, 1_000)).toHaveLength(50);
  });

  test("is limited in its rate", () => {
    let served = 0;
    for (let number = 0; number < 3_000; number++) {
      const one = person(number);
      if (comes(one)) served++;
      door.proved(one);
    }
    expect(served).toBe(1_000);
    now += 500;
    expect(crowd(100, 10_000).length).toBeGreaterThan(0);
  });
});

describe("one source", () => {
  test("has so many connections that prove nothing, and those who prove themselves do not count", () => {
    const same = Array.from({ length: 20 }, () => new Stranger("203.0.113.7"));
    expect(same.filter(comes)).toHaveLength(8);
    door.proved(same[0] as Stranger);
    expect(comes(new Stranger("203.0.113.7"))).toBe(true);
    expect(comes(new Stranger("203.0.113.8"))).toBe(true);
  });

  test("is a /64 of IPv6, and an IPv4 address in its mapped form is the same", () => {
    const flood = Array.from({ length: 20 }, (_, index) => new Stranger(`2001:db8:1:2::${index + 1}`));
    expect(flood.filter(comes)).toHaveLength(8);
    expect(comes(new Stranger("2001:db8:1:3::1"))).toBe(true);
    for (let count = 0; count < 8; count++) comes(new Stranger("192.0.2.1"));
    expect(comes(new Stranger("::ffff:192.0.2.1"))).toBe(false);
  });

  test("does not keep others out, however many it has: its oldest make way", () => {
    const attackers = Array.from({ length: 100 }, (_, index) => new Stranger(`203.0.113.${index % 7}`)).filter(comes);
    expect(attackers).toHaveLength(50);
    expect(comes(person(1))).toBe(true);
    expect(attackers.filter(({ isClosed }) => isClosed)).toHaveLength(1);
  });

  test("that takes too long is closed", () => {
    const slow = Array.from({ length: 8 }, () => new Stranger("203.0.113.9"));
    expect(slow.every((one) => door.arrive(one))).toBe(true);
    now += 20_001;
    expect(comes(new Stranger("203.0.113.9"))).toBe(true);
    expect(slow.every(({ isClosed }) => isClosed)).toBe(true);
  });
});

describe("when there is no room", () => {
  test("a few are let in to be told where else to go, and the rest are not", () => {
    isFull = true;
    expect(crowd(100)).toHaveLength(10);
    now += 1_000;
    expect(crowd(100, 200)).toHaveLength(5);
  });

  test("other supernodes are let in all the same, once one of them has come from there", () => {
    const first = new Stranger("198.51.100.9");
    expect(comes(first)).toBe(true);
    door.provedSupernode(first);
    isFull = true;
    crowd(100, 1_000);
    const links = Array.from({ length: 20 }, () => new Stranger("198.51.100.9"));
    expect(links.every(comes)).toBe(true);
  });

  test("an address that a supernode has come from cannot fill the house", () => {
    const first = new Stranger("198.51.100.9");
    expect(comes(first)).toBe(true);
    door.provedSupernode(first);
    const silent = Array.from({ length: 1_000 }, () => new Stranger("198.51.100.9")).filter(comes);
    expect(silent).toHaveLength(4 * LIMITS.strangersPerSource);
    expect(comes(person(1))).toBe(true);
  });

  test("an address that a supernode has come from cannot have us do nothing but handshakes", () => {
    const first = new Stranger("198.51.100.9");
    expect(comes(first)).toBe(true);
    door.provedSupernode(first);
    let handshakes = 0;
    for (let round = 0; round < 10_000; round++) {
      const link = new Stranger("198.51.100.9");
      if (comes(link)) handshakes++;
      door.leave(link);
    }
    expect(handshakes).toBe(4 * LIMITS.newcomerBurst);
    expect(comes(person(1))).toBe(true);
  });
});
