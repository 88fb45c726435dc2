import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KithError } from "../../protocol/errors.ts";
import { signingKeyPair } from "../../protocol/node-crypto.ts";
import { trustAnchor, trustSupernodeCertificate } from "../../protocol/trust.ts";
import { DataFolder } from "../../relay/data-folder.ts";
import { ListedMembership } from "../../relay/listed-membership.ts";
import type { Member, MembershipChange } from "../../relay/membership-source.ts";
import { supernodeNumber } from "../support/made-leases.ts";
import { TestAuthority } from "../support/test-identities.ts";
import { until } from "../support/until.ts";

const HOUR_MS = 3_600_000;

describe("membership by the login server's list", () => {
  let folder: DataFolder;
  let path: string;
  let now: number;
  /** What the login server answers. */
  let published: (() => Uint8Array) | null;
  let polls: number;
  const open: ListedMembership[] = [];

  const authority = new TestAuthority(signingKeyPair(), () => now);
  const stranger = new TestAuthority(signingKeyPair(), () => now);
  const member = (number: number, choices: { serial?: number; port?: number; expiresAt?: number } = {}): Member => {
    const bytes = authority.supernodeCertificate({
      networkId: authority.networkId,
      supernodeId: supernodeNumber(number),
      signKey: new Uint8Array(32).fill(number),
      tlsFingerprint: new Uint8Array(32).fill(number),
      host: "127.0.0.1",
      port: 1_000 + number,
      serial: number,
      issuedAt: now,
      expiresAt: now + 100 * HOUR_MS,
      ...choices,
    });
    return trustSupernodeCertificate(
      trustAnchor(authority.networkKey, () => now),
      bytes,
    );
  };
  const listOf = (revision: number, supernodes: readonly Member[], by = authority) =>
    by.supernodeList({ revision, issuedAt: now, expiresAt: now + 100 * HOUR_MS, supernodes });
  const publish = (revision: number, ...supernodes: Member[]) => {
    const list = listOf(revision, supernodes);
    published = () => list;
  };

  beforeEach(() => {
    now = Date.UTC(2026, 10, 1);
    path = mkdtempSync(join(tmpdir(), "kith-relay-"));
    folder = new DataFolder(path);
    published = null;
    polls = 0;
  });
  afterEach(() => {
    for (const membership of open.splice(0)) membership.close();
    folder.close();
    rmSync(path, { recursive: true, force: true });
  });

  async function start(self: Member = member(1), random: () => number = () => 0.5) {
    const membership = await ListedMembership.open(
      {
        folder,
        anchor: trustAnchor(authority.networkKey, () => now),
        random,
        times: { listPollMinMs: 5, listPollMaxMs: 500 },
        log: pino({ level: "silent" }),
        loginServer: {
          async supernodeList() {
            polls++;
            if (!published) throw new KithError("login-server-unreachable", { address: "here" });
            return published();
          },
        },
      },
      self,
    );
    open.push(membership);
    const changes: string[] = [];
    membership.onChange((change) => changes.push(inShort(change)));
    return { membership, changes, ids: () => [...membership.members().keys()].sort() };
  }
  const ids = (...numbers: number[]) => numbers.map(supernodeNumber).sort();

  it("counts this supernode in, listed or not, login server or not", async () => {
    const { ids: present } = await start();
    expect(present()).toEqual(ids(1));
  });

  it("tells who has joined, renewed and left", async () => {
    publish(1, member(1), member(2), member(3));
    const { changes, ids: present } = await start();
    expect(present()).toEqual(ids(1, 2, 3));
    publish(2, member(1), member(2, { serial: 9, port: 99 }), member(4));
    await until(() => changes.length === 3);
    expect(changes.sort()).toEqual([
      `joined ${supernodeNumber(4)}`,
      `left ${supernodeNumber(3)}`,
      `renewed ${supernodeNumber(2)}`,
    ]);
    expect(present()).toEqual(ids(1, 2, 4));
  });

  it("never goes back to an older list, and believes none that the network did not sign", async () => {
    publish(5, member(1), member(2));
    const { changes, ids: present } = await start();
    const before = polls;
    publish(4, member(1));
    await until(() => polls > before + 1);
    const forged = listOf(9, [member(7)], stranger);
    published = () => forged;
    const later = polls;
    await until(() => polls > later + 1);
    published = () => new Uint8Array([1, 2, 3]);
    const last = polls;
    await until(() => polls > last + 1);
    expect(changes).toEqual([]);
    expect(present()).toEqual(ids(1, 2));
  });

  it("leaves out entries that the network did not sign", async () => {
    const other = stranger.supernodeCertificate({ ...member(2).value, networkId: stranger.networkId });
    published = () => listOf(1, [{ ...member(2), bytes: other }, member(3)]);
    const { ids: present } = await start();
    expect(present()).toEqual(ids(1, 3));
  });

  it("starts with the list of the last time when the login server is away", async () => {
    publish(1, member(1), member(2));
    const first = await start();
    first.membership.close();
    published = null;
    const second = await start();
    expect(second.ids()).toEqual(ids(1, 2));
  });

  it("starts all the same when the kept list is damaged", async () => {
    folder.write("supernode-list", new Uint8Array([9, 9, 9]));
    publish(1, member(1), member(2));
    expect((await start()).ids()).toEqual(ids(1, 2));
  });

  it("drops a member whose certificate runs out, without a new list", async () => {
    publish(1, member(1), member(2, { expiresAt: now + HOUR_MS }));
    const { changes, ids: present } = await start();
    expect(present()).toEqual(ids(1, 2));
    now += HOUR_MS;
    await until(() => changes.length > 0);
    expect(changes).toEqual([`left ${supernodeNumber(2)}`]);
  });

  it("asks for the list soon when it meets a supernode that it does not know", async () => {
    publish(1, member(1), member(2));
    // Far from uniform, so that the next poll is a minute away.
    let jitter = 10_000;
    const { membership, ids: present } = await start(member(1), () => jitter);
    jitter = 0.5;
    publish(2, member(1), member(2), member(3));
    membership.meet(member(2));
    membership.meet(member(3));
    await until(() => present().length === 3, 1_000);
  });
});

function inShort(change: MembershipChange): string {
  return `${change.kind} ${change.kind === "left" ? change.supernodeId : change.member.value.supernodeId}`;
}
