/** How notices get around: fetched from the login server, told on to a few members as soon as they are news, compared now and then. */
import type { Logger } from "pino";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { NetworkTrust } from "../../protocol/network-trust.ts";
import type { Peers } from "../links/peers.ts";
import type { Membership } from "../membership/membership-source.ts";
import type { Attachment, Attachments } from "../nodes/attachments.ts";
import type { RelayTimes } from "../relay-times.ts";
import type { FetchedNotices, NetworkNotices } from "./network-notices.ts";

/** Each tells that many: news reach two thousand members in some six steps. */
const FAN_OUT = 4;

export interface NoticeSpreadParts {
  readonly self: SupernodeId;
  readonly trust: NetworkTrust;
  readonly notices: NetworkNotices;
  readonly membership: Membership;
  readonly peers: Pick<Peers, "call">;
  readonly attachments: Attachments;
  /** Asks the login server. */
  fetch(): Promise<FetchedNotices>;
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
    const { trust, notices, attachments, times } = parts;
    trust.onNews((news) => {
      if (news === "forked") return;
      this.#tellKeys(FAN_OUT);
      for (const attachment of attachments.all()) attachment.push("networkKeys", { successions: trust.bytes });
    });
    notices.onChange((change) => {
      this.#tell(FAN_OUT);
      if (change === "revocations") this.#dismissOver();
      else if (notices.heads.length > 1) this.#pushToAll();
    });
    attachments.onAttached((attachment) => setImmediate(() => this.#push(attachment)));
    void this.#refresh();
    this.#timers = [
      setInterval(() => {
        void this.#refresh();
        this.#tell(1);
        this.#tellKeys(1);
        this.#dismissOver();
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

  /** Those whose certificate was taken back, or is of a key that is over. */
  #dismissOver(): void {
    const { attachments, notices } = this.#parts;
    for (const attachment of [...attachments.all()]) {
      if (!notices.isOver(attachment.certificate.value)) continue;
      attachments.end(attachment);
      attachment.close();
    }
  }

  /** A login server that is down is no trouble: the others have what there is. */
  async #refresh(): Promise<void> {
    try {
      const fetched = await this.#parts.fetch();
      this.#parts.trust.take(fetched.successions);
      this.#parts.notices.take(fetched);
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

  #tellKeys(count: number): void {
    const { trust, peers, log } = this.#parts;
    const successions = trust.bytes;
    if (successions.length === 0) return;
    for (const member of this.#someOthers(count)) {
      peers
        .call(member, "tellNetworkKeys", { successions })
        .catch((error: unknown) => log.debug({ err: error, member }, "a member took no keys"));
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
