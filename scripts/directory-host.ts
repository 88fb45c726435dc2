/** A process of the directory's benchmark with a few supernodes: it does what it is told over its IPC channel. */

import { UserId } from "../protocol/identifiers.ts";
import { decodeLease, type Lease } from "../protocol/lease.ts";
import { LEASE_REPLICAS } from "../protocol/limits.ts";
import { signingKeyPair } from "../protocol/node-crypto.ts";
import type { Signed } from "../protocol/signed.ts";
import { trustSupernodeCertificate } from "../protocol/trust.ts";
import { PlacementTable } from "../relay/records/placement-table.ts";
import { openStandpoint, type Standpoint } from "./directory-standpoint.ts";
import { DirectorySupernode, type LookUpOutcome } from "./directory-supernode.ts";
import { serveOrders } from "./host-orders.ts";

export interface DirectoryOrders {
  /** @returns certificates, base64 */
  open(order: { readonly supernodes: number; readonly networkSeed: string; readonly replicas: number }): string[];
  /** Takes the certificates of all supernodes to begin with. */
  join(order: { readonly certificates: readonly string[] }): null;
  /** The fewest and the most members that a supernode here sees. */
  members(order: null): { readonly fewest: number; readonly most: number };
  /** Every supernode here to every other one in the network. */
  connect(order: null): Promise<null>;
  /** Leases, base64: each supernode here forgets what it held and keeps those that are its to hold. */
  fill(order: { readonly leases: readonly string[]; readonly replicas: number }): null;
  /** The leases that there are, without keeping any. */
  know(order: { readonly leases: readonly string[] }): null;
  /** Spread over this time, each by one of the supernodes here at random. */
  lookUp(order: { readonly userIds: readonly string[]; readonly overMs: number }): Promise<LookUpOutcome[]>;
  /** Replicas that supernodes here should hold, if these are all members, and do not. */
  missing(order: { readonly members: readonly string[] }): number;
  /** The leases, by their place, of which a supernode here has a replica. */
  held(order: null): number[];
}

export async function runDirectoryHost(): Promise<void> {
  let standpoints: Standpoint[] = [];
  let supernodes: DirectorySupernode[] = [];
  let leases: Signed<Lease>[] = [];
  let replicas = LEASE_REPLICAS;
  /**
   * Places of leases by the supernode here that should hold them and has not been seen to, as long as the members are
   * these. What is there stays there, so looking again costs little of the time that is measured.
   */
  let awaited: { readonly members: string; of: readonly (readonly number[])[] } | null = null;

  // A kill breaks a thousand connections at once, and nobody reads where in Node each was noticed.
  Error.stackTraceLimit = 0;
  serveOrders<DirectoryOrders>({
    async open(order) {
      const network = signingKeyPair(Buffer.from(order.networkSeed, "hex"));
      replicas = order.replicas;
      standpoints = await Promise.all(Array.from({ length: order.supernodes }, () => openStandpoint(network)));
      return standpoints.map(({ self }) => Buffer.from(self.bytes).toString("base64"));
    },
    join({ certificates }) {
      const [first] = standpoints;
      if (!first) return null;
      const seeds = certificates.map((bytes) => trustSupernodeCertificate(first.anchor, Buffer.from(bytes, "base64")));
      supernodes = standpoints.map((standpoint) => new DirectorySupernode(standpoint, replicas, seeds));
      return null;
    },
    members() {
      const counts = supernodes.map(({ memberCount }) => memberCount);
      return { fewest: Math.min(...counts), most: Math.max(...counts) };
    },
    async connect() {
      await Promise.all(supernodes.map((supernode) => supernode.connect()));
      return null;
    },
    fill(order) {
      leases = order.leases.map((bytes) => decodeLease(Buffer.from(bytes, "base64")));
      replicas = order.replicas;
      awaited = null;
      for (const supernode of supernodes) supernode.beginAnew(replicas);
      const table = new PlacementTable(supernodes[0]?.members ?? []);
      for (const lease of leases) {
        const holders = table.holders(lease.value.userId, replicas);
        for (const supernode of supernodes) if (holders.includes(supernode.id)) supernode.hold(lease);
      }
      return null;
    },
    know(order) {
      leases = order.leases.map((bytes) => decodeLease(Buffer.from(bytes, "base64")));
      return null;
    },
    lookUp({ userIds, overMs }) {
      return Promise.all(
        userIds.map(async (userId, place) => {
          await new Promise((resolve) => setTimeout(resolve, (overMs * (place + Math.random())) / userIds.length));
          const asker = supernodes[Math.floor(Math.random() * supernodes.length)] as DirectorySupernode;
          return asker.lookUp(UserId.parse(userId));
        }),
      );
    },
    missing({ members }) {
      if (awaited?.members !== members.join()) {
        const table = new PlacementTable(members.map((id) => id as DirectorySupernode["id"]));
        const holders = leases.map(({ value }) => table.holders(value.userId, replicas));
        const of = supernodes.map(({ id }) =>
          leases.flatMap((_, place) => (holders[place]?.includes(id) ? [place] : [])),
        );
        awaited = { members: members.join(), of };
      }
      awaited.of = awaited.of.map((places, at) =>
        places.filter((place) => !holds(supernodes[at] as DirectorySupernode, leases[place])),
      );
      return awaited.of.reduce((sum, places) => sum + places.length, 0);
    },
    held() {
      const held = new Set(supernodes.flatMap((supernode) => [...supernode.userIds()]));
      return leases.flatMap((lease, place) => (held.has(lease.value.userId) ? [place] : []));
    },
  });
}

function holds(supernode: DirectorySupernode, lease: Signed<Lease> | undefined): boolean {
  return lease !== undefined && supernode.holds(lease.value.userId, lease.value.deviceId);
}
