/**
 * One of ten thousand clients: the core's own attachment, registration and watch, with keys
 * and a certificate of its own. What it leaves out is what no supernode sees: disk, window,
 * and tweetnacl, whose slow signatures would measure this side of the line.
 */
import { connect } from "node:net";
import { newDeviceId, uniform } from "../main/core/randomness.ts";
import { Attachment, type AttachmentSurroundings } from "../main/directory/attachment.ts";
import { HostBook } from "../main/directory/host-book.ts";
import { Registration } from "../main/directory/registration.ts";
import type { SupernodeLink } from "../main/directory/supernode-link.ts";
import { Watch } from "../main/directory/watch.ts";
import { encodeUserCertificate, type SupernodeCertificate } from "../protocol/certificate.ts";
import { Handle, type InboxId, type UserId } from "../protocol/identifiers.ts";
import { TIMES } from "../protocol/limits.ts";
import { nodeSignatures, type SigningKeyPair, signingKeyPair, userIdOf } from "../protocol/node-crypto.ts";
import type { OpenStream } from "../protocol/pinned-tls.ts";
import type { UserPresence } from "../protocol/presence.ts";
import { type Signed, signBody, statement } from "../protocol/signed.ts";
import type { TrustAnchor } from "../protocol/trust.ts";
import type { AttachTurns } from "./attach-turns.ts";

export type LoadSurroundings = Omit<AttachmentSurroundings, "routes"> & { readonly turns: AttachTurns };

/** What a watcher was told of somebody last. */
interface Seen {
  readonly isOnline: boolean;
  readonly inbox: InboxId;
}

export class LoadNode {
  readonly userId: UserId;
  readonly attachment: Attachment;
  readonly #hosts: HostBook;
  readonly #seen = new Map<UserId, Seen>();
  #watched: readonly LoadNode[] = [];
  readonly #turns: AttachTurns;
  #hasTurn = false;
  #registeredAt: SupernodeLink | null = null;
  #sequence = 0;

  /** @param number decides its address, so that to supernodes it is a person with a line of their own */
  constructor(number: number, anchor: TrustAnchor, networkKeys: SigningKeyPair, surroundings: LoadSurroundings) {
    const { random, clock, turns } = surroundings;
    this.#turns = turns;
    const keys = signingKeyPair(random(32));
    const deviceId = newDeviceId(random);
    this.userId = userIdOf(keys.publicKey);
    const boxKey = random(32);
    const certificate = signBody(
      nodeSignatures,
      "userCertificate",
      encodeUserCertificate({
        networkId: anchor.networkId,
        handle: Handle.parse(`load-${number}`),
        userId: this.userId,
        signKey: keys.publicKey,
        boxKey,
        keyBinding: nodeSignatures.sign(statement("keyBinding", boxKey), keys.secretKey),
        deviceId,
        serial: number,
        issuedAt: anchor.now(),
        expiresAt: anchor.now() + TIMES.userCertificateMs,
      }),
      networkKeys.secretKey,
    );
    this.#hosts = new HostBook(() => uniform(random));
    const registration = new Registration(
      {
        networkId: anchor.networkId,
        deviceId,
        keys: { userId: this.userId, sign: keys, profileKey: random(32) },
        signatures: nodeSignatures,
      },
      { status: "online", text: "", hiddenSince: null },
      { setStatus: async () => {}, nextLeaseSequence: async (now) => this.#nextSequence(now) },
      surroundings,
    );
    const localAddress = addressOf(number);
    this.attachment = new Attachment(
      { anchor, signSecret: keys.secretKey, certificate: () => certificate },
      this.#hosts,
      { ...surroundings, routes: { to: () => this.#openFrom(localAddress) } },
      {
        atHome: async (link) => {
          this.#registeredAt = null;
          watch.renew();
          await registration.moveTo(link);
          this.#registeredAt = link;
        },
        homeless: () => {
          this.#registeredAt = null;
          registration.homeless();
        },
        deliver: async () => {},
        keyLogHead: () => undefined,
        presence: (presence) => this.#see(presence),
        troubled: () => this.#attemptOver(),
        linksChanged: () => this.#attemptOver(),
      },
    );
    const directory = { apply: (presence: UserPresence) => this.#see(presence), keepOnly: () => {} };
    const watch = new Watch(this.attachment, directory, () => this.#watched.map(({ userId }) => userId), {
      ...surroundings,
      clock,
    });
  }

  /** @param watched its buddies */
  start(supernodes: readonly Signed<SupernodeCertificate>[], watched: readonly LoadNode[]): void {
    this.#watched = watched;
    this.#hosts.adopt(supernodes);
    this.attachment.start();
  }

  learn(supernodes: readonly Signed<SupernodeCertificate>[]): void {
    this.#hosts.adopt(supernodes);
    this.attachment.moreKnown();
  }

  /** At home where its lease says, and it sees every buddy where they are. */
  get isRight(): boolean {
    const { home } = this.attachment;
    if (home === null || this.#registeredAt !== home) return false;
    return this.#watched.every(({ userId, attachment }) => {
      const seen = this.#seen.get(userId);
      return seen?.isOnline === true && seen.inbox === attachment.home?.inbox;
    });
  }

  /** The attempt begins when it may: its own time-outs count from then. */
  async #openFrom(localAddress: string): Promise<OpenStream> {
    if (!this.#hasTurn) await this.#turns.take();
    this.#hasTurn = true;
    return async (host, port) => connect({ host, port, localAddress });
  }

  #attemptOver(): void {
    if (this.#hasTurn) this.#turns.giveBack();
    this.#hasTurn = false;
  }

  #see({ userId, devices: [device] }: UserPresence): void {
    if (device) this.#seen.set(userId, { isOnline: device.state === "online", inbox: device.inbox });
  }

  #nextSequence(now: number): number {
    this.#sequence = Math.max(this.#sequence + 1, now);
    return this.#sequence;
  }
}

/** All of 127/8 is this machine; 127.0/16 is left to the servers. */
function addressOf(number: number): string {
  return `127.${1 + (number >> 16)}.${(number >> 8) & 0xff}.${number & 0xff}`;
}
