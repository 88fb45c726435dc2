/** `npm test [-- FILE ... | vitest's options]`: runs the tests; the last line is `N passed, N failed[, N skipped]`. */
import { runVitest } from "./vitest-run.ts";

await runVitest(process.argv.slice(2));
