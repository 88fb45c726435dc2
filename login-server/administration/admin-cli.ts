/** `kith-login-server admin …`: runs the network from the command line, through the server that is running. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ParseArgsConfig, parseArgs } from "node:util";
import type { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import { NetworkId, parseHandle } from "../../protocol/identifiers.ts";
import { HttpError } from "../../protocol/login-api.ts";
import { readable } from "../../protocol/network-key.ts";
import { ADMIN_API, ADMIN_FILE, type AdminApi, AdminFile, Standing } from "./admin-api.ts";
import { table, terminalJson } from "./text-table.ts";

export const ADMIN_HELP = `Runs the network of a login server that is running on this machine.

Usage: npm run login-server -- admin COMMAND [options]

  users [--standing active|waiting|blocked]   everybody, or those who wait for approval or are blocked
  user HANDLE                                 one account and its devices
  approve HANDLE, decline HANDLE              lets somebody in who waits, or not
  block HANDLE, unblock HANDLE                signs all devices out and lets nobody in, and back
  sign-out HANDLE                             signs all devices out
  reset HANDLE                                a link to begin the account anew, for a lost password without recovery key
  delete HANDLE --yes                         deletes the account and all that belongs to it
  promote HANDLE, demote HANDLE               makes an administrator, or a member again
  invite [--uses N] [--days N] [--note TEXT] [--administrator] [--handle HANDLE]
                                              a link for new members (default one use, 7 days)
  invitations                                 those that were made
  revoke ID                                   withdraws one
  supernodes                                  those that are enrolled
  remove-supernode ID                         puts one out for good: its certificates, its key, its token
  replace-enrolment-token                     another one for new supernodes; those given out before are spent
  network-key show                            the network's keys, and the link that confirms the newest
  network-key rotate [--overlap-days N] [--notice-minutes N] [--end-overlap] [--stolen --yes]
                                              makes another key (default 30 days beside the old one, in an hour)
  statistics                                  how many of what
  audit [--limit N]                           who did what, the latest first (default 50)

  --data DIR   data folder of the server (KITH_LOGIN_DATA, default ./login-data)
  --json       the answer as one JSON object
  --help       this text
`;

const OPTIONS = {
  data: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  yes: { type: "boolean" },
  standing: { type: "string" },
  uses: { type: "string", default: "1" },
  days: { type: "string", default: "7" },
  note: { type: "string", default: "" },
  administrator: { type: "boolean", default: false },
  handle: { type: "string" },
  limit: { type: "string", default: "50" },
  "overlap-days": { type: "string", default: "30" },
  "notice-minutes": { type: "string", default: "60" },
  "end-overlap": { type: "boolean", default: false },
  stolen: { type: "boolean", default: false },
} as const satisfies ParseArgsConfig["options"];

type Values = ReturnType<typeof parse>["values"];
type Ask = <K extends keyof AdminApi>(
  name: K,
  input: z.input<AdminApi[K]["input"]>,
) => Promise<z.infer<AdminApi[K]["output"]>>;

interface Invocation {
  readonly ask: Ask;
  /** What stands behind the command. */
  readonly subject: string;
  readonly values: Values;
}
/** The answer as an object, and as people read it. */
interface Told {
  readonly json: object;
  readonly text: string;
}

const DONE: Told = { json: { ok: true }, text: "Done." };
const newToken = (token: string) =>
  `New supernodes enrol with this token from now on; it is not shown again, and those before it are spent:\n  ${token}`;
const PAGE = 1_000;

const COMMANDS: Readonly<Record<string, (invocation: Invocation) => Promise<Told>>> = {
  users: async ({ ask, values }) => {
    const standing = values.standing === undefined ? null : Standing.safeParse(values.standing);
    if (standing?.success === false) throw wrongOption("--standing", "active, waiting or blocked");
    const users: z.infer<AdminApi["users"]["output"]>["users"] = [];
    for (let after = "", full = true; full; after = users.at(-1)?.handle ?? "") {
      const page = await ask("users", { standing: standing?.data ?? null, after, limit: PAGE });
      users.push(...page.users);
      full = page.users.length === PAGE;
    }
    const rows = users.map(({ handle, role, standing, createdAt }) => [handle, role, standing, date(createdAt)]);
    return { json: { users }, text: table(["handle", "role", "standing", "since"], rows) };
  },
  user: async ({ ask, subject }) => {
    const answer = await ask("user", { handle: parseHandle(subject) });
    const { user, devices, hasRecoveryKey } = answer;
    const rows = devices.map(({ deviceId, name, lastSeenAt, connected }) => [
      deviceId,
      name,
      connected ? "now" : date(lastSeenAt),
    ]);
    const about = `${user.handle}: ${user.role}, ${user.standing}, since ${date(user.createdAt)}, ${hasRecoveryKey ? "has a" : "no"} recovery key`;
    return { json: answer, text: `${about}\n${table(["device", "name", "last seen"], rows)}` };
  },
  approve: onHandle("approve"),
  decline: onHandle("decline"),
  block: onHandle("block"),
  unblock: onHandle("unblock"),
  "sign-out": onHandle("signOut"),
  promote: onHandle("promote"),
  demote: onHandle("demote"),
  delete: async ({ ask, subject, values }) => {
    if (!values.yes) throw wrongOption("--yes", `say it, to delete ${subject} for good`);
    await ask("delete", { handle: parseHandle(subject) });
    return DONE;
  },
  reset: async ({ ask, subject }) => {
    const issued = await ask("reset", { handle: parseHandle(subject) });
    const words = `Give this link to ${subject}. Whoever uses it gets the handle with new keys; its buddies have to be asked again.`;
    return { json: issued, text: `${words}\n  ${issued.link}\nGood until ${date(issued.expiresAt)}.` };
  },
  invite: async ({ ask, values }) => {
    const issued = await ask("invite", {
      uses: number("--uses", values.uses, 10_000),
      days: number("--days", values.days, 366),
      note: values.note,
      administrator: values.administrator,
      handle: values.handle === undefined ? null : parseHandle(values.handle),
    });
    return { json: issued, text: `${issued.link}\nGood until ${date(issued.expiresAt)}; it is not shown again.` };
  },
  invitations: async ({ ask }) => {
    const answer = await ask("invitations", {});
    const rows = answer.invitations.map((one) => [
      one.invitationId,
      `${one.usesLeft} of ${one.uses}`,
      one.role,
      one.handle ?? "",
      date(one.expiresAt),
      one.note,
    ]);
    return { json: answer, text: table(["id", "uses left", "role", "handle", "until", "note"], rows) };
  },
  revoke: async ({ ask, subject }) => {
    await ask("revokeInvitation", { invitationId: subject });
    return DONE;
  },
  supernodes: async ({ ask }) => {
    const answer = await ask("supernodes", {});
    const rows = answer.supernodes.map((one) => [one.supernodeId, `${one.host}:${one.port}`, date(one.expiresAt)]);
    return { json: answer, text: table(["id", "address", "certified until"], rows) };
  },
  "remove-supernode": async ({ ask, subject }) => {
    const answer = await ask("removeSupernode", { supernodeId: subject });
    return { json: answer, text: answer.enrolmentToken === null ? DONE.text : newToken(answer.enrolmentToken) };
  },
  "replace-enrolment-token": async ({ ask }) => {
    const answer = await ask("replaceEnrolmentToken", {});
    return { json: answer, text: newToken(answer.enrolmentToken) };
  },
  "network-key": async ({ ask, subject, values }) => {
    if (subject === "show") return networkKeys(await ask("networkKey", {}));
    if (subject !== "rotate") throw wrongOption("admin network-key", "show or rotate");
    if (values.stolen && !values.yes) {
      throw wrongOption("--yes", "say it: everybody has to confirm the new key by hand before Kith works again");
    }
    return networkKeys(
      await ask("rotateNetworkKey", {
        reason: values.stolen ? "stolen" : "planned",
        noticeMs: number("--notice-minutes", values["notice-minutes"], 7 * 24 * 60) * 60_000,
        overlapMs: number("--overlap-days", values["overlap-days"], 366) * 24 * 3_600_000,
        endOverlap: values["end-overlap"],
      }),
    );
  },
  statistics: async ({ ask }) => {
    const answer = await ask("statistics", {});
    return {
      json: answer,
      text: table(
        ["", ""],
        Object.entries(answer).map(([name, value]) => [words(name), String(value)]),
      ),
    };
  },
  audit: async ({ ask, values }) => {
    const answer = await ask("audit", { limit: number("--limit", values.limit, 10_000) });
    const rows = answer.entries.map(({ at, actor, action, subject, details }) => [
      date(at),
      actor,
      action,
      subject,
      details,
    ]);
    return { json: answer, text: table(["at", "by", "what", "of", "details"], rows) };
  },
};

/** Commands that need something behind them. */
const NEEDS_SUBJECT =
  /^(user|approve|decline|block|unblock|sign-out|reset|delete|promote|demote|revoke|remove-supernode|network-key)$/;

/**
 * Runs one command and writes its answer.
 * @throws KithError `option-invalid`, `administration-unreachable`, `administration-forbidden`, or what the server answered
 */
export async function administrate(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  write: (text: string) => void,
): Promise<void> {
  const { values, positionals } = parse(args);
  const [name = "", subject = "", ...rest] = positionals;
  if (values.help || name === "") return write(ADMIN_HELP);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command || rest.length > 0) throw wrongOption("admin", `${name} is no command of it; see admin --help`);
  if (NEEDS_SUBJECT.test(name) !== (subject !== "")) {
    throw wrongOption(`admin ${name}`, subject === "" ? "say which one" : `it takes no ${subject}`);
  }
  const folder = values.data ?? environment.KITH_LOGIN_DATA ?? "login-data";
  const { json, text } = await command({ ask: asker(folder), subject, values });
  write(`${values.json ? terminalJson(json) : text}\n`);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    const why = error instanceof Error ? (error.message.split(/[.\n]/)[0] ?? "") : "";
    throw wrongOption("Command line", why);
  }
}

function networkKeys(answer: z.infer<AdminApi["networkKey"]["output"]>): Told {
  const rows = answer.keys.map(({ number, fingerprint, state, from, until, reason }) => [
    String(number),
    readable(NetworkId.parse(fingerprint)),
    state,
    from === null ? "the beginning" : date(from),
    until === null ? "" : date(until),
    reason ?? "",
  ]);
  const text = table(["key", "fingerprint", "state", "from", "believed until", "why"], rows);
  const asked = `Devices that ask for it confirm the newest key with this link:\n  ${answer.confirmationLink}`;
  return { json: answer, text: `${text}\n${asked}\nMake a backup now: one of before has not got the newest key.` };
}

function onHandle(name: "approve" | "decline" | "block" | "unblock" | "signOut" | "promote" | "demote") {
  return async ({ ask, subject }: Invocation): Promise<Told> => {
    await ask(name, { handle: parseHandle(subject) });
    return DONE;
  };
}

function asker(folder: string): Ask {
  return async (name, input) => {
    const { path, output } = ADMIN_API[name];
    const { url, token } = readAdminFile(folder);
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify(input),
    }).catch((error: unknown) => {
      throw new KithError("administration-unreachable", { path: folder }, { cause: error });
    });
    const answer: unknown = await response.json();
    const refused = HttpError.safeParse(answer);
    if (refused.success) throw KithError.fromWire(refused.data.error);
    return output.parse(answer) as z.infer<AdminApi[typeof name]["output"]>;
  };
}

function readAdminFile(folder: string): z.infer<typeof AdminFile> {
  try {
    return AdminFile.parse(JSON.parse(readFileSync(join(folder, ADMIN_FILE), "utf8")));
  } catch (error) {
    const isForbidden = error instanceof Error && "code" in error && error.code === "EACCES";
    const code = isForbidden ? "administration-forbidden" : "administration-unreachable";
    throw new KithError(code, { path: folder }, { cause: error });
  }
}

function number(option: string, text: string, most: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > most) throw wrongOption(option, `a number from 1 to ${most}`);
  return value;
}

function wrongOption(option: string, why: string): KithError {
  return new KithError("option-invalid", { option, why });
}

function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function date(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}
