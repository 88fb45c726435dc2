import { afterEach, expect, test } from "vitest";
import { Admission } from "../../login-server/limits/admission.ts";
import { KithError } from "../../protocol/errors.ts";

/** They get in, however late the machine is. */
const FIRST_FEW = 25;
const open = new Set<Admission>();
afterEach(() => {
  for (const admission of open) admission.close();
  open.clear();
});

function admissionAt(elapsed: () => number, random = () => 0.999): Admission {
  const admission = new Admission({ elapsed, random });
  open.add(admission);
  return admission;
}

function secondsAskedFor(admission: Admission): number {
  try {
    admission.begin();
    return 0;
  } catch (error) {
    if (!(error instanceof KithError) || error.code !== "login-server-crowded") throw error;
    return Number(error.details.seconds);
  }
}

test("newcomers are turned away while work has been waiting, and let in again once it is done", () => {
  let now = 0;
  const admission = admissionAt(() => now);
  now = 200;
  for (let count = 0; count < 100; count++) expect(secondsAskedFor(admission)).toBe(0);
  now = 201;
  expect(secondsAskedFor(admission)).toBeGreaterThan(0);
  admission.tick();
  expect(secondsAskedFor(admission)).toBe(0);
});

test("the more are turned away, the wider they are spread, up to a minute", () => {
  const admission = admissionAt(stepping(0, 10_000_000));
  for (let count = 0; count < FIRST_FEW; count++) expect(secondsAskedFor(admission)).toBe(0);
  const asked = Array.from({ length: 20_000 }, () => secondsAskedFor(admission));
  expect(asked[0]).toBeLessThanOrEqual(3);
  expect(asked[3_000]).toBeGreaterThan(20);
  expect(Math.max(...asked)).toBe(60);
});

test("those who are turned away together come back apart", () => {
  let turn = 0;
  const admission = admissionAt(stepping(0, 10_000_000), () => (turn++ % 10) / 10);
  for (let count = 0; count < 3_000 + FIRST_FEW; count++) secondsAskedFor(admission);
  const asked = Array.from({ length: 10 }, () => secondsAskedFor(admission));
  expect(new Set(asked).size).toBeGreaterThan(8);
});

/** A clock whose ticks were long ago. */
function stepping(first: number, later: number): () => number {
  let isFirst = true;
  return () => {
    const now = isFirst ? first : later;
    isFirst = false;
    return now;
  };
}
