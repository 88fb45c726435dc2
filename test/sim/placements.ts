/** Placement tables of simulated supernodes: those who see the same members share one, as thousands mostly do. */
import type { PlacementTable } from "../../relay/records/placement-table.ts";
import type { SimNode } from "./sim-node.ts";

/** After a massacre hardly two see the same: then keeping more would help nobody. */
const KEPT = 64;

export class Placements {
  readonly #byView = new Map<string, PlacementTable>();

  /** As this supernode sees the network. */
  of(node: SimNode, make: () => PlacementTable): PlacementTable {
    const view = node.viewHash.join();
    // Newcomers see something else every moment: what thousands see must not fall out for it.
    const table = this.#byView.get(view) ?? make();
    this.#byView.delete(view);
    this.#byView.set(view, table);
    const [oldest] = this.#byView.keys();
    if (this.#byView.size > KEPT && oldest !== undefined) this.#byView.delete(oldest);
    return table;
  }
}
