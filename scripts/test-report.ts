import { z } from "zod";

/** What is read of vitest's JSON report. */
export const TestReport = z.object({
  testResults: z.array(
    z.object({
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string() })),
    }),
  ),
});

/**
 * Counts tests. A file that could not even be loaded counts as one failed test, and so does
 * a failure that no test is blamed for (`allWell` false: an error after the last test, say).
 */
export function summarize(
  report: z.infer<typeof TestReport>,
  allWell: boolean,
): { readonly line: string; readonly failed: number } {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const file of report.testResults) {
    const failedBefore = failed;
    for (const { status } of file.assertionResults) {
      if (status === "passed") passed++;
      else if (status === "failed") failed++;
      else skipped++;
    }
    if (file.status === "failed" && failed === failedBefore) failed++;
  }
  if (!allWell && failed === 0) failed++;
  return { line: `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`, failed };
}
