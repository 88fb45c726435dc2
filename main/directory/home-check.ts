/**
 * Whether the home does what a home is for. It alone tells others that this device is there, carries what it is sent
 * and tells it of its buddies; one that only pretends to would keep its people in the dark for ever. So the standby is
 * asked now and then what it sees, and a few bytes go round through both. Who of the two lies is decided by another
 * standby: one liar can neither hold anybody nor drive anybody away.
 */
import { equalBytes } from "../../protocol/bytes.ts";
import type { DeviceAddress, NetworkId, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import type { Surroundings } from "../core/client-options.ts";
import { uniform } from "../core/randomness.ts";
import type { Attachment, Hosts } from "./attachment.ts";
import { DirectoryView } from "./directory-view.ts";
import type { SupernodeLink } from "./supernode-link.ts";

export interface HomeCheckParts {
  readonly networkId: NetworkId;
  readonly self: DeviceAddress;
  readonly attachment: Pick<Attachment, "home" | "standby" | "hurry">;
  readonly hosts: Pick<Hosts, "refused">;
  /** What the home has told. */
  readonly directory: Pick<DirectoryView, "knows" | "devices" | "online">;
  readonly watched: () => readonly UserId[];
  readonly isHidden: () => boolean;
  readonly surroundings: Pick<Surroundings, "clock" | "random" | "log" | "times" | "background">;
}

/** `unsure`: somebody was asked who did not answer, or answered that they do not know. */
type Finding = "good" | "bad" | "unsure";

/** A device may just be moving, a buddy just be leaving: so many findings in a row count. */
const FINDINGS = 3;
const PROBE_BYTES = 32;
/** How long a home that was found out is not come back to, and a standby that stands alone with what it says. */
const FOUND_OUT_SECONDS = 3_600;
const ALONE_SECONDS = 600;
/** Whoever loses a home loses it with many others, and the next one has enough to do at first. */
const AFTER_LOSS_FACTOR = 4;

export class HomeCheck {
  readonly #parts: HomeCheckParts;
  /** On their way to ourselves. */
  readonly #probes = new Set<Uint8Array>();
  #home: SupernodeLink | null = null;
  #badFindings = 0;
  /** The standby that has seen the home fail. */
  #accuser: SupernodeId | null = null;
  #cancelTimer: () => void = () => {};
  #isStopped = false;

  constructor(parts: HomeCheckParts) {
    this.#parts = parts;
  }

  /** There is another home or standby. */
  linksChanged(): void {
    const { home } = this.#parts.attachment;
    if (home === this.#home) return;
    const { homeCheckMs } = this.#parts.surroundings.times;
    this.#lookIn(this.#home === null ? homeCheckMs : AFTER_LOSS_FACTOR * homeCheckMs);
    this.#home = home;
    this.#accuser = null;
    this.#badFindings = 0;
  }

  /** Whether this is what we have sent to ourselves, and nobody's message. */
  takesProbe(from: DeviceAddress, envelope: Uint8Array): boolean {
    const { self } = this.#parts;
    if (from.userId !== self.userId || from.deviceId !== self.deviceId) return false;
    for (const probe of this.#probes) if (equalBytes(probe, envelope)) return this.#probes.delete(probe);
    return false;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
  }

  /** After this time and up to as long again: after an outage everybody has another home at once. */
  #lookIn(ms: number): void {
    this.#cancelTimer();
    if (this.#isStopped) return;
    const { clock, random, background } = this.#parts.surroundings;
    this.#cancelTimer = clock.after(ms * (1 + uniform(random)), () => background.run("home check", this.#look()));
  }

  async #look(): Promise<void> {
    const { attachment, surroundings } = this.#parts;
    const { times } = surroundings;
    const { home, standby } = attachment;
    const finding = home && standby ? await this.#find(home, standby).catch(() => "unsure" as const) : "unsure";
    if (this.#isStopped || attachment.home !== home) return;
    this.#badFindings = finding === "bad" ? this.#badFindings + 1 : 0;
    if (finding === "good") this.#accuser = null;
    if (home && standby && this.#badFindings === FINDINGS) this.#accuse(home, standby);
    const isSuspect = this.#badFindings > 0 || this.#accuser !== null;
    this.#lookIn(isSuspect ? times.homeRecheckMs : finding === "good" ? times.homeTrustMs : times.homeCheckMs);
  }

  #accuse(home: SupernodeLink, standby: SupernodeLink): void {
    const { hosts, attachment, surroundings } = this.#parts;
    const liar = this.#accuser === null || this.#accuser === standby.supernodeId ? standby : home;
    this.#accuser = liar === standby ? standby.supernodeId : null;
    this.#badFindings = 0;
    surroundings.log.warn("home and standby contradict each other", { left: liar.supernodeId });
    const waitSeconds = liar === standby ? ALONE_SECONDS : FOUND_OUT_SECONDS;
    hosts.refused(liar.supernodeId, { waitSeconds, elsewhere: [] }, surroundings.clock.now());
    liar.abandon();
    attachment.hurry();
  }

  async #find(home: SupernodeLink, standby: SupernodeLink): Promise<Finding> {
    const seen = await this.#isSeen(home, standby);
    if (seen !== "good") return seen;
    const arrivals = await Promise.all([this.#arrives(standby, home), this.#arrives(home, standby)]);
    return arrivals.includes(false) ? "bad" : this.#tellsTrue(standby);
  }

  async #isSeen(home: SupernodeLink, standby: SupernodeLink): Promise<Finding> {
    const { self, isHidden } = this.#parts;
    const { devices } = await standby.request("lookUp", { userId: self.userId });
    const own = devices.find(({ deviceId }) => deviceId === self.deviceId);
    // Cut off from the home, or still told of the one before it.
    if (own?.state === "unknown") return "unsure";
    if (own?.inbox !== home.inbox) return "bad";
    return own.state === (isHidden() ? "gone" : "online") ? "good" : "bad";
  }

  /** Whether something sent by one link comes in by the other. */
  async #arrives(by: SupernodeLink, to: SupernodeLink): Promise<boolean> {
    const probe = this.#parts.surroundings.random(PROBE_BYTES);
    this.#probes.add(probe);
    await by.request("send", { home: to.supernodeId, inbox: to.inbox, envelope: probe });
    return !this.#probes.delete(probe);
  }

  /** Whether the home says of a buddy, whoever that is this time, what the standby finds. */
  async #tellsTrue(standby: SupernodeLink): Promise<Finding> {
    const { networkId, self, directory, watched, surroundings } = this.#parts;
    const told = watched().filter((userId) => userId !== self.userId && directory.knows(userId));
    const userId = told[Math.floor(uniform(surroundings.random) * told.length)];
    if (userId === undefined) return "good";
    const found = new DirectoryView(networkId, self.deviceId, surroundings.clock, surroundings.log, () => undefined);
    found.apply(await standby.request("lookUp", { userId }));
    const isUnknown = [...found.devices(userId), ...directory.devices(userId)].some(({ state }) => state === "unknown");
    if (isUnknown) return "unsure";
    return found.online(userId).length > 0 === directory.online(userId).length > 0 ? "good" : "bad";
  }
}
