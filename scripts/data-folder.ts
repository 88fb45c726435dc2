/** The folder of a network on this machine, and what has to stay the same from one start to the next. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { lockProfile } from "../main/storage/profile-lock.ts";
import { KithError } from "../protocol/errors.ts";
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
  private readonly unlock: () => void;

  private constructor(path: string, settings: NetworkSettings, unlock: () => void) {
    this.path = path;
    this.settings = settings;
    this.unlock = unlock;
  }

  /** @throws Failure when it cannot be written, is damaged, or is in use by another run */
  static async open(path: string): Promise<DataFolder> {
    let unlock = () => {};
    try {
      await mkdir(path, { recursive: true, mode: 0o700 });
      unlock = lockProfile(path);
      return new DataFolder(path, await readSettings(join(path, "network.json")), unlock);
    } catch (error) {
      unlock();
      if (error instanceof KithError && error.code === "data-in-use") {
        throw new Failure(`${path} is in use: it runs already. Give a second one another folder with --data DIR.`);
      }
      throw new Failure(`${path} cannot be used: ${error instanceof Error ? error.message : error}`);
    }
  }

  in(name: string): string {
    return join(this.path, name);
  }

  async save(): Promise<void> {
    // Whole or not at all: without the password nobody gets into the accounts again.
    await writeFile(this.in("network.json.new"), JSON.stringify(this.settings, null, 2), { mode: 0o600 });
    await rename(this.in("network.json.new"), this.in("network.json"));
  }

  async close(): Promise<void> {
    this.unlock();
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
