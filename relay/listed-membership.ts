/**
 * Membership by the signed list of the login server: kept in the data folder, polled, and
 * fetched at once when a stranger with a good certificate shows up.
 */
import type { Logger } from "pino";
import { equalBytes } from "../protocol/bytes.ts";
import type { SupernodeId } from "../protocol/identifiers.ts";
import { type TrustAnchor, trustSupernodeList } from "../protocol/trust.ts";
import type { DataFolder } from "./data-folder.ts";
import type { LoginServerClient } from "./login-server-client.ts";
import type { Member, Membership, MembershipChange } from "./membership-source.ts";
import type { RelayTimes } from "./relay-times.ts";

const FILE = "supernode-list";
const POLL_GROWTH = 1.5;

export interface ListedMembershipParts {
  readonly folder: DataFolder;
  readonly loginServer: Pick<LoginServerClient, "supernodeList">;
  readonly anchor: TrustAnchor;
  readonly random: () => number;
  readonly times: Pick<RelayTimes, "listPollMinMs" | "listPollMaxMs">;
  readonly log: Logger;
}

export class ListedMembership implements Membership {
  readonly #parts: ListedMembershipParts;
  readonly #listeners = new Set<(change: MembershipChange) => void>();
  #self: Member;
  #listed: readonly Member[] = [];
  #members: ReadonlyMap<SupernodeId, Member>;
  #revision = -1;
  #pollMs: number;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(parts: ListedMembershipParts, self: Member) {
    this.#parts = parts;
    this.#self = self;
    this.#members = new Map([[self.value.supernodeId, self]]);
    this.#pollMs = parts.times.listPollMinMs;
  }

  /** Never fails for want of a login server: then the kept list serves, or this supernode is alone for now. */
  static async open(parts: ListedMembershipParts, self: Member): Promise<ListedMembership> {
    const membership = new ListedMembership(parts, self);
    const kept = parts.folder.read(FILE);
    if (kept) membership.#accept(kept, "kept");
    await membership.#poll();
    return membership;
  }

  members(): ReadonlyMap<SupernodeId, Member> {
    return this.#members;
  }

  meet(supernode: Member): void {
    const known = this.#members.get(supernode.value.supernodeId);
    if (!known || known.value.serial < supernode.value.serial) this.#pollSoon();
  }

  linkLost(): void {
    this.#pollSoon();
  }

  onChange(listener: (change: MembershipChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** This supernode's own certificate has been renewed. */
  renewSelf(self: Member): void {
    this.#self = self;
    this.#refresh();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#listeners.clear();
  }

  #pollSoon(): void {
    if (this.#pollMs === this.#parts.times.listPollMinMs) return;
    this.#pollMs = this.#parts.times.listPollMinMs;
    this.#schedule();
  }

  async #poll(): Promise<void> {
    try {
      this.#accept(await this.#parts.loginServer.supernodeList(), "fetched");
    } catch (error) {
      this.#parts.log.warn({ err: error }, "the supernode list could not be fetched");
    }
    // Certificates expire without a new list.
    this.#refresh();
    this.#pollMs = Math.min(this.#parts.times.listPollMaxMs, this.#pollMs * POLL_GROWTH);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    const jitter = 0.5 + this.#parts.random();
    this.#timer = setTimeout(() => void this.#poll(), this.#pollMs * jitter);
  }

  #accept(bytes: Uint8Array, origin: "kept" | "fetched"): void {
    try {
      const list = trustSupernodeList(this.#parts.anchor, bytes);
      if (list.value.revision <= this.#revision) return;
      this.#revision = list.value.revision;
      this.#listed = list.value.supernodes;
      this.#pollMs = this.#parts.times.listPollMinMs;
      this.#refresh();
      if (origin === "fetched") this.#parts.folder.write(FILE, bytes);
    } catch (error) {
      this.#parts.log.warn({ err: error, origin }, "a supernode list was refused");
    }
  }

  #refresh(): void {
    const before = this.#members;
    const members = new Map<SupernodeId, Member>();
    const now = this.#parts.anchor.now();
    for (const member of this.#listed) {
      if (member.value.expiresAt > now) members.set(member.value.supernodeId, member);
    }
    members.set(this.#self.value.supernodeId, this.#self);
    this.#members = members;
    for (const change of differences(before, members)) {
      for (const listener of this.#listeners) listener(change);
    }
  }
}

function differences(
  before: ReadonlyMap<SupernodeId, Member>,
  after: ReadonlyMap<SupernodeId, Member>,
): MembershipChange[] {
  const changes: MembershipChange[] = [];
  for (const [supernodeId, member] of after) {
    const earlier = before.get(supernodeId);
    if (!earlier) changes.push({ kind: "joined", member });
    else if (!equalBytes(earlier.bytes, member.bytes)) changes.push({ kind: "renewed", member });
  }
  for (const supernodeId of before.keys()) {
    if (!after.has(supernodeId)) changes.push({ kind: "left", supernodeId });
  }
  return changes;
}
