/** All supernodes as places to ask, this one included: the same question, answered here or over a link. */

import type { Logger } from "pino";
import { equalBytes } from "../../protocol/bytes.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Input, Output } from "../../protocol/rpc.ts";
import type { Membership, MembershipChange } from "../membership/membership-source.ts";
import type { HolderFault, HolderStandings } from "../records/holder-standing.ts";
import { Link, type LinkParts } from "./link.ts";
import type { LINK_REQUESTS, LinkHandlers, LinkPeer, LinkPush } from "./link-peer.ts";

type Requests = typeof LINK_REQUESTS;

export interface PeersParts {
  readonly self: SupernodeId;
  readonly membership: Pick<Membership, "members" | "onChange" | "linkLost">;
  /** Answers what this supernode asks itself. */
  readonly local: LinkHandlers;
  readonly link: Omit<LinkParts, "onPush" | "onLost">;
  /** What was seen of each: who has failed is asked last for a while. */
  readonly standings: HolderStandings;
  /** ms since 1970 */
  readonly now: () => number;
  readonly log: Logger;
}

export interface PeersListener {
  pushed(from: SupernodeId, push: LinkPush): void;
  /** Whatever was watched there is watched no longer. */
  lost(supernodeId: SupernodeId): void;
  /** It is there, and may not have been before: what has failed is worth another try. */
  returned?(supernodeId: SupernodeId): void;
}

export class Peers {
  readonly #parts: PeersParts;
  readonly #links = new Map<SupernodeId, Link>();
  readonly #listeners: PeersListener[] = [];
  /** This supernode as its own peer. */
  readonly loopback: LinkPeer;
  #isClosed = false;

  constructor(parts: PeersParts) {
    this.#parts = parts;
    // Deferred, so that a change is never announced in the midst of being made.
    this.loopback = { supernodeId: parts.self, push: (push) => queueMicrotask(() => this.#pushed(parts.self, push)) };
    parts.membership.onChange((change) => this.#memberChanged(change));
  }

  listen(listener: PeersListener): void {
    this.#listeners.push(listener);
  }

  /** @throws KithError `supernode-unreachable` (also for one that is no member), `timeout`, or the other's refusal */
  async call<K extends keyof Requests & string>(
    to: SupernodeId,
    name: K,
    input: Input<Requests[K]>,
  ): Promise<Output<Requests[K]>> {
    if (to === this.#parts.self) return this.#parts.local[name](this.loopback, input);
    try {
      return await this.#link(to).call(name, input);
    } catch (error) {
      if (error instanceof KithError && error.code === "timeout") this.#report(to, "silent");
      throw error;
    }
  }

  /** Keeps the link to a supernode open for its pushes. Returns how to give that up. */
  hold(supernodeId: SupernodeId): () => void {
    if (supernodeId === this.#parts.self || !this.#parts.membership.members().has(supernodeId)) return () => undefined;
    return this.#link(supernodeId).hold();
  }

  /** Whether it is worth asking: it does not fail, has not been too slow lately, and has not lied. */
  isGood(supernodeId: SupernodeId): boolean {
    if (this.#links.get(supernodeId)?.isFailed) return false;
    return this.#parts.standings.isGood(supernodeId, this.#parts.now());
  }

  /** A supernode has passed on what does not hold: it is asked last for a while. */
  accuse(supernodeId: SupernodeId, error: unknown): void {
    this.#parts.log.warn({ err: error, supernodeId }, "a supernode passed on what does not hold");
    this.#report(supernodeId, "forged");
  }

  /** A supernode has shown itself by joining this one. */
  returned(supernodeId: SupernodeId): void {
    if (this.#isClosed || !this.#parts.membership.members().has(supernodeId)) return;
    this.#links.get(supernodeId)?.forgive();
    this.#parts.standings.returned(supernodeId, this.#parts.now());
    for (const listener of this.#listeners) listener.returned?.(supernodeId);
  }

  close(): void {
    this.#isClosed = true;
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  #report(supernodeId: SupernodeId, fault: HolderFault): void {
    this.#parts.standings.report(supernodeId, fault, this.#parts.now());
  }

  #link(supernodeId: SupernodeId): Link {
    const known = this.#links.get(supernodeId);
    if (known) return known;
    const member = this.#parts.membership.members().get(supernodeId);
    if (!member || this.#isClosed) throw new KithError("supernode-unreachable");
    const link = new Link(member, {
      ...this.#parts.link,
      onPush: (push) => this.#pushed(supernodeId, push),
      onLost: () => {
        // It may have died: whoever else can answer is asked first, without finding that out each time.
        this.#report(supernodeId, "silent");
        this.#lost(supernodeId);
      },
    });
    this.#links.set(supernodeId, link);
    return link;
  }

  #memberChanged(change: MembershipChange): void {
    if (change.kind === "joined") {
      this.returned(change.member.value.supernodeId);
      return;
    }
    const supernodeId = change.kind === "left" ? change.supernodeId : change.member.value.supernodeId;
    const link = this.#links.get(supernodeId);
    if (!link || (change.kind === "renewed" && isSamePlace(link, change.member.value))) return;
    this.#links.delete(supernodeId);
    link.close();
    this.#lost(supernodeId);
  }

  #pushed(from: SupernodeId, push: LinkPush): void {
    for (const listener of this.#listeners) listener.pushed(from, push);
  }

  #lost(supernodeId: SupernodeId): void {
    if (this.#isClosed) return;
    this.#parts.membership.linkLost(supernodeId);
    for (const listener of this.#listeners) listener.lost(supernodeId);
  }
}

/** A certificate that was only renewed is no reason to reconnect. */
function isSamePlace({ member }: Link, now: SupernodeCertificate): boolean {
  const { host, port, tlsFingerprint } = member.value;
  return host === now.host && port === now.port && equalBytes(tlsFingerprint, now.tlsFingerprint);
}
