/**
 * Where a search goes on, as the asker carries it: sealed by this supernode for this asker and
 * query, so that nobody writes one of their own and begins in the middle of everybody.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { KithError } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/identifiers.ts";
import { RankField } from "../../protocol/search-api.ts";

const Place = z.strictObject({
  after: RankField,
  /** People shown so far. */
  shown: z.number().int().positive(),
});
export type SearchPlace = z.infer<typeof Place>;

const MAC_BYTES = 16;

export class SearchCursors {
  readonly #key: Uint8Array;

  /** @param key 32 random bytes, of this process alone */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  seal(asker: UserId, text: string, place: SearchPlace): string {
    const body = Buffer.from(JSON.stringify(place));
    return Buffer.concat([this.#mac(asker, text, body), body]).toString("base64url");
  }

  /** @throws KithError `search-expired` for whatever was not sealed here for this asker and query */
  open(asker: UserId, text: string, cursor: string): SearchPlace {
    const bytes = Buffer.from(cursor, "base64url");
    const body = bytes.subarray(MAC_BYTES);
    const isOurs =
      bytes.length > MAC_BYTES && timingSafeEqual(bytes.subarray(0, MAC_BYTES), this.#mac(asker, text, body));
    if (!isOurs) throw new KithError("search-expired");
    return Place.parse(JSON.parse(body.toString("utf8")));
  }

  #mac(asker: UserId, text: string, body: Uint8Array): Buffer {
    const mac = createHmac("sha256", this.#key).update(asker).update(JSON.stringify(text)).update(body);
    return mac.digest().subarray(0, MAC_BYTES);
  }
}
