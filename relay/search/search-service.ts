/** Search at a supernode, wired together: what it answers to nodes and to supernodes, and what it does by itself. */
import type { Logger } from "pino";
import { equalBytes } from "../../protocol/bytes.ts";
import { KithError } from "../../protocol/errors.ts";
import type { SupernodeId, UserId } from "../../protocol/identifiers.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { trustProfile } from "../../protocol/profile.ts";
import type { SEARCH_LINK_METHODS, SEARCH_NODE_METHODS } from "../../protocol/search-api.ts";
import type { TrustAnchor } from "../../protocol/trust.ts";
import type { LinkPeer } from "../links/link-peer.ts";
import type { Peers } from "../links/peers.ts";
import type { Membership } from "../membership/membership-source.ts";
import type { Attachment } from "../nodes/attachments.ts";
import type { SessionHandlers } from "../sockets/endpoint.ts";
import { Handover } from "./handover.ts";
import { loadProfiles, saveProfiles } from "./profile-file.ts";
import { ProfilePublisher } from "./profile-publisher.ts";
import { ProfileSearch } from "./profile-search.ts";
import { ProfileShard } from "./profile-shard.ts";
import { ProfileStore } from "./profile-store.ts";
import { Allowances } from "./search-allowance.ts";
import { SearchCursors } from "./search-cursor.ts";
import { SEARCH_LIMITS, SEARCH_TIMES, type SearchLimits, type SearchTimes } from "./search-limits.ts";
import { SearchMetrics, searchSection } from "./search-metrics.ts";

export interface SearchServiceParts {
  readonly self: SupernodeId;
  readonly anchor: TrustAnchor;
  readonly membership: Membership;
  /** Where the profiles are kept over a restart; null: nowhere. */
  readonly file: string | null;
  /** 32 bytes for the cursors, fresh in every process. */
  readonly cursorKey: Uint8Array;
  readonly limits?: Partial<SearchLimits>;
  readonly times?: Partial<SearchTimes>;
  readonly random: () => number;
  readonly log: Logger;
}

/** Profiles read from the disk and checked before anything else has its turn. */
const LOAD_SLICE = 50;

type Running = { readonly publisher: ProfilePublisher; readonly search: ProfileSearch; readonly handover: Handover };

export class SearchService {
  readonly metrics = new SearchMetrics();
  readonly #parts: SearchServiceParts;
  readonly #limits: SearchLimits;
  readonly #times: SearchTimes;
  readonly #store: ProfileStore;
  readonly #shard: ProfileShard;
  readonly #cursors: SearchCursors;
  readonly #searching: Allowances<UserId>;
  readonly #publishing: Allowances<UserId>;
  readonly #supernodes: Allowances<SupernodeId>;
  readonly #timers: NodeJS.Timeout[] = [];
  #running: Running | null = null;
  #savedAs = -1;
  #saving: Promise<void> | null = null;
  #isClosed = false;
  /** Resolves when the file has been read. */
  readonly loaded: Promise<void>;

  constructor(parts: SearchServiceParts) {
    this.#parts = parts;
    this.#limits = { ...SEARCH_LIMITS, ...parts.limits };
    this.#times = { ...SEARCH_TIMES, ...parts.times };
    const monotonic = () => performance.now();
    this.#store = new ProfileStore(this.#limits.store);
    this.#searching = new Allowances(this.#limits.perUser, monotonic);
    this.#publishing = new Allowances(this.#limits.publishing, monotonic);
    this.#supernodes = new Allowances(this.#limits.perSupernode, monotonic);
    this.#cursors = new SearchCursors(parts.cursorKey);
    const { self, anchor, membership } = parts;
    this.#shard = new ProfileShard({
      self,
      anchor,
      membership,
      store: this.#store,
      allowances: this.#supernodes,
      metrics: this.metrics,
    });
    this.loaded = this.#load();
  }

  /** Begins to speak to others. */
  start(peers: Peers): void {
    const { self, anchor, membership, random } = this.#parts;
    const common = { membership, peers, now: anchor.now, times: this.#times };
    this.#running = {
      publisher: new ProfilePublisher(common),
      search: new ProfileSearch({ ...common, self, anchor, metrics: this.metrics }),
      handover: new Handover({ ...common, self, store: this.#store, metrics: this.metrics, random }),
    };
    this.#timers.push(
      setInterval(() => this.#sweep(), this.#times.sweepMs),
      setInterval(() => void this.save(), this.#times.saveMs),
    );
  }

  /** For the status page and the metrics. */
  get section() {
    return searchSection(this.metrics, this.#store, this.#limits.store.maxProfiles);
  }

  get nodeHandlers(): SessionHandlers<typeof SEARCH_NODE_METHODS, Attachment> {
    return {
      publishProfile: async (attachment, { profile }) => {
        await this.#publish(attachment, profile);
        return {};
      },
      ownProfile: async (attachment) => {
        const { userId, handle } = attachment.certificate.value;
        this.#spend(this.#searching, userId);
        const latest = await this.#required.search.latestOf(userId, handle);
        return { profile: latest?.bytes ?? null };
      },
      search: (attachment, { text, cursor }) => this.#search(attachment.certificate.value.userId, text, cursor),
    };
  }

  get linkHandlers(): SessionHandlers<typeof SEARCH_LINK_METHODS, LinkPeer> {
    return {
      storeProfile: (_peer, { profile }) => {
        this.#shard.put(profile);
        return {};
      },
      offerProfiles: (_peer, { offered }) => ({ wanted: this.#shard.lacking(offered) }),
      searchProfiles: (peer, { text, term, after }) => this.#shard.page(peer.supernodeId, text, term, after),
      knownProfiles: (_peer, { userIds }) => ({ profiles: this.#shard.known(userIds) }),
    };
  }

  /** What is kept is on the disk when this resolves, or the log says why not. */
  save(): Promise<void> {
    this.#saving ??= this.#save().finally(() => {
      this.#saving = null;
    });
    return this.#saving;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#running?.publisher.close();
    this.#running?.handover.close();
    await this.loaded;
    await this.#saving;
    await this.save();
  }

  /** @throws KithError `rate-limited`, `profile-refused`, and as trustProfile and ProfilePublisher */
  async #publish(attachment: Attachment, bytes: Uint8Array): Promise<void> {
    const owner = attachment.certificate.value;
    this.#spend(this.#publishing, owner.userId);
    try {
      const profile = trustProfile(this.#parts.anchor, bytes);
      const { signKey } = profile.value.certificate.value;
      if (profile.value.userId !== owner.userId || !equalBytes(signKey, owner.signKey)) {
        throw new KithError("profile-refused", { why: "it is of another user" });
      }
      await this.#required.publisher.publish(profile);
      this.metrics.published++;
    } catch (error) {
      this.metrics.refused.profile++;
      throw error;
    }
  }

  async #search(asker: UserId, text: string, cursor: string | null) {
    this.#spend(this.#searching, asker);
    this.metrics.searches++;
    const place = cursor === null ? null : this.#cursors.open(asker, text, cursor);
    try {
      const { found, more, isCut } = await this.#required.search.search(text, place?.after ?? null);
      const shown = (place?.shown ?? 0) + found.length;
      const last = found.at(-1);
      const goesOn = more && last !== undefined && shown < LIMITS.maxSearchResults;
      return {
        profiles: found.map(({ profile }) => profile.bytes),
        cursor: goesOn ? this.#cursors.seal(asker, text, { after: last.rank, shown }) : null,
        isCut: isCut || (more && !goesOn),
      };
    } catch (error) {
      if (error instanceof KithError && error.code === "search-too-short") this.metrics.refused["too-short"]++;
      throw error;
    }
  }

  #spend(allowances: Allowances<UserId>, userId: UserId): void {
    try {
      allowances.spend(userId);
    } catch (error) {
      this.metrics.refused["node-rate"]++;
      throw error;
    }
  }

  get #required(): Running {
    if (!this.#running || this.#isClosed) throw new KithError("supernode-unreachable");
    return this.#running;
  }

  #sweep(): void {
    for (const allowances of [this.#searching, this.#publishing, this.#supernodes]) allowances.sweep();
    this.metrics.expired += this.#store.expire(this.#parts.anchor.now());
  }

  async #load(): Promise<void> {
    const { file, anchor, log } = this.#parts;
    if (file === null) return;
    let read = 0;
    try {
      for await (const { bytes } of loadProfiles(file)) {
        if (this.#isClosed) return;
        try {
          this.#store.put(trustProfile(anchor, bytes));
        } catch {
          // Lapsed meanwhile, or damaged.
        }
        if (++read % LOAD_SLICE === 0) await new Promise(setImmediate);
      }
    } catch (error) {
      log.error({ err: error, file }, "the profiles of the last time cannot be read");
    }
    this.#savedAs = this.metrics.stored;
  }

  async #save(): Promise<void> {
    const { file, log } = this.#parts;
    const { stored } = this.metrics;
    if (file === null || stored === this.#savedAs) return;
    try {
      await saveProfiles(file, this.#store.all());
      this.#savedAs = stored;
    } catch (error) {
      log.error({ err: error, file }, "the profiles cannot be written");
    }
  }
}
