import type { Reporter, TestCase } from "vitest/node";

/**
 * Names the tests that passed only when they were tried again. Real sockets, windows and
 * sound on a busy machine may miss a deadline once; that must not go unseen, or a race in
 * the product would look like a slow machine for ever.
 */
export default class SecondChances implements Reporter {
  readonly #taken: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (test.diagnostic()?.flaky === true) this.#taken.push(`${test.module.relativeModuleId}: ${test.fullName}`);
  }

  onTestRunEnd(): void {
    if (this.#taken.length === 0) return;
    process.stdout.write(`\nPassed only at the second try:\n${this.#taken.map((name) => `  ${name}\n`).join("")}`);
  }
}
