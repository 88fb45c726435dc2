/** The placement table of members who come and go: made when somebody asks for it, from the one before. */
import type { SupernodeId } from "../../protocol/identifiers.ts";
import type { PlacementTable, TableChanges } from "./placement-table.ts";

export class CurrentPlacement {
  #table: PlacementTable;
  /** Since the table was made: who is a member now, and who is none. */
  readonly #changed = new Map<SupernodeId, boolean>();

  constructor(table: PlacementTable) {
    this.#table = table;
  }

  joined(id: SupernodeId): void {
    this.#changed.set(id, true);
  }

  left(id: SupernodeId): void {
    this.#changed.set(id, false);
  }

  /** @param make in which way, where several see the same members and share their tables */
  table(make = (former: PlacementTable, changes: TableChanges) => former.after(changes)): PlacementTable {
    if (this.#changed.size === 0) return this.#table;
    const changed = [...this.#changed];
    this.#changed.clear();
    const ids = (isMember: boolean) => changed.filter(([, is]) => is === isMember).map(([id]) => id);
    this.#table = make(this.#table, { joined: ids(true), left: ids(false) });
    return this.#table;
  }
}
