/** Asking holders, some of which lie or are slow, under a virtual clock: what is believed, and how many are asked. */
import { beforeAll, describe, expect, it } from "vitest";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Lease } from "../../protocol/lease.ts";
import type { Signed } from "../../protocol/signed.ts";
import {
  type HolderAnswer,
  type QueryOptions,
  type QueryResult,
  queryHolders,
} from "../../relay/records/holder-query.ts";
import { HolderStandings } from "../../relay/records/holder-standing.ts";
import type { LeaseRecord } from "../../relay/records/record-store.ts";
import { VirtualTime } from "../sim/virtual-time.ts";
import { deviceNumber, madeAccount, madeLease, supernodeNumber } from "../support/made-leases.ts";

const START = 1_800_000_000_000;
const HOUR = 3_600_000;
const RTT_MS = 40;
const holders = Array.from({ length: 8 }, (_, number) => supernodeNumber(number));

let lease: Signed<Lease>;
let older: Signed<Lease>;
let otherDevice: Signed<Lease>;
let lapsed: Signed<Lease>;
beforeAll(() => {
  const account = madeAccount(1);
  lease = madeLease(account, { issuedAt: START });
  older = madeLease(account, { issuedAt: START - HOUR });
  otherDevice = madeLease(account, { issuedAt: START - 1, deviceId: deviceNumber(2) });
  lapsed = madeLease(account, { issuedAt: START - 5 * HOUR });
});

const record = (of: Signed<Lease>, gone = false): LeaseRecord => ({ lease: of, gone, lastSeenAt: of.value.issuedAt });
const says = (...records: LeaseRecord[]): HolderAnswer => ({ kind: "told", checked: () => records });
const NOTHING = says();
const FORGED: HolderAnswer = { kind: "told", checked: () => null };
/** Never answers. */
const SILENT = null;

interface Asking {
  readonly result: QueryResult;
  readonly tookMs: number;
  readonly standings: HolderStandings;
  readonly asked: SupernodeId[];
}

/**
 * @param answers of the holders in order; the last is that of all others
 * @param lateMs how late this process is with what it has planned
 */
function ask(
  answers: readonly (HolderAnswer | null)[],
  options: Partial<QueryOptions> = {},
  standings = new HolderStandings(),
  lateMs = 0,
): Asking {
  const time = new VirtualTime(START);
  const asked: SupernodeId[] = [];
  let done: Asking | null = null;
  queryHolders(
    holders,
    { confidence: "first", answersForNothing: 3, hedgeMs: 150, patienceMs: 2_000, ...options },
    standings,
    {
      now: () => time.now,
      after: (ms, task) => {
        const appointment = time.after(ms + lateMs, task);
        return () => time.cancel(appointment);
      },
      ask: (holder, answered) => {
        asked.push(holder);
        const place = Math.min(holders.indexOf(holder), answers.length - 1);
        const answer = answers[place];
        if (answer) time.after(RTT_MS, () => answered(answer));
      },
    },
    (result) => {
      expect(done).toBeNull();
      done = { result, tookMs: time.now - START, standings, asked };
    },
  );
  time.run(5_000);
  if (!done) throw new Error("it never ended");
  return done;
}

describe("a look-up", () => {
  it("of somebody who is there takes one request", () => {
    const { result, tookMs } = ask([says(record(lease))]);
    expect(result.records).toEqual([record(lease)]);
    expect(result.requests).toBe(1);
    expect(tookMs).toBe(RTT_MS);
  });

  it("asks another holder after the hedge, then two at once, and the slow ones last from then on", () => {
    const { result, tookMs, standings } = ask([SILENT, SILENT, says(record(lease))]);
    expect(result.requests).toBe(4);
    expect(tookMs).toBe(150 + 75 + RTT_MS);
    expect(standings.faults.silent).toBe(2);
    const again = ask([SILENT, SILENT, says(record(lease))], {}, standings);
    expect(again.result.requests).toBe(1);
    expect(again.asked).toEqual([holders[2]]);
  });

  it("does not ask others for nothing again and again when all are slow", () => {
    const standings = new HolderStandings();
    const slow = () => ask([says(record(lease))], { hedgeMs: RTT_MS / 2 }, standings).result.requests;
    expect(slow()).toBeGreaterThan(1);
    let requests = 0;
    for (let lookUps = 0; lookUps < 200; lookUps++) requests += slow();
    expect(requests).toBeLessThan(1.5 * 200);
  });

  it("asks who has come back as before, but not who has lied", () => {
    const standings = new HolderStandings();
    const [silent, liar] = holders as [SupernodeId, SupernodeId];
    standings.report(silent, "silent", START);
    standings.report(liar, "forged", START);
    for (const holder of [silent, liar]) standings.returned(holder, START + 1_000);
    expect(standings.isGood(silent, START + 1_000)).toBe(true);
    expect(standings.isGood(liar, START + 1_000)).toBe(false);
  });

  it("asks others without end when the slow ones never answer", () => {
    const standings = new HolderStandings();
    let requests = 0;
    for (let lookUps = 0; lookUps < 200; lookUps++) {
      // As if each of them were another supernode: nothing is held against it yet.
      standings.sweep(START + HOUR);
      requests += ask([SILENT, says(record(lease))], {}, standings).result.requests;
    }
    expect(requests).toBe(2 * 200);
  });

  it("asks another one later, but before its patience ends, when it has asked for nothing too often", () => {
    const standings = new HolderStandings();
    for (let count = 0; count < 100; count++) standings.hedges.askedInVain();
    const { result, tookMs } = ask([SILENT, says(record(lease))], {}, standings);
    expect(result.records).toEqual([record(lease)]);
    expect(tookMs).toBe(4 * 150 + RTT_MS);
  });

  it("checks no answer that has come too late to matter", () => {
    let checks = 0;
    const counted: HolderAnswer = {
      kind: "told",
      checked: () => {
        checks++;
        return [record(lease)];
      },
    };
    const { result } = ask([counted], { hedgeMs: RTT_MS / 2 });
    expect(result.requests).toBeGreaterThan(1);
    expect(checks).toBe(1);
  });

  it("does not take its own lateness for that of a holder", () => {
    const { result, tookMs } = ask([says(record(lease))], { hedgeMs: RTT_MS / 2 }, new HolderStandings(), 60);
    expect(result.requests).toBe(1);
    expect(tookMs).toBe(RTT_MS);
  });

  it("asks the next at once when one refuses or sends a forgery, and remembers the forger longer", () => {
    const { result, tookMs, standings } = ask([{ kind: "failed", fault: "refused" }, FORGED, says(record(lease))]);
    expect(tookMs).toBe(3 * RTT_MS);
    expect(result.records).toHaveLength(1);
    expect(standings.isGood(holders[0] as SupernodeId, START + 60_000)).toBe(true);
    expect(standings.isGood(holders[1] as SupernodeId, START + 30 * 60_000)).toBe(false);
  });

  it("does not believe one holder that somebody is unknown, and notes who has withheld", () => {
    const { result, standings } = ask([NOTHING, says(record(lease))]);
    expect(result.records).toEqual([record(lease)]);
    expect(result.outdated).toEqual([holders[0]]);
    expect(standings.faults.withheld).toBe(1);
  });

  it("does not believe one holder that somebody is gone", () => {
    const { result } = ask([says(record(lease, true)), says(record(lease))]);
    expect(result.records).toEqual([record(lease)]);
  });

  it("believes three that somebody is gone, and that somebody is unknown", () => {
    const gone = ask([says(record(lease, true))]);
    expect(gone.result).toMatchObject({ requests: 3, records: [{ gone: true }] });
    const unknown = ask([NOTHING]);
    expect(unknown.result).toMatchObject({ requests: 3, records: [], outdated: [] });
    expect(unknown.tookMs).toBe(2 * RTT_MS);
  });

  it("asks all for somebody unknown while the members change: the record may be with the last one", () => {
    const last = [...Array<HolderAnswer>(7).fill(NOTHING), says(record(lease))];
    expect(ask(last).result.records).toEqual([]);
    expect(ask(last, { answersForNothing: 8 }).result.records).toEqual([record(lease)]);
  });

  it("takes a lease that nobody has refreshed for a sign to ask others", () => {
    const { result, standings } = ask([says(record(lapsed)), says(record(lease))]);
    expect(result.records).toEqual([record(lease)]);
    expect(standings.faults.outdated).toBe(1);
  });

  it("ends when its patience does, with nothing, if nobody answers", () => {
    const { result, tookMs } = ask([SILENT]);
    expect(result).toMatchObject({ records: [], answers: 0, requests: 8 });
    expect(tookMs).toBe(2_000);
  });

  it("survives a quarter of holders that lie in any way, and finds the newest lease when it outvotes them", () => {
    const liars: HolderAnswer[] = [says(record(older)), NOTHING];
    const { result } = ask([...liars, says(record(lease), record(otherDevice))], { confidence: "outvote" });
    expect(result.records).toEqual([record(lease), record(otherDevice)]);
    expect(result.requests).toBe(8);
    expect(result.outdated).toEqual([holders[0], holders[1]]);
    // Without the vote the older lease, which is signed and still good, would have been believed.
    expect(ask([...liars, says(record(lease))]).result.records).toEqual([record(older)]);
  });

  it("counts who says that a session is over: one liar among those who have the same lease does not decide", () => {
    const { result } = ask([says(record(lease, true)), says(record(lease))], { confidence: "outvote" });
    expect(result.records[0]?.gone).toBe(false);
    const most = ask([says(record(lease)), says(record(lease, true))], { confidence: "outvote" });
    expect(most.result.records[0]?.gone).toBe(true);
  });
});
