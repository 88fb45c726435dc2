/** The directory's part of a simulated supernode: the real record store and the real replication. */
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { type ReplicationMessage, replicationBytes } from "../../protocol/replication-message.ts";
import { CurrentPlacement } from "../../relay/records/current-placement.ts";
import { HolderStandings } from "../../relay/records/holder-standing.ts";
import { PackedLease } from "../../relay/records/packed-lease.ts";
import { PackedRecords } from "../../relay/records/packed-records.ts";
import { PlacementTable } from "../../relay/records/placement-table.ts";
import { Replication } from "../../relay/records/replication.ts";
import { REPLICATION_LIMITS, ReplicationMetrics } from "../../relay/records/replication-parts.ts";
import type { Placements } from "./placements.ts";
import type { SimNode } from "./sim-node.ts";

/** Rarer than in earnest (100 ms), for the sake of speed. */
const TICK_MS = 500;
/** A few dozen records each: thousands of stores of the usual size would be gigabytes, however empty they are. */
const INDEX_SEGMENT_BITS = 4;
const SLAB_BYTES = 16_384;
/** TLS, WebSocket and IP around a message. */
const FRAME_BYTES = 100;

export class SimHolder {
  readonly node: SimNode;
  readonly store = new PackedRecords([0x51ed, 0xc0de], { segmentBits: INDEX_SEGMENT_BITS, firstSlabBytes: SLAB_BYTES });
  readonly metrics = new ReplicationMetrics();
  readonly standings = new HolderStandings();
  readonly replication: Replication;
  /** Sent by replication. */
  sentBytes = 0;
  changedAt: number;
  readonly #placements: Placements;
  readonly #current: CurrentPlacement;

  constructor(
    node: SimNode,
    placements: Placements,
    replicas: number,
    holderOf: (id: SupernodeId) => SimHolder | undefined,
  ) {
    const { time, random } = node.network;
    this.node = node;
    this.#placements = placements;
    this.changedAt = time.now;
    this.#current = new CurrentPlacement(placements.of(node, () => new PlacementTable(node.view())));
    this.replication = new Replication(
      {
        self: node.id,
        store: this.store,
        members: {
          has: (id) => id === node.id || node.core.peer(id)?.isLive === true,
          placement: () => this.table,
        },
        replicas,
        limits: REPLICATION_LIMITS,
        metrics: this.metrics,
        random,
        trustLease: (lease) => new PackedLease(lease),
        send: (to, message) => this.#send(holderOf(to), message),
      },
      time.now,
    );
    const tick = () => {
      if (!node.isUp) return;
      this.replication.tick(time.now);
      time.after(TICK_MS, tick);
    };
    time.after(random() * TICK_MS, tick);
  }

  /** As this supernode sees the network. */
  get table(): PlacementTable {
    return this.#current.table((former, changes) => this.#placements.of(this.node, () => former.after(changes)));
  }

  memberJoined(id: SupernodeId): void {
    this.#current.joined(id);
    this.#membersChanged();
  }

  memberLeft(id: SupernodeId): void {
    this.#current.left(id);
    this.#membersChanged();
  }

  /** Over TCP: arrives if the other end is there, however many packets are lost. */
  #send(target: SimHolder | undefined, message: ReplicationMessage): void {
    this.sentBytes += replicationBytes(message) + FRAME_BYTES;
    if (!target) return;
    const { network } = this.node;
    const lateMs = target.node.lagMs * network.random();
    network.time.after(network.roundTripMs(this.node, target.node) / 2 + lateMs, () => {
      if (target.node.isUp && network.isLine(this.node, target.node)) {
        target.replication.receive(this.node.id, message, network.time.now);
      }
    });
  }

  #membersChanged(): void {
    this.changedAt = this.node.network.time.now;
    this.replication.membersChanged(this.changedAt);
  }
}
