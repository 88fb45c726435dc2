import { isIPv4 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AddressTable } from "../../relay/turn/address-table.ts";
import { SourceLimiter } from "../../relay/turn/source-limiter.ts";
import { TransactionCache } from "../../relay/turn/transaction-cache.ts";
import { TransportAddress } from "../../relay/turn/transport-address.ts";
import { parsePeer } from "../support/turn-memory-client.ts";

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6();

describe("a transport address", () => {
  it("reads back what it has written, and writes one text for one address", () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), fc.integer({ min: 0, max: 65_535 }), (host, port) => {
        const address = TransportAddress.parse(host, port) as TransportAddress;
        const copy = new TransportAddress();
        copy.setWords(address.w0, address.w1, address.w2, address.w3, address.port);
        const again = TransportAddress.parse(copy.host, port) as TransportAddress;
        expect(again.equals(address)).toBe(true);
        expect(address.family).toBe(isIPv4(copy.host) ? 4 : 6);
        // The platform's own formatter is the judge.
        if (address.family === 6) expect(copy.host).toBe(new URL(`http://[${host}]`).hostname.slice(1, -1));
      }),
    );
  });

  it.each(["", "1.2.3", "1.2.3.256", "01.2.3.4", "::g", "1:2:3:4:5:6:7:8:9", "example.org", "1.2.3.4:80"])(
    "is not read from %j",
    (text) => {
      expect(TransportAddress.parse(text, 1)).toBeNull();
    },
  );

  it("sees an IPv4 address and its mapped form as one", () => {
    expect(parsePeer("1.2.3.4:5").equals(parsePeer("[::ffff:1.2.3.4]:5"))).toBe(true);
  });
});

describe("the address table", () => {
  const key = fc.record({
    host: fc.oneof(fc.constantFrom("10.0.0.1", "10.0.0.2", "2a01::1"), ipv4),
    port: fc.integer({ min: 0, max: 40 }),
    tag: fc.integer({ min: 0, max: 2 }),
  });
  const step = fc.record({ action: fc.constantFrom("set", "set", "delete"), key, value: fc.integer() });

  it("holds what a Map would hold, through any sequence of sets and deletes", () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 400 }), (seed, steps) => {
        const table = new AddressTable<number>(seed);
        const model = new Map<string, number>();
        for (const {
          action,
          key: { host, port, tag },
          value,
        } of steps) {
          const address = TransportAddress.parse(host, port) as TransportAddress;
          const name = `${host} ${port} ${tag}`;
          if (action === "set") {
            table.set(address, tag, value);
            model.set(name, value);
          } else {
            expect(table.delete(address, tag)).toBe(model.delete(name));
          }
        }
        expect(table.size).toBe(model.size);
        for (const {
          key: { host, port, tag },
        } of steps) {
          const address = TransportAddress.parse(host, port) as TransportAddress;
          expect(table.get(address, tag)).toBe(model.get(`${host} ${port} ${tag}`));
        }
      }),
    );
  });

  it("finds 20,000 entries again, and none of those taken out", () => {
    const table = new AddressTable<number>(7);
    const address = (index: number) => TransportAddress.ipv4(0x0a000000 + (index >> 4), 1_000 + (index & 15));
    for (let index = 0; index < 20_000; index++) table.set(address(index), 0, index);
    for (let index = 0; index < 20_000; index += 2) table.delete(address(index), 0);
    expect(table.size).toBe(10_000);
    for (let index = 0; index < 20_000; index++)
      expect(table.get(address(index), 0)).toBe(index % 2 === 0 ? undefined : index);
  });
});

describe("the source limiter", () => {
  it("holds a network to its rate, a /24 of IPv4 or a /56 of IPv6 being one network", () => {
    for (const [one, other] of [
      ["203.0.114.1:1", "203.0.114.200:2"],
      ["[2a01:1:2:300::1]:1", "[2a01:1:2:3ff::2]:1"],
    ] as const) {
      const limiter = new SourceLimiter({ perSecond: 10, burst: 5 }, 1);
      const taken = Array.from({ length: 20 }, (_, index) => limiter.take(parsePeer(index % 2 === 0 ? one : other), 0));
      expect(taken.filter(Boolean)).toHaveLength(5);
      expect(limiter.take(parsePeer(one), 100)).toBe(true);
      expect(limiter.take(parsePeer(other), 100)).toBe(false);
    }
  });

  it("lets others through while a thousand networks are at their limit", () => {
    const limiter = new SourceLimiter({ perSecond: 1, burst: 2 }, 99);
    for (let network = 0; network < 1_000; network++) {
      for (let packet = 0; packet < 10; packet++)
        limiter.take(TransportAddress.ipv4((11 << 24) | (network << 8), 1), 0);
    }
    const through = Array.from({ length: 1_000 }, (_, network) =>
      limiter.take(TransportAddress.ipv4((45 << 24) | (network << 8), 1), 0),
    );
    expect(through.filter(Boolean).length).toBeGreaterThan(800);
  });
});

describe("the transaction cache", () => {
  it("keeps an answer for 40 s", () => {
    const cache = new TransactionCache();
    cache.set("a", Buffer.from("answer"), 0);
    expect(cache.get("a", 39_999)).toEqual(Buffer.from("answer"));
    expect(cache.get("a", 40_000)).toBeNull();
    cache.sweep(40_000);
    expect(cache.size).toBe(0);
  });

  it("never holds more than 8,192, the oldest giving way", () => {
    const cache = new TransactionCache();
    for (let index = 0; index < 20_000; index++) cache.set(String(index), Buffer.alloc(1), 0);
    expect(cache.size).toBe(8_192);
    expect([cache.get("0", 1), cache.get("19999", 1)]).toEqual([null, Buffer.alloc(1)]);
  });
});
