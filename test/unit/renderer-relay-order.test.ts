import { expect, test } from "vitest";
import { lastFirst, nextFirst, withMissing } from "../../renderer/media/relay-order.ts";

const supernode = (host: string, credential = "c"): RTCIceServer[] => [
  { urls: [`stun:${host}:443`] },
  { urls: [`turn:${host}:443`, `turn:${host}:443?transport=tcp`], username: "u", credential },
];
const [one, two, three] = [supernode("192.0.2.1"), supernode("192.0.2.2"), supernode("192.0.2.3")];

test("each restart begins with the next supernode, STUN and TURN together", () => {
  expect(nextFirst([...one, ...two])).toEqual([...two, ...one]);
  expect(nextFirst(nextFirst([...one, ...two, ...three]))).toEqual([...three, ...one, ...two]);
  expect(nextFirst(one)).toEqual(one);
  expect(nextFirst([])).toEqual([]);
});

test("what comes last is first after the next restart", () => {
  for (const list of [[...one, ...two, ...three], [...one, ...two], one, []])
    expect(nextFirst(lastFirst(list))).toEqual(list);
});

test("a supernode that is missing stays behind the others, as long as there are fewer than before", () => {
  expect(withMissing(two, [...one, ...two])).toEqual([...two, ...one]);
  expect(withMissing([...two, ...three], [...one, ...two])).toEqual([...two, ...three]);
});

test("a fresh credential replaces the old one", () => {
  const fresh = supernode("192.0.2.1", "fresh");
  expect(withMissing(fresh, one)).toEqual(fresh);
});
