/** How much was relayed this month, kept in the data folder: a restart must not give anyone a new month. */
import type { Logger } from "pino";
import { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import type { DataFolder } from "../data-folder.ts";
import type { VolumeLedger } from "./quota-book.ts";

const FILE = "relayed-volumes.json";
const FORMAT_VERSION = 1;

const VolumesFile = z.object({
  version: z.literal(FORMAT_VERSION),
  month: z.string(),
  /** Bytes by account: all together, and each one who has a monthly limit. No address is among the keys. */
  volumes: z.record(z.string(), z.number().nonnegative()),
});
const AnyVersion = z.object({ version: z.number().int() });

export class RelayVolumes implements VolumeLedger {
  readonly #folder: DataFolder;
  readonly #log: Logger;
  #written = "";

  constructor(folder: DataFolder, log: Logger) {
    this.#folder = folder;
    this.#log = log;
  }

  /** @throws KithError `data-corrupt`, `data-newer`, `data-folder-unwritable` */
  read(month: string): ReadonlyMap<string, number> {
    const bytes = this.#folder.read(FILE);
    if (!bytes) return new Map();
    const file = parse(bytes, this.#folder.pathOf(FILE));
    return new Map(file.month === month ? Object.entries(file.volumes) : []);
  }

  /** A full disk must not end the calls that go on: it is logged, and tried again at the next time. */
  write(month: string, volumes: ReadonlyMap<string, number>): void {
    const text = JSON.stringify({ version: FORMAT_VERSION, month, volumes: Object.fromEntries(volumes) });
    if (text === this.#written) return;
    try {
      this.#folder.write(FILE, Buffer.from(`${text}\n`));
      this.#written = text;
    } catch (error) {
      this.#log.error({ err: error }, "the relayed volumes could not be stored");
    }
  }
}

function parse(bytes: Uint8Array, path: string): z.infer<typeof VolumesFile> {
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    const { version } = AnyVersion.parse(json);
    if (version > FORMAT_VERSION) throw new KithError("data-newer", { path });
    return VolumesFile.parse(json);
  } catch (error) {
    if (error instanceof KithError) throw error;
    throw new KithError("data-corrupt", { path }, { cause: error });
  }
}
