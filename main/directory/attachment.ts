/** Keeps a home supernode and a warm standby: carries out what protocol/link-machine.ts decides. */
import { backoffMs } from "../../protocol/backoff.ts";
import { type Busy, readBusy } from "../../protocol/busy.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import type { DeviceAddress, SupernodeId } from "../../protocol/identifiers.ts";
import { type LinkEffect, type LinkEvent, type LinkState, STOPPED, stepLink } from "../../protocol/link-machine.ts";
import type { UserPresence } from "../../protocol/presence.ts";
import type { Caller } from "../../protocol/rpc.ts";
import type { NODE_METHODS } from "../../protocol/supernode-api.ts";
import type { Surroundings } from "../core/client-options.ts";
import { uniform } from "../core/randomness.ts";
import { feel } from "./pulse.ts";
import { SuggestedHosts } from "./suggested-hosts.ts";
import { type LinkIdentity, type LinkSurroundings, openSupernodeLink, type SupernodeLink } from "./supernode-link.ts";

export interface AttachmentListener {
  /**
   * A home is there, or another one than before: the lease has to be registered there.
   * Resolves once that has been tried: until then a home that goes away is not let go.
   */
  atHome(link: SupernodeLink): Promise<void>;
  homeless(): void;
  deliver(from: DeviceAddress, envelope: Uint8Array): Promise<void>;
  /** From the home only. */
  presence(presence: UserPresence): void;
  /** The newest head of the key log that a supernode knows, unchecked. */
  keyLogHead(head: Uint8Array): void;
  /** An attempt has failed: `trouble` says why. */
  troubled(): void;
  /** Another home or standby than before. */
  linksChanged(): void;
}

/** What is known of supernodes that may be tried: a host cache, or a host book without a disk. */
export interface Hosts {
  candidates(now: number, except: SupernodeId | null): SupernodeCertificate[];
  busyForMs(now: number, except: SupernodeId | null): number;
  succeeded(id: SupernodeId, roundTripMs: number, now: number): void | Promise<void>;
  failed(id: SupernodeId): void | Promise<void>;
  refused(id: SupernodeId, busy: Busy, now: number): void;
}

/** So many supernodes are tried before the back-off; with more, an outage would become a storm. */
const TRIES_PER_ATTEMPT = 3;
/**
 * A supernode that goes away is not tried again at once, but soon: a network that is restarted one by one has nobody
 * else to offer after a while, and whoever comes too soon is refused at little cost.
 */
const GONE_AWAY_SECONDS = 10;

export type AttachmentSurroundings = Omit<LinkSurroundings, "signal"> &
  Pick<Surroundings, "background"> & { readonly times: Pick<Surroundings["times"], "answerDueMs" | "silenceMs"> };

export class Attachment {
  readonly #identity: LinkIdentity;
  readonly #hosts: Hosts;
  readonly #surroundings: AttachmentSurroundings;
  readonly #listener: AttachmentListener;
  readonly #links = new Map<SupernodeId, SupernodeLink>();
  /** The home, while it is felt whether it still answers. */
  #doubted: SupernodeLink | null = null;
  readonly #suggested = new SuggestedHosts();
  #state: LinkState = STOPPED;
  #cancelTimer: (() => void) | null = null;
  #trouble: KithError | null = null;
  /** Settles when the latest home has the lease. */
  #moved: Promise<void> = Promise.resolve();
  #abort = new AbortController();

  constructor(
    identity: LinkIdentity,
    hosts: Hosts,
    surroundings: AttachmentSurroundings,
    listener: AttachmentListener,
  ) {
    this.#identity = identity;
    this.#hosts = hosts;
    this.#surroundings = surroundings;
    this.#listener = listener;
  }

  start(): void {
    this.#abort = new AbortController();
    this.#step({ type: "start" });
  }

  stop(): void {
    this.#step({ type: "stop" });
    this.#abort.abort();
  }

  /** The host cache knows more supernodes than before. */
  moreKnown(): void {
    this.#step({ type: "more-known" });
  }

  /** Another list of supernodes: those that have gone from it are left for others. */
  listChanged(isListed: (supernodeId: SupernodeId) => boolean): void {
    for (const supernodeId of [...this.#links.keys()]) {
      if (!isListed(supernodeId)) this.#step({ type: "leaving", supernodeId });
    }
    this.moreKnown();
  }

  /** A standby is needed sooner than it would be sought. */
  hurry(): void {
    if (this.#state.phase === "attached") this.#step({ type: "more-known" });
  }

  get home(): SupernodeLink | null {
    return "home" in this.#state ? (this.#links.get(this.#state.home) ?? null) : null;
  }

  get standby(): SupernodeLink | null {
    if (this.#state.phase !== "attached" || this.#state.standby.phase !== "ready") return null;
    return this.#links.get(this.#state.standby.supernodeId) ?? null;
  }

  /** Home and standby, as far as there are. */
  get links(): SupernodeLink[] {
    return [this.home, this.standby].filter((link) => link !== null);
  }

  /** Why the latest attempt to attach has failed; null once it has not. */
  get trouble(): KithError | null {
    return this.home ? null : this.#trouble;
  }

  /** Asks the home supernode. @throws KithError `not-attached`, and those of the request */
  readonly request: Caller<typeof NODE_METHODS> = (name, input) => {
    const { home } = this;
    if (!home) return Promise.reject(new KithError("not-attached"));
    const { clock, times } = this.#surroundings;
    const cancel = clock.after(times.answerDueMs, () => this.#doubt(home));
    return home.request(name, input).finally(cancel);
  };

  /** A home that hangs closes nothing, and its own pings are rare: whoever waits for it must not wait for them. */
  #doubt(home: SupernodeLink): void {
    if (this.#doubted === home) return;
    this.#doubted = home;
    const { clock, times } = this.#surroundings;
    feel(home, times.silenceMs, clock, () => {
      if (this.#doubted === home) this.#doubted = null;
    });
  }

  #step(event: LinkEvent): void {
    const { state, effects } = stepLink(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: LinkEffect): void {
    switch (effect.type) {
      case "open":
        this.#surroundings.background.run("attachment", this.#open(effect.except));
        return;
      case "close":
        this.#links.get(effect.supernodeId)?.close();
        this.#links.delete(effect.supernodeId);
        return;
      case "retire": {
        const link = this.#links.get(effect.supernodeId);
        this.#links.delete(effect.supernodeId);
        if (link)
          this.#surroundings.background.run(
            "attachment",
            this.#moved.then(() => link.close()),
          );
        return;
      }
      case "home": {
        const link = this.#links.get(effect.supernodeId);
        if (link) this.#moved = this.#listener.atHome(link);
        return;
      }
      case "homeless":
        this.#listener.homeless();
        return;
      case "start-timer": {
        const { clock, random } = this.#surroundings;
        const waitMs = Math.max(backoffMs(effect.attempt, uniform(random)), this.#busyForMs());
        this.#cancelTimer = clock.after(waitMs, () => this.#step({ type: "timer" }));
        return;
      }
      case "stop-timer":
        this.#cancelTimer?.();
        return;
      default:
        effect satisfies never;
    }
  }

  async #open(except: SupernodeId | null): Promise<void> {
    const { clock, log, background } = this.#surroundings;
    const candidates = this.#hosts.candidates(clock.now(), except);
    this.#trouble ??= candidates.length === 0 ? new KithError("supernode-unreachable") : null;
    for (let tries = 0; tries < TRIES_PER_ATTEMPT; tries++) {
      const target = this.#suggested.takeBest(candidates);
      if (!target) break;
      if (this.#state.phase === "stopped") return;
      const id = target.supernodeId;
      try {
        const { signal } = this.#abort;
        const link = await openSupernodeLink(target, this.#identity, this.#listenerOf(id), {
          ...this.#surroundings,
          signal,
        });
        this.#trouble = null;
        this.#suggested.forget();
        this.#links.set(id, link);
        background.run("host cache", Promise.resolve(this.#hosts.succeeded(id, link.roundTripMs, clock.now())));
        this.#step({ type: "opened", supernodeId: id });
        return this.#listener.linksChanged();
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        this.#trouble = KithError.from(error);
        log.warn("supernode refused or out of reach", { code: this.#trouble.code, cause: this.#trouble.cause });
        if (this.#trouble.code === "supernode-busy") this.#refusedBy(id, readBusy(this.#trouble));
        else background.run("host cache", Promise.resolve(this.#hosts.failed(id)));
      }
    }
    this.#step({ type: "open-failed" });
    this.#listener.troubled();
  }

  /** It costs them both less to ask elsewhere now and there later. */
  #refusedBy(id: SupernodeId, busy: Busy): void {
    this.#hosts.refused(id, busy, this.#surroundings.clock.now());
    this.#suggested.suggest(busy.elsewhere);
  }

  /** Nobody is asked before the time that they said. */
  #busyForMs(): number {
    return this.#hosts.busyForMs(this.#surroundings.clock.now(), this.home?.supernodeId ?? null);
  }

  #listenerOf(supernodeId: SupernodeId) {
    return {
      deliver: (from: DeviceAddress, envelope: Uint8Array) => this.#listener.deliver(from, envelope),
      keyLogHead: (head: Uint8Array) => this.#listener.keyLogHead(head),
      presence: (presence: UserPresence) => {
        if (this.home?.supernodeId === supernodeId) this.#listener.presence(presence);
      },
      goAway: (elsewhere: readonly SupernodeId[]) => {
        this.#hosts.refused(supernodeId, { waitSeconds: GONE_AWAY_SECONDS, elsewhere }, this.#surroundings.clock.now());
        this.#suggested.suggest(elsewhere);
        this.#step({ type: "leaving", supernodeId });
      },
      closed: () => {
        this.#links.delete(supernodeId);
        this.#step({ type: "lost", supernodeId });
        this.#listener.linksChanged();
      },
    };
  }
}
