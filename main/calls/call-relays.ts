/** Where calls may be relayed: at the supernodes that we are attached to, each asked for a credential when a call begins. */
import { KithError } from "../../protocol/errors.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { IceServer } from "../../protocol/ipc-schema.ts";
import type { RelayCredentials } from "../../protocol/supernode-api.ts";
import type { Surroundings } from "../core/client-options.ts";
import type { SupernodeLink } from "../directory/supernode-link.ts";

/** A call that begins with less than this left is given a new credential. */
const LEAST_LIFETIME_MS = 15 * 60_000;
/** A supernode that did not answer is asked again after this. */
const ASK_AGAIN_MS = 30_000;
const NO_RELAY: Omit<RelayCredentials, "expiresAt"> = { urls: [], username: "", credential: "" };

export class CallRelays {
  readonly #links: () => readonly SupernodeLink[];
  readonly #surroundings: Surroundings;
  readonly #known = new Map<SupernodeId, { readonly credentials: RelayCredentials; readonly askAgainAt: number }>();
  readonly #asking = new Map<SupernodeId, Promise<void>>();

  /** @param links the supernodes that we are attached to just now */
  constructor(links: () => readonly SupernodeLink[], surroundings: Surroundings) {
    this.#links = links;
    this.#surroundings = surroundings;
  }

  /** Every supernode has been asked, and what it answered lasts for a while. */
  get ready(): boolean {
    return this.#links().every((link) => !this.#isDue(link));
  }

  /** Asks whom there is to ask. A supernode that fails is one relay less, no error. */
  async refresh(): Promise<void> {
    const links = this.#links();
    const attached = new Set(links.map(({ supernodeId }) => supernodeId));
    for (const supernodeId of this.#known.keys()) if (!attached.has(supernodeId)) this.#known.delete(supernodeId);
    await Promise.all(links.filter((link) => this.#isDue(link)).map((link) => this.#ask(link)));
  }

  /** The nearest first: WebRTC takes the order for a ranking. */
  get iceServers(): IceServer[] {
    return [...this.#links()]
      .sort((a, b) => a.roundTripMs - b.roundTripMs)
      .flatMap(({ supernodeId }) => {
        const known = this.#known.get(supernodeId);
        return known === undefined || known.credentials.expiresAt <= this.#now() ? [] : iceServersOf(known.credentials);
      });
  }

  /** When the first of them is to be renewed, in ms since 1970. */
  get renewAt(): number {
    return Math.min(...[...this.#known.values()].map(({ askAgainAt }) => askAgainAt));
  }

  #isDue({ supernodeId }: SupernodeLink): boolean {
    const known = this.#known.get(supernodeId);
    return known === undefined || known.askAgainAt <= this.#now();
  }

  #ask(link: SupernodeLink): Promise<void> {
    const { supernodeId } = link;
    const asking = this.#asking.get(supernodeId) ?? this.#fetch(link);
    this.#asking.set(supernodeId, asking);
    return asking.finally(() => this.#asking.delete(supernodeId));
  }

  async #fetch({ supernodeId, request }: SupernodeLink): Promise<void> {
    try {
      const credentials = await request("relayCredentials", {});
      const lastsUntil = credentials.expiresAt - LEAST_LIFETIME_MS;
      this.#known.set(supernodeId, { credentials, askAgainAt: Math.max(lastsUntil, this.#now() + ASK_AGAIN_MS) });
    } catch (error) {
      this.#surroundings.log.warn("no relay at a supernode", { code: KithError.from(error).code });
      // What it gave before may be good still.
      const credentials = this.#known.get(supernodeId)?.credentials ?? { ...NO_RELAY, expiresAt: 0 };
      this.#known.set(supernodeId, { credentials, askAgainAt: this.#now() + ASK_AGAIN_MS });
    }
  }

  #now(): number {
    return this.#surroundings.clock.now();
  }
}

/** STUN asks for no credentials, so it is given none. */
function iceServersOf({ urls, username, credential }: RelayCredentials): IceServer[] {
  const stun = urls.filter((url) => url.startsWith("stun:"));
  const turn = urls.filter((url) => !url.startsWith("stun:"));
  return [
    ...(stun.length > 0 ? [{ urls: stun }] : []),
    ...(turn.length > 0 ? [{ urls: turn, username, credential }] : []),
  ];
}

/** Whether a call could be relayed by any of these. */
export function canRelay(iceServers: readonly IceServer[]): boolean {
  return iceServers.some(({ urls }) => urls.some((url) => !url.startsWith("stun:")));
}
