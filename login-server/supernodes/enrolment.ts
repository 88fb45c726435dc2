/** Enrolment: how a supernode joins the network, with its operator's token or a member's ticket. */
import { randomBytes } from "node:crypto";
import type { Kysely, Selectable } from "kysely";
import type { z } from "zod";
import { equalBytes, toHex } from "../../protocol/bytes.ts";
import { HOST_PATTERN, TLS_FINGERPRINT_BYTES } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import { SIGN_KEY_BYTES, SIGNATURE_BYTES, SUPERNODE_ID_BYTES, SupernodeId } from "../../protocol/identifiers.ts";
import { LIMITS, TIMES } from "../../protocol/limits.ts";
import type { LOGIN_HTTP } from "../../protocol/login-api.ts";
import { enrolmentStatement } from "../../protocol/login-proof.ts";
import { nodeSignatures } from "../../protocol/node-crypto.ts";
import { exactBytes } from "../http/exact-bytes.ts";
import type { CertificateAuthority } from "../keys/certificate-authority.ts";
import type { Schema } from "../storage/schema.ts";
import { nextCertificateSerial } from "../storage/serial.ts";
import type { DesktopSupernodes, Ticket } from "./desktop-supernodes.ts";
import type { EnrolmentTokens } from "./enrolment-tokens.ts";
import { holdEnrolments, requireNotRemoved } from "./supernode-removal.ts";

type EnrolRequest = z.infer<typeof LOGIN_HTTP.enrol.input>;

interface EnrolmentParts {
  readonly db: Kysely<Schema>;
  readonly authority: CertificateAuthority;
  readonly tokens: Pick<EnrolmentTokens, "isGood">;
  readonly desktop: Pick<DesktopSupernodes, "redeem">;
  now(): number;
}

/** What a supernode proved to be. */
interface Candidate {
  readonly signKey: Uint8Array;
  readonly tlsFingerprint: Uint8Array;
  readonly host: string;
  readonly port: number;
}

export class Enrolment {
  readonly #parts: EnrolmentParts;

  constructor(parts: EnrolmentParts) {
    this.#parts = parts;
  }

  /**
   * Certifies a supernode. Its ID is drawn once and kept for its signing key; a new address
   * or TLS certificate, or a certificate past half-life, makes a new certificate. An operator's
   * that is enrolled already needs no token: its key is proof enough, and its token may be spent.
   * @throws KithError `enrolment-refused`, `supernode-removed`, `malformed`, `signature-invalid`, `too-large`
   */
  async enrol(request: EnrolRequest): Promise<{ certificate: Uint8Array; changed: boolean }> {
    const { db, tokens, desktop } = this.#parts;
    const candidate = this.#requireProof(request);
    const isNewcomersToken = await tokens.isGood(db, request.token);
    const ticket = isNewcomersToken ? null : await desktop.redeem(request.token);
    if (ticket && candidate.host !== ticket.host) throw new KithError("enrolment-refused");
    return db.transaction().execute(async (transaction) => {
      await holdEnrolments(transaction);
      await requireNotRemoved(transaction, candidate.signKey, ticket?.accountId ?? null);
      const known = await findRow(transaction, candidate.signKey, ticket);
      if (!isNewcomersToken && !ticket && known?.account_id !== null) throw new KithError("enrolment-refused");
      const now = this.#parts.now();
      if (
        known &&
        known.host === candidate.host &&
        known.port === candidate.port &&
        equalBytes(known.tls_fingerprint, candidate.tlsFingerprint) &&
        equalBytes(known.sign_key, candidate.signKey) &&
        known.device_id === (ticket?.deviceId ?? null) &&
        !this.#parts.authority.isDue({ issuedAt: known.issued_at, expiresAt: known.expires_at })
      ) {
        return { certificate: known.certificate, changed: false };
      }
      if (!known) await requireRoom(transaction, now);
      const supernodeId = known?.supernode_id ?? SupernodeId.parse(toHex(randomBytes(SUPERNODE_ID_BYTES)));
      const certificate = await this.#certify(transaction, supernodeId, candidate, ticket, known);
      await transaction.updateTable("supernode_list").set({ outdated: 1 }).execute();
      return { certificate, changed: true };
    });
  }

  #requireProof(request: EnrolRequest): Candidate {
    const { host, port } = request;
    const signKey = exactBytes(request.signKey, SIGN_KEY_BYTES, "signKey");
    const tlsFingerprint = exactBytes(request.tlsFingerprint, TLS_FINGERPRINT_BYTES, "tlsFingerprint");
    const proof = exactBytes(request.proof, SIGNATURE_BYTES, "proof");
    if (!HOST_PATTERN.test(host)) throw new KithError("malformed", { what: "host" });
    const candidate = { signKey, tlsFingerprint, host, port };
    const claim = { ...candidate, networkId: this.#parts.authority.networkId };
    if (!nodeSignatures.verify(enrolmentStatement(claim), proof, signKey)) {
      throw new KithError("signature-invalid", { what: "enrolment" });
    }
    return candidate;
  }

  async #certify(
    db: Kysely<Schema>,
    supernodeId: SupernodeId,
    candidate: Candidate,
    ticket: Ticket | null,
    known: SupernodeRow | undefined,
  ): Promise<Uint8Array> {
    const serial = await nextCertificateSerial(db);
    const validForMs = ticket ? TIMES.desktopSupernodeCertificateMs : TIMES.supernodeCertificateMs;
    const issued = this.#parts.authority.issueSupernode({ ...candidate, supernodeId, serial }, validForMs);
    const isSameDevice = known !== undefined && known.device_id === ticket?.deviceId;
    const row = {
      sign_key: candidate.signKey,
      tls_fingerprint: candidate.tlsFingerprint,
      host: candidate.host,
      port: candidate.port,
      certificate: issued.bytes,
      issued_at: issued.issuedAt,
      expires_at: issued.expiresAt,
      account_id: ticket?.accountId ?? null,
      device_id: ticket?.deviceId ?? null,
      // A member's is listed once others have reached it.
      listed_until: ticket ? (isSameDevice ? known.listed_until : 0) : null,
    };
    await db
      .insertInto("supernodes")
      .values({ supernode_id: supernodeId, ...row })
      .onConflict((conflict) => conflict.column("supernode_id").doUpdateSet(row))
      .execute();
    await db.deleteFrom("supernode_certificates").where("expires_at", "<=", this.#parts.now()).execute();
    await db
      .insertInto("supernode_certificates")
      .values({ serial, supernode_id: supernodeId, expires_at: issued.expiresAt })
      .execute();
    return issued.bytes;
  }
}

type SupernodeRow = Selectable<Schema["supernodes"]>;

/** An account has one row, whatever keys it enrols with; a signing key has one, which nobody else takes over. */
async function findRow(
  db: Kysely<Schema>,
  signKey: Uint8Array,
  ticket: Ticket | null,
): Promise<SupernodeRow | undefined> {
  const byKey = await db.selectFrom("supernodes").selectAll().where("sign_key", "=", signKey).executeTakeFirst();
  if (!ticket) return byKey;
  if (byKey && byKey.account_id !== ticket.accountId) throw new KithError("enrolment-refused");
  const owned = db.selectFrom("supernodes").selectAll().where("account_id", "=", ticket.accountId);
  return byKey ?? (await owned.executeTakeFirst());
}

async function requireRoom(db: Kysely<Schema>, now: number): Promise<void> {
  const { listed } = await db
    .selectFrom("supernodes")
    .select((query) => query.fn.countAll<number>().as("listed"))
    .where("expires_at", ">", now)
    .executeTakeFirstOrThrow();
  if (Number(listed) >= LIMITS.maxSupernodes) {
    throw new KithError("too-large", { what: "The supernode list", limit: `${LIMITS.maxSupernodes} entries` });
  }
}
