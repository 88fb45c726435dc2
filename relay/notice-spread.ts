/** How notices get around: fetched from the login server, told on to a few members as soon as they are news, compared now and then. */
import type { Logger } from "pino";
import type { SupernodeId } from "../protocol/identifiers.ts";
import type { Attachment, Attachments } from "./attachments.ts";
import type { Membership } from "./membership-source.ts";
import type { NetworkNotices, Notices } from "./network-notices.ts";
import type { Peers } from "./peers.ts";
import type { RelayTimes } from "./relay-times.ts";

/** Each tells that many: news reach two thousand members in some six steps. */
const FAN_OUT = 4;

export interface NoticeSpreadParts {
  readonly self: SupernodeId;
  readonly notices: NetworkNotices;
  readonly membership: Membership;
  readonly peers: Pick<Peers, "call">;
  readonly attachments: Attachments;
  /** Asks the login server. */
  fetch(): Promise<Notices>;
  readonly random: () => number;
  readonly times: Pick<RelayTimes, "noticesMs" | "headPushMs">;
  readonly log: Logger;
}

export class NoticeSpread {
  readonly #parts: NoticeSpreadParts;
  readonly #timers: readonly NodeJS.Timeout[];
  /** The epoch's head that the attached nodes have been told. */
  #pushed: Uint8Array = new Uint8Array();

  constructor(parts: NoticeSpreadParts) {
    this.#parts = parts;
    const { notices, attachments, times } = parts;
    notices.onChange((change) => {
      this.#tell(FAN_OUT);
      if (change === "revocations") this.#dismissRevoked();
      else if (notices.heads.length > 1) this.#pushToAll();
    });
    attachments.onAttached((attachment) => setImmediate(() => this.#push(attachment)));
    void this.#refresh();
    this.#timers = [
      setInterval(() => {
        void this.#refresh();
        this.#tell(1);
      }, times.noticesMs),
      // Not at each epoch: a big network has one a second, and ten thousand nodes would be told each.
      setInterval(() => {
        if (this.#pushed !== notices.heads[0]) this.#pushToAll();
      }, times.headPushMs),
    ];
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #pushToAll(): void {
    this.#pushed = this.#parts.notices.heads[0] ?? this.#pushed;
    for (const attachment of this.#parts.attachments.all()) this.#push(attachment);
  }

  #push(attachment: Attachment): void {
    for (const head of this.#parts.notices.heads) attachment.push("keyLogHead", { head });
  }

  #dismissRevoked(): void {
    const { attachments, notices } = this.#parts;
    for (const attachment of [...attachments.all()]) {
      if (!notices.isRevoked(attachment.certificate.value.serial)) continue;
      attachments.end(attachment);
      attachment.close();
    }
  }

  /** A login server that is down is no trouble: the others have what there is. */
  async #refresh(): Promise<void> {
    try {
      this.#parts.notices.take(await this.#parts.fetch());
    } catch (error) {
      this.#parts.log.debug({ err: error }, "the login server told no notices");
    }
  }

  #tell(count: number): void {
    const { notices, peers, log } = this.#parts;
    const { revocations } = notices.newest;
    const [keyLogHead = new Uint8Array(), contradicting] = notices.heads;
    for (const member of this.#someOthers(count)) {
      const told = [peers.call(member, "tellNotices", { keyLogHead, revocations })];
      if (contradicting) {
        told.push(peers.call(member, "tellNotices", { keyLogHead: contradicting, revocations: new Uint8Array() }));
      }
      Promise.all(told).catch((error: unknown) => log.debug({ err: error, member }, "a member took no notice"));
    }
  }

  #someOthers(count: number): SupernodeId[] {
    const { self, membership, random } = this.#parts;
    const others = [...membership.members().keys()].filter((supernodeId) => supernodeId !== self);
    const chosen: SupernodeId[] = [];
    while (chosen.length < count && others.length > 0) {
      chosen.push(...others.splice(Math.floor(random() * others.length), 1));
    }
    return chosen;
  }
}
