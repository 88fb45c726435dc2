/** A PostgreSQL of the tests' own: in a temporary folder, on a Unix socket, gone with the process that started it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { ensureTools } from "../../scripts/system-packages.ts";
import type { SmallDisk } from "./small-disk.ts";
import { until } from "./until.ts";

export interface PostgresServer {
  /** The address of its own first database, for `newDatabase`. */
  readonly url: string;
  /** Ends it at once, as a crash would; what is in the folder stays. */
  kill(): Promise<void>;
  /** Starts it again after `kill`. */
  revive(): Promise<void>;
  /** All of its processes stand still: connections stay, and nothing is answered on them. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

const USER = "kith";
const DEBIAN = "/usr/lib/postgresql";

/** @returns why there can be none, as a clause; null if there can */
export async function whyNoPostgres(): Promise<string | null> {
  if (process.platform !== "linux") return "PostgreSQL is started for tests on Linux only";
  const missing = await ensureTools({ psql: "postgresql" }, process.env);
  if (missing !== null) return missing;
  if (programFolder() === null) return `PostgreSQL's programs are not in ${DEBIAN}`;
  const asRoot = process.getuid?.() === 0;
  return asRoot && ownerIds() === null ? "PostgreSQL does not run as root, and there is no user postgres" : null;
}

/** @param disk where its tables shall be: mounted for it alone, so it can be started once */
export async function startPostgres(disk?: SmallDisk): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "kith-postgres-"));
  const owner = process.getuid?.() === 0 ? ownerIds() : null;
  if (owner) chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, "data");
  const asOwner = (program: string, args: readonly string[]) => {
    const identity = owner ? [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, "--clear-groups"] : [];
    // INT is PostgreSQL's fast shutdown: it does not wait for those who are connected.
    const command = [...identity, "--pdeathsig", "INT", join(programFolder() ?? "", program), ...args];
    const [first, ...rest] =
      program === "postgres" && disk ? disk.mounted(["setpriv", ...command]) : ["setpriv", ...command];
    return spawn(first ?? "", rest, { stdio: ["ignore", "pipe", "pipe"], cwd: folder });
  };
  const made = await endOf(
    asOwner("initdb", ["-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]),
  );
  if (made.code !== 0) throw new Error(`initdb: ${made.said}`);
  const settings = [
    "listen_addresses=",
    `unix_socket_directories=${folder}`,
    "max_connections=200",
    "shared_buffers=16MB",
  ];
  // Its files need outlast no power cut, but its processes do die in tests, and that loses nothing.
  const quick = ["fsync=off", "full_page_writes=off", "autovacuum=off"];
  const address = (database: string) => `postgres:///${database}?user=${USER}&host=${encodeURIComponent(folder)}`;

  const start = async (): Promise<ChildProcess> => {
    const child = asOwner("postgres", ["-D", data, ...[...settings, ...quick].flatMap((setting) => ["-c", setting])]);
    const ended = endOf(child);
    void ended.then(({ code, said }) =>
      code === 0 || code === null ? null : process.stderr.write(`postgres: ${said}\n`),
    );
    await until(() => answers(address("postgres")), 60_000);
    return child;
  };
  let child = await start();
  const signalAll = (signal: NodeJS.Signals) => {
    for (const pid of [child.pid ?? 0, ...childrenOf(child.pid ?? 0)]) sendSignal(pid, signal);
  };
  const kill = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    // One that stands still hears nothing.
    signalAll("SIGCONT");
    await ended;
  };
  if (disk) {
    disk.giveTo(child.pid ?? 0, owner);
    await query(address("postgres"), `CREATE TABLESPACE small LOCATION '${disk.path}'`);
    await query(address("postgres"), `ALTER ROLE ${USER} SET default_tablespace = small`);
  }
  return {
    url: address("postgres"),
    // QUIT is an immediate shutdown: recovery from the log at the next start, as after a crash.
    kill: () => kill("SIGQUIT"),
    async revive() {
      child = await start();
    },
    freeze: () => signalAll("SIGSTOP"),
    thaw: () => signalAll("SIGCONT"),
    async close() {
      await kill("SIGINT");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** To one that has ended meanwhile, none. */
function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
}

let schemas = 0;

/**
 * An empty place for tables, in a schema of its own: a whole database takes fifty times as long to make.
 * @param url of the server
 */
export async function newDatabase(url: string): Promise<string> {
  // Several test processes share the server.
  const name = `kith_${process.pid}_${schemas++}`;
  await query(url, `CREATE SCHEMA ${name}`);
  return `${url}&options=${encodeURIComponent(`-c search_path=${name}`)}`;
}

/** All that its tables hold, as text. */
export async function contentOf(url: string): Promise<string> {
  return JSON.stringify(await query(url, "SELECT schema_to_xml(current_schema, true, false, '')"));
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

async function answers(url: string): Promise<boolean> {
  return query(url, "SELECT 1").then(
    () => true,
    () => false,
  );
}

function programFolder(): string | null {
  if (!existsSync(DEBIAN)) return null;
  const versions = readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a));
  const folders = versions.map((version) => join(DEBIAN, version, "bin"));
  return folders.find((folder) => existsSync(join(folder, "postgres"))) ?? null;
}

function ownerIds(): { uid: number; gid: number } | null {
  const [uid, gid] = ["-u", "-g"].map((flag) =>
    Number(spawnSync("id", [flag, "postgres"]).stdout.toString() || Number.NaN),
  );
  return uid === undefined || gid === undefined || Number.isNaN(uid) || Number.isNaN(gid) ? null : { uid, gid };
}

async function endOf(child: ChildProcess): Promise<{ code: number | null; said: string }> {
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2_000);
    });
  }
  const [code] = await once(child, "close");
  return { code: typeof code === "number" ? code : null, said };
}
