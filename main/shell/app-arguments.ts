/** The app's own command-line options; Chromium reads its own from the same line. */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { KithError } from "../../protocol/errors.ts";
import { APP_LINK_SCHEME } from "../../protocol/invitation.ts";

export interface AppArguments {
  /** Folder of everything that this account keeps on this machine. */
  readonly profile: string;
  /** Proposed on the sign-in screen. */
  readonly loginServer: string;
  /** How long a call rings; null for the protocol's own time. */
  readonly ringMs: number | null;
  /** Of the window's upper left corner, in pixels; null for the middle of the screen. */
  readonly windowPosition: Position | null;
  /** A `kith:` link, not yet looked into: whoever wrote a web page may have written it. Null: none. */
  readonly link: string | null;
}

export interface Position {
  readonly x: number;
  readonly y: number;
}

const LINK = new RegExp(`^${APP_LINK_SCHEME}:`, "i");

/**
 * @param argv without the executable and, in development, the app's folder
 * @throws KithError `option-invalid`
 */
export function parseAppArguments(argv: readonly string[], defaultProfile: string): AppArguments {
  const place = argv.findIndex((argument) => LINK.test(argument));
  const { values } = parseArgs({
    // What stands after a link came with it, where a system has split it at a space.
    args: place === -1 ? [...argv] : argv.slice(0, place),
    // Chromium's own switches stand on the same line.
    strict: false,
    allowPositionals: true,
    options: {
      profile: { type: "string" },
      "login-server": { type: "string" },
      "ring-ms": { type: "string" },
      // As Chromium's own browser has it; Electron leaves it to the app.
      "window-position": { type: "string" },
    },
  });
  const ringMs = values["ring-ms"];
  const position = values["window-position"];
  return {
    profile: typeof values.profile === "string" ? resolve(values.profile) : join(defaultProfile, "profile"),
    loginServer: typeof values["login-server"] === "string" ? values["login-server"] : "",
    ringMs: typeof ringMs === "string" ? parseDuration("--ring-ms", ringMs) : null,
    link: argv[place] ?? null,
    windowPosition: typeof position === "string" ? parsePosition("--window-position", position) : null,
  };
}

function parseDuration(option: string, text: string): number {
  const ms = Number(text);
  if (!Number.isInteger(ms) || ms < 100 || ms > 600_000) {
    throw new KithError("option-invalid", { option, why: "a number of milliseconds from 100 to 600000" });
  }
  return ms;
}

function parsePosition(option: string, text: string): Position {
  const [, x, y] = text.match(/^(-?\d{1,5}),(-?\d{1,5})$/) ?? [];
  if (x === undefined || y === undefined) {
    throw new KithError("option-invalid", { option, why: "two whole numbers of pixels, as in 0,0" });
  }
  return { x: Number(x), y: Number(y) };
}
