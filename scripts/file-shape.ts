/** The rules about files as such: how long, how deep, and named after what they are about. */

const MAX_LINES = 400;
const MAX_FOLDERS = 2;
const EMPTY_NAMES = /(^|[/-])(utils?|helpers?|common|misc)([-./]|$)/;

/**
 * @param sources source text by path, relative to the working copy, with forward slashes
 * @returns a sentence for each file that breaks a rule
 */
export function findMisshapen(sources: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  for (const [file, source] of sources) {
    const lines = source.trimEnd().split("\n").length;
    if (lines > MAX_LINES) found.push(`${file} has ${lines} lines; ${MAX_LINES} are the most: it has two jobs`);
    const folders = file.split("/").length - 1;
    if (folders > MAX_FOLDERS) found.push(`${file} lies ${folders} folders deep; ${MAX_FOLDERS} are the most`);
    if (EMPTY_NAMES.test(file)) found.push(`${file}: name it after what it is about`);
  }
  return found;
}
