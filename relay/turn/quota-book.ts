/** All quota accounts of the server, and how their monthly volume outlives a restart. */
import { QuotaAccount, type QuotaLimits } from "./relay-quota.ts";

export interface QuotaRules {
  readonly total: QuotaLimits;
  readonly perUser: QuotaLimits;
  /** One source IP address, which may be a whole building behind a NAT. */
  readonly perSource: QuotaLimits;
}

/** Where the caller keeps the month's volumes: bytes by account key. Keys of sources hold no address, only a keyed hash. */
export interface VolumeLedger {
  /** @param month as in "2026-11", UTC */
  read(month: string): ReadonlyMap<string, number>;
  write(month: string, volumes: ReadonlyMap<string, number>): void;
}

/** An account without allocations is kept this long, so that nobody gets a fresh bucket by allocating anew. */
const IDLE_ACCOUNT_MS = 60_000;
/** More accounts with a volume of this month than this are not remembered; those that used least go first. */
const MAX_ACCOUNTS = 50_000;
const TOTAL_KEY = "total";

export class QuotaBook {
  readonly total: QuotaAccount;
  readonly #rules: QuotaRules;
  readonly #ledger: VolumeLedger | null;
  readonly #accounts = new Map<string, QuotaAccount>();
  #month: string;

  /**
   * @param wallMs ms since 1970
   * @param nowMs of the clock that never goes back
   */
  constructor(rules: QuotaRules, ledger: VolumeLedger | null, wallMs: number, nowMs: number) {
    this.#rules = rules;
    this.#ledger = ledger;
    this.#month = monthOf(wallMs);
    for (const [key, bytes] of ledger?.read(this.#month) ?? []) {
      const limits = this.#limitsOf(key);
      if (limits !== null) this.#open(key, limits, nowMs).bytesThisMonth = bytes;
    }
    this.total = this.#open(TOTAL_KEY, rules.total, nowMs);
  }

  user(userId: string, nowMs: number): QuotaAccount {
    return this.#open(`user:${userId}`, this.#rules.perUser, nowMs);
  }

  /** @param sourceHash keyed hash of the address, because the ledger may be written to a disk */
  source(sourceHash: string, nowMs: number): QuotaAccount {
    return this.#open(`source:${sourceHash}`, this.#rules.perSource, nowMs);
  }

  get month(): string {
    return this.#month;
  }

  /** Starts a new month, and forgets accounts that nothing is known of any more. Call about once a second. */
  sweep(wallMs: number, nowMs: number): void {
    const month = monthOf(wallMs);
    if (month !== this.#month) {
      this.save();
      this.#month = month;
      for (const account of this.#accounts.values()) account.bytesThisMonth = 0;
    }
    for (const account of this.#accounts.values()) {
      if (this.#mayForget(account, nowMs)) this.#accounts.delete(account.key);
    }
    if (this.#accounts.size > MAX_ACCOUNTS) this.#forgetSmallest();
  }

  /** Hands the volumes of this month to the ledger. */
  save(): void {
    if (this.#ledger === null) return;
    const volumes = new Map<string, number>();
    for (const account of this.#accounts.values()) {
      if (account === this.total || isVolumeLimited(account)) volumes.set(account.key, account.bytesThisMonth);
    }
    this.#ledger.write(this.#month, volumes);
  }

  #open(key: string, limits: QuotaLimits, nowMs: number): QuotaAccount {
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const account = new QuotaAccount(key, limits, nowMs);
    this.#accounts.set(key, account);
    return account;
  }

  #limitsOf(key: string): QuotaLimits | null {
    if (key === TOTAL_KEY) return this.#rules.total;
    if (key.startsWith("user:")) return this.#rules.perUser;
    return key.startsWith("source:") ? this.#rules.perSource : null;
  }

  #mayForget(account: QuotaAccount, nowMs: number): boolean {
    if (account === this.total || account.allocations > 0) return false;
    if (isVolumeLimited(account) && account.bytesThisMonth > 0) return false;
    return nowMs - account.idleSinceMs > IDLE_ACCOUNT_MS;
  }

  #forgetSmallest(): void {
    const idle = [...this.#accounts.values()].filter((account) => account !== this.total && account.allocations === 0);
    idle.sort((a, b) => a.bytesThisMonth - b.bytesThisMonth);
    for (const account of idle.slice(0, Math.ceil(MAX_ACCOUNTS / 10))) this.#accounts.delete(account.key);
  }
}

function isVolumeLimited(account: QuotaAccount): boolean {
  return account.limits.bytesPerMonth !== Number.POSITIVE_INFINITY;
}

function monthOf(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, 7);
}
