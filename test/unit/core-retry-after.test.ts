import { expect, test } from "vitest";
import { CrowdPatience, secondsAskedFor } from "../../main/account/retry-after.ts";
import { KithError } from "../../protocol/errors.ts";
import { ManualClock } from "../support/manual-clock.ts";

const crowded = (seconds: number) => new KithError("login-server-crowded", { seconds });

/** Patience whose random bytes are all 0, on a clock of its own. */
function impatient() {
  const clock = new ManualClock();
  const waits: (number | null)[] = [];
  const patience = new CrowdPatience({ clock, random: (length) => new Uint8Array(length) }, (ms) => waits.push(ms));
  return { clock, waits, patience };
}

test("asks again after the seconds that were named, and not before", async () => {
  const { clock, waits, patience } = impatient();
  let asked = 0;
  const done = patience.insist(async () => {
    asked++;
    if (asked < 3) throw crowded(asked * 10);
    return "in";
  });
  await clock.advance(9_999);
  expect(asked).toBe(1);
  await clock.advance(1);
  expect(asked).toBe(2);
  await clock.advance(19_999);
  expect(asked).toBe(2);
  await clock.advance(1);
  await expect(done).resolves.toBe("in");
  expect(waits).toEqual([10_000, null, 20_000, null]);
});

test("whom the server refuses for another reason is told at once", async () => {
  const { waits, patience } = impatient();
  const wrong = new KithError("wrong-password");
  await expect(patience.insist(() => Promise.reject(wrong))).rejects.toBe(wrong);
  expect(waits).toEqual([]);
});

test("the user ends the waiting, and can begin anew", async () => {
  const { clock, waits, patience } = impatient();
  let asked = 0;
  const done = patience.insist(async () => {
    asked++;
    throw crowded(10);
  });
  await clock.advance(0);
  patience.cancel();
  await expect(done).rejects.toMatchObject({ code: "sign-in-cancelled" });
  await clock.advance(60_000);
  expect(asked).toBe(1);
  expect(waits).toEqual([10_000, null]);
  await expect(patience.insist(async () => "in")).resolves.toBe("in");
});

test("no server keeps anybody away for longer than two minutes, nor for less than no time", () => {
  expect(secondsAskedFor(crowded(1e9))).toBe(120);
  expect(secondsAskedFor(crowded(-5))).toBe(0);
  expect(secondsAskedFor(new KithError("login-server-crowded"))).toBe(0);
  expect(secondsAskedFor(null)).toBe(0);
});
