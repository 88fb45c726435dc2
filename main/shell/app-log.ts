/** The app's log file, in the profile: what went wrong, never what was said or to whom. */
import { join } from "node:path";
import electronLog from "electron-log/main";
import type { Log } from "../core/log.ts";

/** @param folder is made when the first line is written; the file is cut at 1 MB, one older one is kept */
export function appLog(folder: string): Log {
  const logger = electronLog.create({ logId: "kith" });
  logger.transports.file.resolvePathFn = () => join(folder, "kith.log");
  logger.transports.file.maxSize = 1_000_000;
  logger.transports.file.level = "info";
  logger.transports.console.level = "warn";
  return {
    info: (what, details) => logger.info(what, details ?? {}),
    warn: (what, details) => logger.warn(what, details ?? {}),
    error: (what, details) => logger.error(what, details ?? {}),
  };
}
