/** How the network gets another signing key: announced, then in use beside the old one, then alone. */
import { randomBytes } from "node:crypto";
import type { Kysely } from "kysely";
import type { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import { confirmationLink } from "../../protocol/invitation.ts";
import { decodeSuccession, signSuccession } from "../../protocol/network-key.ts";
import { endOf, keyAt, placeAt } from "../../protocol/network-key-chain.ts";
import { networkIdOf, signingKeyPair } from "../../protocol/node-crypto.ts";
import type { ADMIN_API, KeyChange } from "../administration/admin-api.ts";
import type { Actor } from "../administration/administration.ts";
import type { AuditLog } from "../administration/audit-log.ts";
import type { OpenData } from "../data-folder.ts";
import type { Schema } from "../storage/schema.ts";
import { type KeyRing, sealSeed } from "./key-ring.ts";

type Told = z.infer<typeof ADMIN_API.networkKey.output>;

interface KeyRotationParts {
  readonly db: Kysely<Schema>;
  readonly ring: KeyRing;
  readonly audit: AuditLog;
  /** Beside the first key, on the disk. */
  readonly keepSuccessor: OpenData["keepSuccessor"];
  /** There is a key that was not known here; `madeHere`: the other instances do not know it either. */
  announced(madeHere: boolean): void;
  fault(error: unknown): void;
  now(): number;
}

export class KeyRotation {
  readonly #parts: KeyRotationParts;

  constructor(parts: KeyRotationParts) {
    this.#parts = parts;
  }

  /** Every key that there was, is, or is announced. */
  show(): Told {
    const { ring, now } = this.#parts;
    const { chain } = ring;
    const [time, { networkId, successions }] = [now(), chain];
    const present = placeAt(chain, time);
    const keys = [null, ...successions].map((succession, place) => {
      const end = endOf(chain, place);
      const isOld = place < present;
      return {
        number: place + 1,
        fingerprint: networkIdOf(keyAt(chain, place)),
        from: succession?.value.from ?? null,
        until: Number.isFinite(end) ? end : null,
        reason: succession?.value.reason ?? null,
        state: isOld ? (end > time ? ("overlap" as const) : ("over" as const)) : stateOf(place, present),
      };
    });
    return { networkId, keys, confirmationLink: confirmationLink(networkId, ring.fingerprint) };
  }

  /**
   * Makes another key. It is on the disk before it is announced, and announced before it signs anything,
   * so that everybody knows it by then; the place of a stolen key it takes at once.
   * @throws KithError `option-invalid` while a change is under way, `data-folder-unwritable`
   */
  async rotate(change: z.infer<typeof KeyChange>, actor: Actor): Promise<Told> {
    const { db, ring, audit, keepSuccessor, now } = this.#parts;
    await this.lookAgain();
    const { chain } = ring;
    const time = now();
    const number = chain.successions.length + 1;
    this.#requireRoom(time, change);
    const isStolen = change.reason === "stolen";
    // Not in this very millisecond, in which the old key may have signed.
    const from = time + Math.max(1, isStolen ? 0 : change.noticeMs);
    const until = isStolen ? from : from + change.overlapMs;
    const old = ring.pairAt(time);
    const seed = randomBytes(32);
    const next = signingKeyPair(seed);
    const { networkId } = chain;
    const succession = signSuccession({ networkId, number, from, until, reason: change.reason }, old, next);
    keepSuccessor(seed);
    ring.add(next);
    await db.transaction().execute(async (transaction) => {
      await transaction
        .insertInto("network_keys")
        .values({ number, succession, sealed_seed: isStolen ? null : sealSeed(seed, old) })
        .execute();
      const subject = networkIdOf(decodeSuccession(succession).value.key);
      const details = `${change.reason}, from ${at(from)}, the old one until ${at(until)}`;
      await audit.add(transaction, { actor: actor.name, action: "network-key-changed", subject, details });
    });
    await ring.load(db, time);
    this.#parts.announced(true);
    return this.show();
  }

  /** Another instance may have made a key. */
  async lookAgain(): Promise<void> {
    const { ring, db, now, fault } = this.#parts;
    const isNews = await ring.load(db, now());
    await ring.forgetSealed(db, now());
    if (!isNews) return;
    this.#parts.announced(false);
    try {
      ring.pairAt(Number.MAX_SAFE_INTEGER);
    } catch (error) {
      fault(error);
    }
  }

  #requireRoom(time: number, { endOverlap, reason }: z.infer<typeof KeyChange>): void {
    const { chain } = this.#parts.ring;
    const announced = chain.successions.at(-1)?.value.from ?? 0;
    if (announced > time)
      throw new KithError("option-invalid", { option: "rotate", why: `a key is announced for ${at(announced)}` });
    const overlapEnd = chain.successions.length === 0 ? 0 : endOf(chain, chain.successions.length - 1);
    if (overlapEnd > time && !endOverlap && reason === "planned") {
      const why = `the last change's overlap goes on until ${at(overlapEnd)}; --end-overlap ends it with this one`;
      throw new KithError("option-invalid", { option: "rotate", why });
    }
  }
}

function stateOf(place: number, present: number): "present" | "announced" {
  return place === present ? "present" : "announced";
}

function at(ms: number): string {
  return new Date(ms).toISOString();
}
