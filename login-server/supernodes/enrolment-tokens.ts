/**
 * What operators' supernodes enrol with: the token of the options or of the keys file, until
 * it is spent. Whoever runs a supernode that was removed has that token too, so from then on
 * newcomers need another one; those who are enrolled renew by their keys.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Kysely } from "kysely";
import type { Schema } from "../storage/schema.ts";

const TOKEN_BYTES = 24;

export class EnrolmentTokens {
  readonly #configured: string;

  /** @param configured by the options, or drawn with the network's keys */
  constructor(configured: string) {
    this.#configured = configured;
  }

  async isGood(db: Kysely<Schema>, token: string): Promise<boolean> {
    const known = await db
      .selectFrom("enrolment_tokens")
      .select("spent")
      .where("token_hash", "=", hashOf(token))
      .executeTakeFirst();
    return known ? known.spent === 0 : sameToken(token, this.#configured);
  }

  /** Every token of before is spent. @returns the new one, of which only a hash is kept */
  async replace(db: Kysely<Schema>): Promise<string> {
    await db.updateTable("enrolment_tokens").set({ spent: 1 }).execute();
    await db
      .insertInto("enrolment_tokens")
      .values({ token_hash: hashOf(this.#configured), spent: 1 })
      .onConflict((conflict) => conflict.column("token_hash").doNothing())
      .execute();
    const token = randomBytes(TOKEN_BYTES).toString("base64url");
    await db
      .insertInto("enrolment_tokens")
      .values({ token_hash: hashOf(token), spent: 0 })
      .execute();
    return token;
  }
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Compares digests, so that the time tells neither a matching beginning nor the length. */
function sameToken(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
