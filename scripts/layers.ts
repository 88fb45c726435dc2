/**
 * Who may import whom. The processes share what is in protocol/ and nothing else, so that
 * each can be read, tested and replaced without the others.
 */
import { posix } from "node:path";
import { parseSync } from "oxc-parser";
import { findCycles } from "./import-cycles.ts";

/** Folders that a folder's files may import from, besides itself and npm packages. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  main: ["protocol"],
  renderer: ["protocol"],
  "login-server": ["protocol"],
  relay: ["protocol"],
  scripts: ["protocol", "main", "renderer", "login-server", "relay"],
  test: ["protocol", "main", "renderer", "login-server", "relay", "scripts"],
};

/** Electron is for the app's shell; the client core, which is the rest of main, runs in plain Node too. */
const ELECTRON = /^electron(-log|-updater)?(\/|$)/;
const MAY_IMPORT_ELECTRON = /^(main\/shell\/|test\/|scripts\/runtime-loader\.cjs$)/;

/** Packages that exactly one file of the product may know, so that they can be replaced there. */
const ONE_IMPORTER = ["simple-peer", "opus-recorder"];

export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
}

/**
 * @param sources source text by path, relative to the working copy, with forward slashes
 */
export function findViolations(sources: ReadonlyMap<string, string>): Violation[] {
  const violations: Violation[] = [];
  const importers = new Map<string, string>();
  const imports = new Map([...sources.keys()].map((file): [string, string[]] => [file, []]));
  for (const [file, source] of sources) {
    for (const { specifier, line } of importsOf(file, source)) {
      const rule = brokenRule(file, specifier, importers);
      if (rule !== null) violations.push({ file, line, rule });
      if (specifier.startsWith(".")) imports.get(file)?.push(fileOf(file, specifier));
    }
  }
  for (const cycle of findCycles(imports)) {
    violations.push({
      file: cycle[0] ?? "",
      line: 1,
      rule: `imports in a circle: ${[...cycle, cycle[0]].join(" → ")}`,
    });
  }
  return violations;
}

function brokenRule(file: string, specifier: string, importers: Map<string, string>): string | null {
  const from = topFolder(file);
  if (specifier.startsWith(".")) {
    const target = fileOf(file, specifier);
    const to = topFolder(target);
    if (to !== from && !(MAY_IMPORT[from] ?? [to]).includes(to)) return `${from} must not import ${to} (${specifier})`;
    if (from === "main" && !file.startsWith("main/shell/") && target.startsWith("main/shell/")) {
      return `the client core must not import the shell (${specifier})`;
    }
    return null;
  }
  if (ELECTRON.test(specifier) && !MAY_IMPORT_ELECTRON.test(file)) return `only main/shell imports ${specifier}`;
  const single = ONE_IMPORTER.find((name) => specifier === name || specifier.startsWith(`${name}/`));
  if (single !== undefined && from !== "test") {
    const first = importers.get(single) ?? file;
    importers.set(single, first);
    if (first !== file) return `only one file imports ${single}, and ${first} does`;
  }
  return null;
}

function fileOf(importer: string, specifier: string): string {
  return posix.join(posix.dirname(importer), specifier);
}

/** The folder below the working copy's; "" for a file that lies in the working copy itself. */
function topFolder(path: string): string {
  const slash = path.indexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** Every module that a file names: imports, re-exports, types, import() and require() alike. */
function importsOf(file: string, source: string): { specifier: string; line: number }[] {
  const { program, errors } = parseSync(file, source);
  const [error] = errors;
  if (error) throw new Error(`${file} cannot be parsed: ${error.message}`);
  const found: { specifier: string; line: number }[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const child of node) visit(child);
    else if (isRecord(node)) {
      const named = moduleNamedBy(node);
      if (isRecord(named) && typeof named.value === "string" && typeof named.start === "number") {
        found.push({ specifier: named.value, line: source.slice(0, named.start).split("\n").length });
      }
      for (const child of Object.values(node)) visit(child);
    }
  };
  visit(program);
  return found;
}

/** The string literal in a syntax node (ESTree, with TypeScript) by which it names another module. */
function moduleNamedBy(node: Readonly<Record<string, unknown>>): unknown {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return node.source;
    case "TSExternalModuleReference":
      return node.expression;
    case "CallExpression":
      return isRecord(node.callee) && node.callee.name === "require" && Array.isArray(node.arguments)
        ? node.arguments[0]
        : null;
    default:
      return null;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
