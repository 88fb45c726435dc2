import { expect, test } from "vitest";
import { SuggestedHosts } from "../../main/directory/suggested-hosts.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { SupernodeId } from "../../protocol/identifiers.ts";

const idOf = (number: number) => SupernodeId.parse(`0${number}`.repeat(20));
const known = (...numbers: number[]) =>
  numbers.map((number): SupernodeCertificate => ({ supernodeId: idOf(number) }) as SupernodeCertificate);
const taken = (hosts: SuggestedHosts, candidates: SupernodeCertificate[], count: number) =>
  Array.from({ length: count }, () => Number(hosts.takeBest(candidates)?.supernodeId.slice(0, 2)));

test("what was suggested is tried first, as far as it is known, and then what is best", () => {
  const hosts = new SuggestedHosts();
  hosts.suggest([idOf(4), idOf(9), idOf(3)]);
  expect(taken(hosts, known(1, 2, 3, 4, 5), 5)).toEqual([4, 3, 1, 2, 5]);
});

test("a suggestion is followed once: those who are dead meanwhile must not be tried for ever", () => {
  const hosts = new SuggestedHosts();
  hosts.suggest([idOf(3), idOf(4), idOf(5)]);
  expect(taken(hosts, known(1, 2, 3, 4, 5), 3)).toEqual([3, 4, 5]);
  expect(taken(hosts, known(1, 2, 3, 4, 5), 3)).toEqual([1, 2, 3]);
});

test("what was suggested before a home was found is forgotten", () => {
  const hosts = new SuggestedHosts();
  hosts.suggest([idOf(3)]);
  hosts.forget();
  expect(taken(hosts, known(1, 2, 3), 2)).toEqual([1, 2]);
  expect(hosts.takeBest([])).toBeUndefined();
});
