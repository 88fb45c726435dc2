/** The ordinary nodes that are attached here: one per device, each with an inbox of its own. */
import { randomBytes } from "node:crypto";
import type { Socket } from "socket.io";
import type { z } from "zod";
import { busyRefusal } from "../../protocol/busy.ts";
import { toHex } from "../../protocol/bytes.ts";
import type { UserCertificate } from "../../protocol/certificate.ts";
import { type DeviceAddress, INBOX_BYTES, InboxId, type SupernodeId } from "../../protocol/identifiers.ts";
import { caller } from "../../protocol/rpc.ts";
import type { Signed } from "../../protocol/signed.ts";
import { DELIVERY_METHODS, type NODE_PUSHES } from "../../protocol/supernode-api.ts";
import type { InboxChange } from "../links/link-peer.ts";
import type { RelayLimits } from "../relay-limits.ts";
import type { RelayTimes } from "../relay-times.ts";

const NO_STATUS = new Uint8Array(0);

/** What is kept of a device's certificate: there are ten thousand of them. */
export interface AttachedCertificate {
  readonly value: Pick<
    UserCertificate,
    "userId" | "handle" | "deviceId" | "signKey" | "serial" | "issuedAt" | "expiresAt"
  >;
  readonly bytes: Uint8Array;
}

/** One device while its socket is open. */
export class Attachment {
  readonly inbox: InboxId;
  readonly certificate: AttachedCertificate;
  sealedStatus: Uint8Array = NO_STATUS;
  /** Since when the device wants to look offline, by its latest lease; null if it does not. */
  hiddenSince: number | null = null;
  readonly #socket: Socket;
  #deliveriesInFlight = 0;

  constructor(inbox: InboxId, certificate: Signed<UserCertificate>, socket: Socket) {
    this.inbox = inbox;
    this.certificate = kept(certificate);
    this.#socket = socket;
  }

  get address(): DeviceAddress {
    const { userId, deviceId } = this.certificate.value;
    return { userId, deviceId };
  }

  push<K extends keyof typeof NODE_PUSHES>(name: K, value: z.infer<(typeof NODE_PUSHES)[K]>): void {
    this.#socket.emit(name, value);
  }

  /** Whether the device took the envelope in time. */
  async deliver(from: DeviceAddress, envelope: Uint8Array, timeoutMs: number, maxInFlight: number): Promise<boolean> {
    if (this.#deliveriesInFlight >= maxInFlight) return false;
    this.#deliveriesInFlight++;
    try {
      await caller(this.#socket, DELIVERY_METHODS, timeoutMs)("deliver", { from, envelope });
      return true;
    } catch {
      // It refused, was too slow or has left: to the sender that is all the same, it keeps the envelope.
      return false;
    } finally {
      this.#deliveriesInFlight--;
    }
  }

  close(): void {
    this.#socket.disconnect(true);
  }
}

export interface AttachmentsParts {
  readonly now: () => number;
  readonly random: () => number;
  readonly limits: RelayLimits;
  readonly times: Pick<RelayTimes, "deliverMs" | "reconnectGraceMs">;
  /** Where there may be room for those who are refused here, best first. */
  readonly elsewhere: () => readonly SupernodeId[];
}

/** Those who are refused come back after this and up to as long again. */
const FULL_WAIT_SECONDS = 15;

/** An attachment has begun, has another status, or has ended. */
export type AttachmentListener = (attachment: Attachment, change: InboxChange) => void;

export class Attachments {
  readonly #parts: AttachmentsParts;
  readonly #byInbox = new Map<InboxId, Attachment>();
  readonly #byDevice = new Map<string, Attachment>();
  readonly #listeners: AttachmentListener[] = [];
  readonly #greeters: ((newcomer: Attachment) => void)[] = [];
  readonly #graces = new Set<NodeJS.Timeout>();
  #isClosing = false;

  constructor(parts: AttachmentsParts) {
    this.#parts = parts;
  }

  /** Told of each device that has just attached, before it has an answer. */
  onAttached(greeter: (newcomer: Attachment) => void): void {
    this.#greeters.push(greeter);
  }

  onChange(listener: AttachmentListener): void {
    this.#listeners.push(listener);
  }

  /** How many more nodes may attach. */
  get room(): number {
    return this.#isClosing ? 0 : Math.max(0, this.#parts.limits.maxAttachments - this.#byInbox.size);
  }

  /** Costs next to nothing, so it comes before any proof. @throws KithError `supernode-busy` */
  requireRoom(device: DeviceAddress): void {
    const keepsItsPlace = !this.#isClosing && this.#byDevice.has(deviceKey(device));
    if (this.room > 0 || keepsItsPlace) return;
    const { random, elsewhere } = this.#parts;
    const waitSeconds = FULL_WAIT_SECONDS + Math.round(random() * FULL_WAIT_SECONDS);
    throw busyRefusal({ waitSeconds, elsewhere: elsewhere() });
  }

  /** A device has proved itself on this socket; its older socket, if any, is replaced. @throws KithError `supernode-busy` */
  attach(socket: Socket, certificate: Signed<UserCertificate>): Attachment {
    this.requireRoom(certificate.value);
    const older = this.#byDevice.get(deviceKey(certificate.value));
    if (older) this.#replace(older);
    const inbox = InboxId.parse(toHex(randomBytes(INBOX_BYTES)));
    const attachment = new Attachment(inbox, certificate, socket);
    this.#byInbox.set(inbox, attachment);
    this.#byDevice.set(deviceKey(certificate.value), attachment);
    for (const greeter of this.#greeters) greeter(attachment);
    return attachment;
  }

  setStatus(attachment: Attachment, sealedStatus: Uint8Array): void {
    attachment.sealedStatus = Uint8Array.from(sealedStatus);
    if (attachment.hiddenSince === null) this.#tell(attachment);
  }

  /** @param since null shows the device again */
  hide(attachment: Attachment, since: number | null): void {
    if ((attachment.hiddenSince === null) === (since === null)) return;
    attachment.hiddenSince = since;
    this.#tell(attachment);
  }

  /** False once it has ended, though its socket may still say something. */
  has(attachment: Attachment): boolean {
    return this.#byInbox.get(attachment.inbox) === attachment;
  }

  /** The socket has closed, or the device says that it leaves. Ends once, however often it is said. */
  end(attachment: Attachment): void {
    if (this.#remove(attachment)) this.#tellEnd(attachment, this.#parts.now());
  }

  /** How an inbox is doing; one that is not known here is gone, nobody knows since when (0). */
  stateOf(inbox: InboxId): InboxChange {
    const attachment = this.#byInbox.get(inbox);
    if (!attachment) return { inbox, state: "gone", sealedStatus: NO_STATUS, lastSeenAt: 0 };
    const { hiddenSince, sealedStatus } = attachment;
    if (hiddenSince !== null) return { inbox, state: "gone", sealedStatus: NO_STATUS, lastSeenAt: hiddenSince };
    return { inbox, state: "online", sealedStatus, lastSeenAt: this.#parts.now() };
  }

  async deliver(inbox: InboxId, from: DeviceAddress, envelope: Uint8Array): Promise<boolean> {
    const { times, limits } = this.#parts;
    const attachment = this.#byInbox.get(inbox);
    return attachment ? attachment.deliver(from, envelope, times.deliverMs, limits.deliveriesInFlight) : false;
  }

  get size(): number {
    return this.#byInbox.size;
  }

  all(): Iterable<Attachment> {
    return this.#byInbox.values();
  }

  /** Takes no newcomers from now on. */
  refuseNewcomers(): void {
    this.#isClosing = true;
  }

  /** Ends them all. */
  close(): void {
    this.refuseNewcomers();
    for (const attachment of [...this.#byInbox.values()]) this.end(attachment);
    for (const grace of this.#graces) clearTimeout(grace);
  }

  /** A device that merely reconnects is not called gone at once: its next lease makes up for the older one. */
  #replace(older: Attachment): void {
    this.#remove(older);
    older.close();
    const lastSeenAt = this.#parts.now();
    const grace = setTimeout(() => {
      this.#graces.delete(grace);
      this.#tellEnd(older, lastSeenAt);
    }, this.#parts.times.reconnectGraceMs);
    this.#graces.add(grace);
  }

  #remove(attachment: Attachment): boolean {
    if (!this.#byInbox.delete(attachment.inbox)) return false;
    const device = deviceKey(attachment.certificate.value);
    if (this.#byDevice.get(device) === attachment) this.#byDevice.delete(device);
    return true;
  }

  #tellEnd(attachment: Attachment, at: number): void {
    const change = { ...this.stateOf(attachment.inbox), lastSeenAt: attachment.hiddenSince ?? at };
    for (const listener of this.#listeners) listener(attachment, change);
  }

  #tell(attachment: Attachment): void {
    const change = this.stateOf(attachment.inbox);
    for (const listener of this.#listeners) listener(attachment, change);
  }
}

/** The key is copied: a view would keep a buffer of its own alive, with hundreds of bytes around its 32. */
function kept({ value, bytes }: Signed<UserCertificate>): AttachedCertificate {
  const { userId, handle, deviceId, signKey, serial, issuedAt, expiresAt } = value;
  return { value: { userId, handle, deviceId, signKey: Uint8Array.from(signKey), serial, issuedAt, expiresAt }, bytes };
}

function deviceKey({ userId, deviceId }: DeviceAddress): string {
  return `${userId}/${deviceId}`;
}
