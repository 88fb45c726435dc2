/** Reads the key log through the session with the login server, and believes of it what is proved. */
import { equalBytes } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import type { Handle } from "../../protocol/identifiers.ts";
import {
  chainOn,
  continues,
  decodeKeyLogEntries,
  decodeKeyLogHead,
  epochsBetween,
  type KeyLogEntry,
  type KeyLogHead,
  provesChain,
  trustKeyLogHead,
} from "../../protocol/key-log.ts";
import { HASH_BYTES } from "../../protocol/key-tree.ts";
import type { LOGIN_METHODS } from "../../protocol/login-api.ts";
import type { Caller } from "../../protocol/rpc.ts";
import type { Signed } from "../../protocol/signed.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { Clock } from "../core/clock.ts";
import type { KeyChains, KeyOwner } from "./key-chains.ts";

export interface KeyLogReaderParts {
  readonly chains: KeyChains;
  readonly anchor: TrustAnchor;
  readonly clock: Clock;
  readonly request: Caller<typeof LOGIN_METHODS>;
}

export class KeyLogReader {
  readonly #parts: KeyLogReaderParts;

  constructor(parts: KeyLogReaderParts) {
    this.#parts = parts;
  }

  /**
   * Reads on where the last reading has stopped.
   * @returns to whom certificates for this handle were issued; nobody as long as there is no log
   * @throws KithError `key-log-broken` where what is answered does not prove itself, `key-log-forked` where it does
   *   not continue what was read before, and those of the request
   */
  async read(handle: Handle): Promise<KeyOwner[]> {
    const { chains, request, clock } = this.#parts;
    const start = await chains.endOf(handle);
    const added: KeyLogEntry[] = [];
    let end = start;
    for (;;) {
      const answer = await request("keyLog", { handle, since: end.length });
      if (answer.head.length === 0) {
        if (await chains.head()) throw new KithError("key-log-forked");
        return [];
      }
      const head = trustHead(this.#parts.anchor, answer.head);
      await this.adopt(head);
      const entries = decodeEntries(answer.entries);
      end = entries.reduce(chainOn, end);
      added.push(...entries);
      if (end.length < answer.length && entries.length > 0) continue;
      if (end.length !== answer.length)
        throw new KithError(start.length > answer.length ? "key-log-forked" : "key-log-broken");
      if (end.length > 0 && !provesChain(head.value, handle, end, siblingsIn(answer.siblings))) {
        // What was proved before and is proved no longer was taken back.
        throw new KithError(start.length > 0 ? "key-log-forked" : "key-log-broken");
      }
      await chains.extend(handle, end, added, clock.now());
      return chains.owners(handle);
    }
  }

  /**
   * Takes a head for the log's, if it is one with the newest that is known.
   * @throws KithError `key-log-forked`, and those of the request
   */
  async adopt(head: Signed<KeyLogHead>): Promise<void> {
    const { chains, request } = this.#parts;
    const known = await chains.head();
    if (!known) return chains.setHead(head);
    if (known.value.epoch === head.value.epoch) {
      if (!equalBytes(known.body, head.body)) throw new KithError("key-log-forked");
      return;
    }
    const [newer, older] = head.value.epoch > known.value.epoch ? [head, known] : [known, head];
    const epochs = epochsBetween(newer.value.epoch, older.value.epoch);
    const { heads } = epochs.length === 0 ? { heads: [] } : await request("keyLogHeads", { epochs });
    // Named by the hashes of the newer one, whichever key of the network has signed them.
    const between = heads.map(decodeHead);
    if (between.length !== epochs.length || !continues(newer, between, older)) throw new KithError("key-log-forked");
    if (newer === head) await chains.setHead(head);
  }
}

/** @throws KithError `key-log-broken`, `network-key-unconfirmed` while no key of the network is believed */
export function trustHead(anchor: TrustAnchor, bytes: Uint8Array): Signed<KeyLogHead> {
  try {
    return trustKeyLogHead(anchor, Uint8Array.from(bytes));
  } catch (error) {
    if (anchor.keys.unconfirmed) throw new KithError("network-key-unconfirmed", {}, { cause: error });
    throw new KithError("key-log-broken", {}, { cause: error });
  }
}

function decodeHead(bytes: Uint8Array): Signed<KeyLogHead> {
  try {
    return decodeKeyLogHead(Uint8Array.from(bytes));
  } catch (error) {
    throw new KithError("key-log-broken", {}, { cause: error });
  }
}

function decodeEntries(bytes: Uint8Array): KeyLogEntry[] {
  try {
    return decodeKeyLogEntries(Uint8Array.from(bytes));
  } catch (error) {
    throw new KithError("key-log-broken", {}, { cause: error });
  }
}

function siblingsIn(bytes: Uint8Array): Uint8Array[] {
  const siblings: Uint8Array[] = [];
  for (let at = 0; at + HASH_BYTES <= bytes.length; at += HASH_BYTES) {
    siblings.push(Uint8Array.from(bytes.subarray(at, at + HASH_BYTES)));
  }
  return siblings;
}
