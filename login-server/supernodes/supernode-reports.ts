/** What supernodes say of themselves: that they are there, and how many more nodes they take. How long they have been there, the login server counts itself. */
import type { Kysely } from "kysely";
import type { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import { SIGNATURE_BYTES, type SupernodeId } from "../../protocol/identifiers.ts";
import { TIMES } from "../../protocol/limits.ts";
import type { LOGIN_HTTP } from "../../protocol/login-api.ts";
import { reportStatement } from "../../protocol/login-proof.ts";
import { nodeSignatures } from "../../protocol/node-crypto.ts";
import { exactBytes } from "../http/exact-bytes.ts";
import type { CertificateAuthority } from "../keys/certificate-authority.ts";
import type { Schema } from "../storage/schema.ts";

/** Six reports missed: whoever is silent for that long is not there. */
export const SILENT_AFTER_MS = 3_600_000;

/** How a supernode has done, as the list is ordered by it. */
export interface Standing {
  readonly supernode_id: SupernodeId;
  readonly heard_at: number | null;
  readonly up_since: number | null;
  readonly room: number | null;
}

type Report = z.infer<typeof LOGIN_HTTP.report.input>;

interface SupernodeReportsParts {
  readonly db: Kysely<Schema>;
  readonly authority: Pick<CertificateAuthority, "networkId">;
  /** One was heard for the first time, or again after it had left the list: the next list knows when it falls silent. */
  heard(): void;
  now(): number;
}

export class SupernodeReports {
  readonly #parts: SupernodeReportsParts;

  constructor(parts: SupernodeReportsParts) {
    this.#parts = parts;
  }

  /** @throws KithError `enrolment-refused` for one that was never enrolled, `signature-invalid`, `clock-skew`, `malformed` */
  async take(report: Report): Promise<void> {
    const { db, authority, now, heard } = this.#parts;
    const { supernodeId, at, room } = report;
    const known = await db
      .selectFrom("supernodes")
      .select(["sign_key", "heard_at", "up_since"])
      .where("supernode_id", "=", supernodeId)
      .executeTakeFirst();
    if (!known) throw new KithError("enrolment-refused");
    const proof = exactBytes(report.proof, SIGNATURE_BYTES, "proof");
    const statement = reportStatement({ networkId: authority.networkId, supernodeId, at, room });
    if (!nodeSignatures.verify(statement, proof, new Uint8Array(known.sign_key))) {
      throw new KithError("signature-invalid", { what: "report" });
    }
    const time = now();
    if (Math.abs(time - at) > TIMES.maxClockSkewMs) {
      throw new KithError("clock-skew", { minutes: TIMES.maxClockSkewMs / 60_000 });
    }
    const wasSilent = known.heard_at === null || time - known.heard_at >= SILENT_AFTER_MS;
    await db
      .updateTable("supernodes")
      .set({ heard_at: time, room, up_since: wasSilent ? time : (known.up_since ?? time) })
      .where("supernode_id", "=", supernodeId)
      .execute();
    if (wasSilent) heard();
  }
}

/**
 * When a supernode that says nothing more leaves the list; one that never said anything stays.
 * @param listeningSince before that, nobody could be heard
 */
export function silentAt({ heard_at }: Pick<Standing, "heard_at">, listeningSince: number): number {
  return heard_at === null ? Number.POSITIVE_INFINITY : Math.max(heard_at, listeningSince) + SILENT_AFTER_MS;
}

/** Those with room before those that are full, then those that were there the longest: who has stayed will stay. */
export function byStanding(a: Standing, b: Standing): number {
  const fullness = Number(a.room === 0) - Number(b.room === 0);
  if (fullness !== 0) return fullness;
  const age = (a.up_since ?? Number.POSITIVE_INFINITY) - (b.up_since ?? Number.POSITIVE_INFINITY);
  return age === 0 || Number.isNaN(age) ? a.supernode_id.localeCompare(b.supernode_id) : age;
}
