/** Which other supernodes have room for nodes that cannot be, or stay, here. Asked only when somebody needs it. */
import { MAX_ELSEWHERE } from "../../protocol/busy.ts";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { Membership } from "../membership/membership-source.ts";
import { withinMs } from "../within.ts";
import type { Peers } from "./peers.ts";

export interface RoomsParts {
  readonly self: SupernodeId;
  readonly membership: Pick<Membership, "members">;
  readonly peers: Pick<Peers, "call" | "isGood">;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Monotonic, in ms. */
  readonly clock: () => number;
  /** Nobody is believed to have more. */
  readonly maxRoom: number;
}

/** So many others are asked, drawn by lot: enough to spread ten thousand nodes over. */
const ASKED = 24;
const ANSWER_MS = 1_500;
/** What was learnt is good for so long. */
const FRESH_MS = 5_000;

export class Rooms {
  readonly #parts: RoomsParts;
  readonly #rooms = new Map<SupernodeId, number>();
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | null = null;

  constructor(parts: RoomsParts) {
    this.#parts = parts;
  }

  /** Asks around, unless that was done lately. Never fails: whoever does not answer has no room. */
  learn(): Promise<void> {
    if (this.#asking) return this.#asking;
    if (this.#parts.clock() - this.#askedAt < FRESH_MS) return Promise.resolve();
    this.#asking = this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  /**
   * Where to send one node, best first: drawn by lot, in proportion to the room that there was
   * and that others have not been sent to since.
   */
  elsewhere(): SupernodeId[] {
    const left = new Map(this.#rooms);
    const drawn: SupernodeId[] = [];
    while (drawn.length < MAX_ELSEWHERE) {
      const next = this.#draw(left);
      if (next === null) break;
      left.delete(next);
      drawn.push(next);
    }
    const [first] = drawn;
    if (first !== undefined) this.#rooms.set(first, (this.#rooms.get(first) ?? 1) - 1);
    return drawn;
  }

  async #ask(): Promise<void> {
    const { self, membership, peers, clock, maxRoom } = this.#parts;
    const others = [...membership.members().keys()].filter((id) => id !== self && peers.isGood(id));
    const rooms = new Map<SupernodeId, number>();
    const answers = this.#sample(others).map(async (id) => {
      const { nodes } = await peers.call(id, "room", {});
      rooms.set(id, Math.min(nodes, maxRoom));
    });
    await withinMs(ANSWER_MS, Promise.allSettled(answers));
    this.#askedAt = clock();
    this.#rooms.clear();
    for (const [id, room] of rooms) this.#rooms.set(id, room);
  }

  #sample(others: SupernodeId[]): SupernodeId[] {
    return others
      .map((id) => ({ id, lot: this.#parts.random() }))
      .sort((a, b) => a.lot - b.lot)
      .slice(0, ASKED)
      .map(({ id }) => id);
  }

  #draw(rooms: ReadonlyMap<SupernodeId, number>): SupernodeId | null {
    let total = 0;
    for (const room of rooms.values()) total += Math.max(0, room);
    let lot = this.#parts.random() * total;
    for (const [id, room] of rooms) {
      if (room <= 0) continue;
      lot -= room;
      if (lot < 0) return id;
    }
    return null;
  }
}
