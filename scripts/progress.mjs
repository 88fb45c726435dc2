// @ts-check
/**
 * What a person sees while a command works. Everything goes to stderr, so that a
 * command's own output (a path, a JSON object) stays clean on stdout.
 */

/** A step that is over sooner than this says nothing. */
const QUIET_MS = 1_000;
const REPEAT_MS = 10_000;

/** @param {string} line */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * Runs `work`; when it takes long, says what is being done, then every ten seconds that it
 * still is, with the detail that `work` reported last (for instance "84 MB").
 *
 * @template T
 * @param {string} title
 * @param {(report: (detail: string) => void) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(title, work) {
  const startedAt = performance.now();
  const seconds = () => ((performance.now() - startedAt) / 1_000).toFixed(0);
  let detail = "";
  let announced = false;
  const announce = setTimeout(() => {
    announced = true;
    say(`${title} ...`);
  }, QUIET_MS);
  const repeat = setInterval(() => say(`  ${seconds()} s${detail && `, ${detail}`}`), REPEAT_MS);
  try {
    const result = await work((text) => {
      detail = text;
    });
    if (announced) say(`  done in ${seconds()} s`);
    return result;
  } finally {
    clearTimeout(announce);
    clearInterval(repeat);
  }
}
