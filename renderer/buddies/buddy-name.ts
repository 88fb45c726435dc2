import type { BuddyView } from "../../protocol/ipc-schema.ts";

/** What the user calls a buddy: the alias that they gave, else the handle. */
export function buddyName({ alias, handle }: Pick<BuddyView, "alias" | "handle">): string {
  return alias === "" ? handle : alias;
}

export interface BuddyGroup {
  /** Empty for those in none. */
  readonly name: string;
  readonly buddies: readonly BuddyView[];
}

/** The list in its groups, by name, those in none last; a buddy stands under the first of theirs. Without groups it is one. */
export function inGroups(buddies: readonly BuddyView[]): BuddyGroup[] {
  const groups = new Map<string, BuddyView[]>();
  for (const buddy of buddies) {
    const name = buddy.groups[0] ?? "";
    groups.set(name, [...(groups.get(name) ?? []), buddy]);
  }
  return [...groups]
    .map(([name, members]) => ({ name, buddies: members }))
    .sort((a, b) => (a.name === "" ? 1 : b.name === "" ? -1 : a.name.localeCompare(b.name)));
}
