import { expect, test } from "vitest";
import { Attempts, MAX_ATTEMPTS } from "../../login-server/accounts/login-attempts.ts";
import { handle } from "../support/login-api-client.ts";

const attempt = { handle: handle("alice"), serverLoginState: "state" };
const over = expect.objectContaining({ code: "login-attempt-over" });

test("an attempt can be taken once", () => {
  const attempts = new Attempts(() => 0);
  attempts.add("a", attempt);
  expect(attempts.take("a")).toMatchObject(attempt);
  expect(() => attempts.take("a")).toThrow(over);
});

test("an attempt is over after a minute", () => {
  let now = 0;
  const attempts = new Attempts(() => now);
  attempts.add("a", attempt);
  attempts.add("b", attempt);
  now = 59_999;
  expect(attempts.take("a")).toMatchObject(attempt);
  now = 60_000;
  expect(() => attempts.take("b")).toThrow(over);
});

test("a flood of attempts pushes out the oldest ones only", () => {
  const attempts = new Attempts(() => 0);
  for (let index = 0; index <= MAX_ATTEMPTS; index++) attempts.add(`${index}`, attempt);
  expect(() => attempts.take("0")).toThrow(over);
  expect(attempts.take("1")).toMatchObject(attempt);
  expect(attempts.take(`${MAX_ATTEMPTS}`)).toMatchObject(attempt);
});
