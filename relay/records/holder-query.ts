/**
 * Asking the holders of a user's records: one of them, and the next at once if it is slow,
 * fails, or says what should not be taken from one mouth. That a user is there, with a
 * signed lease that is still good, one holder can say; that a user is gone or unknown is
 * believed of several who agree, since anybody can leave something out.
 */
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { HolderStandings } from "./holder-standing.ts";
import type { LeaseRecord } from "./record-store.ts";

export type HolderAnswer =
  /**
   * `checked` looks whether each lease is of the user and signed by the account, null if not. That costs more than all else
   * of a look-up, so it is done only if the answer is still wanted.
   */
  | { readonly kind: "told"; checked(): readonly LeaseRecord[] | null }
  | { readonly kind: "failed"; readonly fault: "silent" | "refused" };

export interface QueryNetwork {
  /** Asks one holder. `answered` is called once, or never. */
  ask(holder: SupernodeId, answered: (answer: HolderAnswer) => void): void;
  /** @returns how to call it off */
  after(ms: number, task: () => void): () => void;
  now(): number;
}

export interface QueryOptions {
  /**
   * `first`: the first good lease ends it. `outvote`: what one holder said was found to be untrue, so
   * all are asked and the newest lease holds.
   */
  readonly confidence: "first" | "outvote";
  /**
   * Holders who must know nothing before a user is held for unknown. All of them while members have
   * just changed: holders that are new may not have been handed the record yet.
   */
  readonly answersForNothing: number;
  readonly hedgeMs: number;
  /** How long in all. */
  readonly patienceMs: number;
}

export interface QueryResult {
  /** The newest record of each device. */
  readonly records: LeaseRecord[];
  readonly requests: number;
  /** Holders that answered at all. */
  readonly answers: number;
  /** Holders whose answer was older or had less than this: they may be told. */
  readonly outdated: readonly SupernodeId[];
}

/** Holders who must say so before a user is held for gone. */
const ANSWERS_FOR_GONE = 3;
/** With no budget left a hedge waits this many times longer, and no more: who is silent for so long is dead. */
const SPENT_FACTOR = 3;
/** A hedge this late means that this process had no turn: the answer may be in the socket already. */
const LATE_MS = 30;

/**
 * @param holders the most responsible first
 * @param done called once
 */
export function queryHolders(
  holders: readonly SupernodeId[],
  options: QueryOptions,
  standings: HolderStandings,
  network: QueryNetwork,
  done: (result: QueryResult) => void,
): void {
  new HolderQuery(holders, options, standings, network, done).start();
}

class HolderQuery {
  readonly #waiting: SupernodeId[];
  readonly #options: QueryOptions;
  readonly #standings: HolderStandings;
  readonly #network: QueryNetwork;
  readonly #done: (result: QueryResult) => void;
  readonly #answers = new Map<SupernodeId, readonly LeaseRecord[]>();
  readonly #unanswered = new Set<SupernodeId>();
  /** Holders that have not answered before another one was asked instead. */
  readonly #hedged = new Set<SupernodeId>();
  #hedges = 0;
  #requests = 0;
  #isOver = false;
  #cancelHedge: () => void = () => undefined;
  #cancelPatience: () => void = () => undefined;

  constructor(
    holders: readonly SupernodeId[],
    options: QueryOptions,
    standings: HolderStandings,
    network: QueryNetwork,
    done: (result: QueryResult) => void,
  ) {
    this.#waiting = standings.ordered(holders, network.now());
    this.#options = options;
    this.#standings = standings;
    this.#network = network;
    this.#done = done;
  }

  start(): void {
    this.#cancelPatience = this.#network.after(this.#options.patienceMs, () => this.#finish());
    this.#standings.hedges.lookUpBegun();
    if (this.#options.confidence === "first") this.#askNext();
    else while (this.#waiting.length > 0) this.#askNext();
    this.#finishIfSettled();
  }

  #askNext(): void {
    this.#cancelHedge();
    const holder = this.#waiting.shift();
    if (!holder || this.#isOver) return;
    this.#requests++;
    this.#unanswered.add(holder);
    this.#hedgeIn(this.#hedges === 0 ? this.#options.hedgeMs : this.#options.hedgeMs / 2);
    this.#network.ask(holder, (answer) => this.#onAnswer(holder, answer));
  }

  #hedgeIn(ms: number): void {
    this.#hedgeAfter(ms, () => {
      if (this.#standings.hedges.isSpent) this.#hedgeAfter(SPENT_FACTOR * this.#options.hedgeMs, () => this.#hedge());
      else this.#hedge();
    });
  }

  #hedgeAfter(ms: number, then: () => void): void {
    const dueAt = this.#network.now() + ms;
    this.#cancelHedge = this.#network.after(ms, () => {
      if (this.#network.now() - dueAt > LATE_MS) this.#hedgeAfter(this.#options.hedgeMs, then);
      else then();
    });
  }

  /** One more is asked, then two, then four: who has met two dead ones in a row may meet a third. */
  #hedge(): void {
    if (this.#waiting.length === 0) return;
    for (const holder of this.#unanswered) this.#hedged.add(holder);
    for (let more = 2 ** this.#hedges++; more > 0; more--) this.#askNext();
  }

  #onAnswer(holder: SupernodeId, answer: HolderAnswer): void {
    if (answer.kind === "told" && this.#hedged.delete(holder)) this.#standings.hedges.askedInVain();
    if (!this.#unanswered.delete(holder) || this.#isOver) return;
    const records = answer.kind === "told" ? answer.checked() : null;
    if (!records) {
      const fault = answer.kind === "told" ? "forged" : answer.fault;
      this.#standings.report(holder, fault, this.#network.now());
      this.#askNext();
    } else {
      this.#answers.set(holder, records);
      // "Gone" or "nothing" needs others to say so too, and they are asked at once; the first of them may know better.
      const needed = Math.min(this.#needed, 2 * this.#answers.size + 1);
      while (this.#answers.size + this.#unanswered.size < needed && this.#waiting.length > 0) this.#askNext();
    }
    this.#finishIfSettled();
  }

  /** How many answers it takes, by what was heard so far. */
  get #needed(): number {
    if (this.#options.confidence === "outvote") return Number.POSITIVE_INFINITY;
    const now = this.#network.now();
    const records = [...this.#answers.values()].flat();
    if (records.some((record) => isPresent(record, now))) return 1;
    return records.length > 0 ? ANSWERS_FOR_GONE : this.#options.answersForNothing;
  }

  #finishIfSettled(): void {
    const isExhausted = this.#unanswered.size === 0 && this.#waiting.length === 0;
    if (isExhausted || this.#answers.size >= this.#needed) this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelHedge();
    this.#cancelPatience();
    const records = newest([...this.#answers.values()]);
    this.#done({
      records,
      requests: this.#requests,
      answers: this.#answers.size,
      outdated: this.#judge(records),
    });
  }

  /** Who has been slower than a hedge is reported only if somebody else has answered: else it may be our line. */
  #judge(records: readonly LeaseRecord[]): SupernodeId[] {
    const now = this.#network.now();
    if (this.#answers.size > 0 && this.#options.confidence === "first") {
      for (const holder of this.#hedged) this.#standings.report(holder, "silent", now);
    }
    const outdated: SupernodeId[] = [];
    for (const [holder, answer] of this.#answers) {
      const sequences = new Map(answer.map(({ lease }) => [lease.value.deviceId, lease.value.sequence]));
      const missing = records.filter(({ lease: { value } }) => (sequences.get(value.deviceId) ?? -1) < value.sequence);
      if (missing.length === 0) continue;
      const hasNone = missing.some(({ lease: { value } }) => !sequences.has(value.deviceId));
      this.#standings.report(holder, hasNone ? "withheld" : "outdated", now);
      outdated.push(holder);
    }
    return outdated;
  }
}

function isPresent({ lease, gone }: LeaseRecord, now: number): boolean {
  return !gone && now < lease.value.issuedAt + lease.value.validityMs;
}

/** Of each device the record with the highest sequence; of equal ones, "gone" only if most of them say so. */
function newest(answers: readonly (readonly LeaseRecord[])[]): LeaseRecord[] {
  const byDevice = new Map<string, LeaseRecord[]>();
  for (const record of answers.flat()) {
    const { deviceId, sequence } = record.lease.value;
    const best = byDevice.get(deviceId) ?? [];
    const highest = best[0]?.lease.value.sequence ?? -1;
    if (sequence > highest) byDevice.set(deviceId, [record]);
    else if (sequence === highest) best.push(record);
  }
  return [...byDevice.values()].map((same) => {
    const gone = same.filter((record) => record.gone);
    const majority = gone.length * 2 > same.length ? gone : same.filter((record) => !record.gone);
    return (majority[0] ?? same[0]) as LeaseRecord;
  });
}
