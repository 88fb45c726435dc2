/**
 * What the user wants to be found by: kept here, published at whichever supernode is home. All
 * devices of an account publish the same, since each takes over what another has published since.
 */

import { KithError } from "../../protocol/errors.ts";
import type { SearchKey } from "../../protocol/identifiers.ts";
import type { FindableView } from "../../protocol/ipc-schema.ts";
import { LIMITS, TIMES } from "../../protocol/limits.ts";
import {
  areProfileTexts,
  dayOf,
  encodeProfile,
  profileEndsAt,
  profileKeys,
  trustProfile,
} from "../../protocol/profile.ts";
import { signBody } from "../../protocol/signed.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import { appSignatures } from "../account/account-keys.ts";
import type { Account } from "../account/account-store.ts";
import type { Surroundings } from "../core/client-options.ts";
import { uniform } from "../core/randomness.ts";
import { bytesOf } from "../storage/database.ts";
import type { Db } from "../storage/database-schema.ts";
import type { SupernodeLink } from "./supernode-link.ts";

/** What could not be published, although the link stands, is tried again after this. */
const RETRY_MS = 30_000;
/** After a start, somewhere in this time: many may start at once. */
const FIRST_REFRESH_MS = 60_000;
/** Sequences grow by one and a random rest, so that two devices never give two profiles the same. */
const SEQUENCE_STEP = 2 ** 16;

/** Where an earlier version may still be found, and until when. */
interface FormerKey {
  readonly key: SearchKey;
  readonly until: number;
}

interface State {
  readonly view: FindableView;
  /** As it was signed last; null: never. */
  readonly signed: Uint8Array | null;
  readonly sequence: number;
  readonly issuedAt: number;
  readonly formerKeys: readonly FormerKey[];
}

export interface OwnProfileParts {
  readonly db: Db;
  readonly account: Pick<Account, "handle" | "keys">;
  readonly anchor: TrustAnchor;
  /** This device's, as it is now. */
  readonly certificate: () => Uint8Array;
  readonly surroundings: Surroundings;
  readonly changed: () => void;
}

const NEVER: State = {
  view: { on: false, displayName: "", words: "" },
  signed: null,
  sequence: 0,
  issuedAt: 0,
  formerKeys: [],
};

export class OwnProfile {
  readonly #parts: OwnProfileParts;
  #state: State = NEVER;
  #link: SupernodeLink | null = null;
  /** Published since the start. */
  #isFresh = false;
  #cancelTimer: () => void = () => {};
  /** One change or publication after the other. */
  #queue: Promise<void> = Promise.resolve();

  constructor(parts: OwnProfileParts) {
    this.#parts = parts;
  }

  async load(): Promise<void> {
    const row = await this.#parts.db.selectFrom("own_profile").selectAll().executeTakeFirst();
    if (!row) return;
    this.#state = {
      view: { on: row.findable === 1, displayName: row.display_name, words: row.words },
      signed: row.signed && bytesOf(row.signed),
      sequence: row.sequence,
      issuedAt: row.issued_at,
      formerKeys: JSON.parse(row.former_keys),
    };
  }

  get view(): FindableView {
    return this.#state.view;
  }

  /** Kept when this resolves; published as soon as there is a home. @throws KithError `profile-too-long` */
  async change({ on, displayName, words }: FindableView): Promise<void> {
    const view = { on, displayName: displayName.trim(), words: words.trim() };
    if (!areProfileTexts(view)) {
      throw new KithError("profile-too-long", {
        name: LIMITS.maxDisplayNameLength,
        words: LIMITS.maxProfileWordsLength,
      });
    }
    await this.#inTurn(async () => {
      await this.#keep(this.#withView(view));
      this.#parts.changed();
    });
    this.#parts.surroundings.background.run("profile", this.#publish());
  }

  /**
   * Keeps what is published fresh from a new home. What is published already can wait: the holders
   * have it, and when many lose their homes at once, this is not what should keep the rest busy.
   */
  async moveTo(link: SupernodeLink): Promise<void> {
    this.#link = link;
    const { signed, sequence, view } = this.#state;
    const isUrgent = sequence === 0 || (signed === null && (view.on || this.#state.formerKeys.length > 0));
    if (isUrgent) return this.#publish();
    const { random } = this.#parts.surroundings;
    this.#publishAfter(uniform(random) * (this.#isFresh ? TIMES.leaseRefreshMs : FIRST_REFRESH_MS));
  }

  homeless(): void {
    this.#link = null;
    this.#cancelTimer();
  }

  #publish(): Promise<void> {
    return this.#inTurn(async () => {
      const link = this.#link;
      if (!link) return;
      this.#cancelTimer();
      const { log } = this.#parts.surroundings;
      let nextMs: number = TIMES.leaseRefreshMs;
      try {
        await this.#takeOver(link);
        await this.#refresh();
        const { signed } = this.#state;
        if (signed) await link.request("publishProfile", { profile: signed });
        this.#isFresh = true;
      } catch (error) {
        log.warn("profile", { cause: error });
        nextMs = RETRY_MS;
      }
      if (this.#link === link) this.#publishAfter(nextMs);
    });
  }

  #publishAfter(waitMs: number): void {
    const { clock, background } = this.#parts.surroundings;
    this.#cancelTimer();
    this.#cancelTimer = clock.after(waitMs, () => background.run("profile", this.#publish()));
  }

  /** Another device of the account may have published since. */
  async #takeOver(link: SupernodeLink): Promise<void> {
    const { profile } = await link.request("ownProfile", {});
    if (!profile) return;
    const { value, bytes } = trustProfile(this.#parts.anchor, profile);
    if (value.userId !== this.#parts.account.keys.userId || value.sequence <= this.#state.sequence) return;
    const until = profileEndsAt(value);
    await this.#keep({
      view: value.texts ? { on: true, ...value.texts } : { ...this.#state.view, on: false },
      signed: Uint8Array.from(bytes),
      sequence: value.sequence,
      issuedAt: value.issuedAt,
      formerKeys: value.formerKeys.map((key) => ({ key, until })),
    });
    this.#parts.changed();
  }

  /** Signs what has changed, and once a day what has not. */
  async #refresh(): Promise<void> {
    const { view, signed, issuedAt } = this.#state;
    const now = this.#parts.anchor.now();
    if (signed ? issuedAt === dayOf(now) : !view.on && this.#former(now).length === 0) return;
    const { random } = this.#parts.surroundings;
    const [high = 0, low = 0] = random(2);
    const counted = Math.floor(this.#state.sequence / SEQUENCE_STEP) + 1;
    const { certificate, account } = this.#parts;
    const draft = {
      certificate: certificate(),
      texts: view.on ? { displayName: view.displayName, words: view.words } : null,
      sequence: counted * SEQUENCE_STEP + high * 256 + low,
      issuedAt: dayOf(now),
    };
    const own = new Set(profileKeys({ handle: account.handle, texts: draft.texts, formerKeys: [] }));
    const former = this.#former(now).filter(({ key }) => !own.has(key));
    if (!view.on && former.length === 0) {
      // Nothing of it can be found any more.
      await this.#keep({ ...this.#state, signed: null, formerKeys: [] });
      return;
    }
    const body = encodeProfile({ ...draft, formerKeys: former.map(({ key }) => key) });
    await this.#keep({
      view,
      signed: signBody(appSignatures, "profile", body, account.keys.sign.secretKey),
      sequence: draft.sequence,
      issuedAt: draft.issuedAt,
      formerKeys: former,
    });
  }

  /** Other texts: what was published until now has to be superseded at its places. */
  #withView(view: FindableView): State {
    const { account } = this.#parts;
    const before = this.#state;
    const texts = before.view.on ? before.view : null;
    const published: SearchKey[] =
      before.signed && texts ? profileKeys({ handle: account.handle, texts, formerKeys: [] }) : [];
    const until = profileEndsAt(before);
    const kept = before.formerKeys.filter(({ key }) => !published.includes(key));
    const formerKeys = [...published.map((key) => ({ key, until })), ...kept];
    return { ...before, view, signed: null, formerKeys };
  }

  #former(now: number): FormerKey[] {
    return this.#state.formerKeys.filter(({ until }) => until > now).slice(0, LIMITS.maxFormerKeys);
  }

  async #keep(state: State): Promise<void> {
    const values = {
      findable: state.view.on ? 1 : 0,
      display_name: state.view.displayName,
      words: state.view.words,
      sequence: state.sequence,
      issued_at: state.issuedAt,
      signed: state.signed,
      former_keys: JSON.stringify(state.formerKeys),
    };
    await this.#parts.db
      .insertInto("own_profile")
      .values({ id: 1, ...values })
      .onConflict((conflict) => conflict.column("id").doUpdateSet(values))
      .execute();
    this.#state = state;
  }

  #inTurn(task: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(task);
    this.#queue = done.catch(() => undefined);
    return done;
  }
}
