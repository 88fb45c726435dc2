/** The folder of a network on this machine, and what has to stay the same from one start to the next. */
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { Failure } from "./failure.ts";

const port = z.number().int().min(0).max(65_535);
const Settings = z.object({
  /** A profile remembers its login server by address. 0: none chosen yet. */
  loginServerPort: port,
  supernodePorts: z.array(port),
  enrolmentToken: z.string(),
  /** Of everyone on this network; it is nobody's secret but this user's. */
  password: z.string(),
  /** Who has registered and whose requests are answered. */
  people: z.array(z.string()),
});
export type NetworkSettings = z.infer<typeof Settings>;

export class DataFolder {
  readonly path: string;
  readonly settings: NetworkSettings;

  private constructor(path: string, settings: NetworkSettings) {
    this.path = path;
    this.settings = settings;
  }

  /** @throws Failure when it cannot be written, is damaged, or is in use by another run */
  static async open(path: string): Promise<DataFolder> {
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
      await takeLock(join(path, "running"));
      return new DataFolder(path, await readSettings(join(path, "network.json")));
    } catch (error) {
      if (error instanceof Failure) throw error;
      throw new Failure(`${path} cannot be used: ${error instanceof Error ? error.message : error}`);
    }
  }

  in(name: string): string {
    return join(this.path, name);
  }

  async save(): Promise<void> {
    await writeFile(this.in("network.json"), JSON.stringify(this.settings, null, 2), { mode: 0o600 });
  }

  async close(): Promise<void> {
    await rm(this.in("running"), { force: true });
  }
}

async function readSettings(file: string): Promise<NetworkSettings> {
  const text = await readFile(file, "utf8").catch(() => null);
  if (text === null) {
    return {
      loginServerPort: 0,
      supernodePorts: [],
      enrolmentToken: randomBytes(18).toString("base64url"),
      password: randomBytes(9).toString("base64url"),
      people: [],
    };
  }
  return Settings.parse(JSON.parse(text));
}

/** The lock is a file with our process ID; that of a process which has died is taken over. */
async function takeLock(file: string): Promise<void> {
  const holder = Number(await readFile(file, "utf8").catch(() => "0"));
  if (holder > 0 && isAlive(holder)) {
    throw new Failure(`It runs already, as process ${holder}. Give a second one another folder with --data DIR.`);
  }
  await rm(file, { force: true });
  const lock = await open(file, "wx");
  await lock.writeFile(String(process.pid));
  await lock.close();
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid !== process.pid;
  } catch {
    return false;
  }
}
