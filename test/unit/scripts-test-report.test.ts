import { expect, it } from "vitest";
import { summarize } from "../../scripts/test-report.ts";

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((each) => ({ status: each })),
});

it("counts the tests of all files", () => {
  const report = { testResults: [file("passed", "passed", "passed"), file("failed", "passed", "failed")] };
  expect(summarize(report, false)).toEqual({ line: "3 passed, 1 failed", failed: 1 });
});

it("mentions skipped tests only when there are some", () => {
  const report = { testResults: [file("passed", "passed", "skipped", "pending", "todo")] };
  expect(summarize(report, true).line).toBe("1 passed, 0 failed, 3 skipped");
});

it("counts a file that cannot be loaded as a failure", () => {
  expect(summarize({ testResults: [file("failed")] }, false)).toEqual({ line: "0 passed, 1 failed", failed: 1 });
});

it("never says that nothing failed when the run did", () => {
  expect(summarize({ testResults: [file("passed", "passed")] }, false).failed).toBe(1);
});
