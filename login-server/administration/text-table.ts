/** What a terminal shows. What people have typed is shown without control characters, which could rewrite the screen. */

/** The same JSON as JSON.stringify makes, which leaves some of them as they are. */
export function terminalJson(value: object): string {
  return JSON.stringify(value).replace(UNPRINTABLE, (characters) =>
    Array.from({ length: characters.length }, (_, index) => escaped(characters.charCodeAt(index))).join(""),
  );
}

function escaped(codeUnit: number): string {
  return `\\u${codeUnit.toString(16).padStart(4, "0")}`;
}

/** In columns. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows].map((row) => row.map(printable));
  const widths = head.map((_, column) => Math.max(...lines.map((row) => (row[column] ?? "").length)));
  return lines
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .filter((line) => line !== "")
    .join("\n");
}

/** Control characters, and the marks that turn the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function printable(text: string): string {
  return text.replace(UNPRINTABLE, "\ufffd");
}
