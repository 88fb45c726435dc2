/**
 * A backup: one gzipped file of JSON lines, the same from both engines, so that either can
 * take what the other one wrote. First the header with the network's keys, then each table's
 * name and its rows, at the end how many rows there were. Whoever has it is the network.
 */
import { z } from "zod";

export const BACKUP_VERSION = 1;

export const BackupHeader = z.object({
  kith: z.literal("login-server backup"),
  version: z.number().int().positive(),
  /** How many migrations the database has had. */
  schema: z.number().int().positive(),
  createdAt: z.number(),
  /** The text of network-keys.json. */
  keys: z.string(),
  tables: z.array(z.string()),
});
export type BackupHeader = z.infer<typeof BackupHeader>;

const Value = z.union([z.string(), z.number(), z.null(), z.strictObject({ bytes: z.base64() })]);
export const BackupLine = z.union([
  z.strictObject({ table: z.string() }),
  z.strictObject({ row: z.record(z.string(), Value) }),
  z.strictObject({ end: z.literal(true), rows: z.number().int().nonnegative() }),
]);

export type Row = Readonly<Record<string, unknown>>;

export function encodeRow(row: Row): string {
  const values = Object.entries(row).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? { bytes: Buffer.from(value).toString("base64") } : value,
  ]);
  return JSON.stringify({ row: Object.fromEntries(values) });
}

export function decodeRow(row: Readonly<Record<string, z.infer<typeof Value>>>): Row {
  const values = Object.entries(row).map(([name, value]) => [
    name,
    typeof value === "object" && value !== null ? new Uint8Array(Buffer.from(value.bytes, "base64")) : value,
  ]);
  return Object.fromEntries(values);
}
