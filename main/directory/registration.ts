/** This device's own entry in the directory: its lease and its status, at whichever supernode is home. */
import { backoffMs } from "../../protocol/backoff.ts";
import { KithError } from "../../protocol/errors.ts";
import type { DeviceId, NetworkId } from "../../protocol/identifiers.ts";
import { encodeLease } from "../../protocol/lease.ts";
import { TIMES } from "../../protocol/limits.ts";
import { type SignatureScheme, signBody } from "../../protocol/signed.ts";
import type { AccountKeys } from "../account/account-keys.ts";
import type { AccountStore } from "../account/account-store.ts";
import type { Surroundings } from "../core/client-options.ts";
import { uniform } from "../core/randomness.ts";
import type { KeptStatus, OwnStatus } from "./own-status.ts";
import { sealStatus } from "./sealed-status.ts";
import type { SupernodeLink } from "./supernode-link.ts";

/**
 * The lease of somebody invisible says since when that is, and nothing later: a newer one would show that they are
 * there. It is renewed only before the directory forgets it, so from then on it says that they were seen so long ago.
 */
const OLDEST_HIDDEN_LEASE_MS = TIMES.leaseMemoryMs - 2 * TIMES.leaseRefreshMs;

/** A registration that failed although the link stands is tried again after this, and a back-off with jitter. */
const RETRY_MS = 1_000;
/** However long a supernode says. */
const MAX_LEAST_WAIT_MS = 60_000;
/** That back-off begins as after so many attempts: the supernode has a crowd to register. */
const RETRY_CAUTION = 3;

function leastWaitMs(error: unknown): number {
  const seconds = error instanceof KithError && error.code === "rate-limited" ? error.details.seconds : undefined;
  return typeof seconds === "number" ? Math.min(Math.max(seconds * 1_000, RETRY_MS), MAX_LEAST_WAIT_MS) : RETRY_MS;
}

export interface RegisteredDevice {
  readonly networkId: NetworkId;
  readonly deviceId: DeviceId;
  readonly keys: Pick<AccountKeys, "userId" | "sign" | "profileKey">;
  /** Signs the leases. */
  readonly signatures: SignatureScheme;
}

export class Registration {
  readonly #device: RegisteredDevice;
  readonly #store: Pick<AccountStore, "setStatus" | "nextLeaseSequence">;
  readonly #surroundings: Pick<Surroundings, "clock" | "random" | "log" | "background">;
  #own: KeptStatus;
  /** Supernodes know a later lease than ours: the profile was restored from an older copy. */
  #isBehind = false;
  #link: SupernodeLink | null = null;
  #cancelTimer: () => void = () => {};
  #failures = 0;
  /** Leases go out one after the other, so that the latest has the highest sequence. */
  #queue: Promise<void> = Promise.resolve();

  constructor(
    device: RegisteredDevice,
    own: KeptStatus,
    store: Pick<AccountStore, "setStatus" | "nextLeaseSequence">,
    surroundings: Pick<Surroundings, "clock" | "random" | "log" | "background">,
  ) {
    this.#device = device;
    this.#own = own;
    this.#store = store;
    this.#surroundings = surroundings;
  }

  get own(): KeptStatus {
    return this.#own;
  }

  /** Registers at a new home, and keeps the lease there fresh. */
  moveTo(link: SupernodeLink): Promise<void> {
    this.#link = link;
    return this.#announce();
  }

  homeless(): void {
    this.#link = null;
    this.#cancelTimer();
  }

  async setStatus(own: OwnStatus): Promise<void> {
    const hiddenSince = own.status === "invisible" ? (this.#own.hiddenSince ?? this.#surroundings.clock.now()) : null;
    const kept = { status: own.status, text: own.text, hiddenSince };
    await this.#store.setStatus(kept);
    this.#own = kept;
    await this.#announce();
  }

  /** Looks offline from now on: a normal exit. The supernode that does not answer sees it by the socket. */
  async signOff(patienceMs: number): Promise<void> {
    const link = this.#link;
    this.homeless();
    if (!link) return;
    const { clock } = this.#surroundings;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(patienceMs, resolve);
      const settle = () => {
        cancel();
        resolve();
      };
      link.request("detach", {}).then(settle, settle);
    });
  }

  #announce(): Promise<void> {
    this.#queue = this.#queue.then(async () => {
      const link = this.#link;
      if (!link) return;
      this.#cancelTimer();
      let nextMs: number = TIMES.leaseRefreshMs;
      try {
        // The status first: whoever learns of the lease then finds it there.
        await link.request("setStatus", { sealedStatus: this.#sealedStatus() });
        const { bytes, refreshMs } = await this.#lease(link);
        await link.request("register", { lease: bytes });
        nextMs = refreshMs;
        this.#failures = 0;
        this.#isBehind = false;
      } catch (error) {
        this.#isBehind = error instanceof KithError && error.code === "lease-stale";
        this.#surroundings.log.warn("registration", { cause: error });
        nextMs = leastWaitMs(error) + backoffMs(RETRY_CAUTION + this.#failures++, uniform(this.#surroundings.random));
      }
      if (this.#link !== link) return;
      const { clock, background } = this.#surroundings;
      this.#cancelTimer = clock.after(nextMs, () => background.run("registration", this.#announce()));
    });
    return this.#queue;
  }

  #sealedStatus(): Uint8Array {
    const { status, text } = this.#own;
    if (status === "invisible") return new Uint8Array(0);
    const { clock, random } = this.#surroundings;
    return sealStatus({ status, text, at: clock.now() }, this.#device.keys.profileKey, random);
  }

  async #lease(link: SupernodeLink): Promise<{ bytes: Uint8Array; refreshMs: number }> {
    const { networkId, deviceId, keys, signatures } = this.#device;
    const now = this.#surroundings.clock.now();
    const { hiddenSince } = this.#own;
    const issuedAt = hiddenSince === null ? now : Math.min(now, Math.max(hiddenSince, now - OLDEST_HIDDEN_LEASE_MS));
    const body = encodeLease({
      networkId,
      userId: keys.userId,
      signKey: keys.sign.publicKey,
      deviceId,
      home: link.supernodeId,
      inbox: link.inbox,
      // The time is in the sequence too, unless it must not be told.
      sequence: await this.#store.nextLeaseSequence(hiddenSince === null || this.#isBehind ? now : 0),
      issuedAt,
      // Someone invisible is not in the directory: a lease of no validity signs the device out.
      validityMs: hiddenSince === null ? TIMES.leaseValidityMs : 0,
      sealedBody: new Uint8Array(0),
    });
    const refreshMs =
      hiddenSince === null ? TIMES.leaseRefreshMs : issuedAt + TIMES.leaseMemoryMs - TIMES.leaseRefreshMs - now;
    return { bytes: signBody(signatures, "lease", body, keys.sign.secretKey), refreshMs };
  }
}
