import { Header, ListBox, ListBoxSection, type Selection } from "react-aria-components";
import { useShallow } from "zustand/shallow";
import { useAppState, useKith } from "../app/kith.tsx";
import { useText } from "../texts/use-text.ts";
import { inGroups } from "./buddy-name.ts";
import { BuddyRow } from "./buddy-row.tsx";

export function BuddyList() {
  const text = useText();
  const { store } = useKith();
  const selected = useAppState((state) => state.selected);
  const buddies = useAppState(useShallow((state) => state.buddies.filter(({ relation }) => relation !== "asks-me")));

  const groups = inGroups(buddies);

  function select(keys: Selection): void {
    const [key] = keys;
    const chosen = buddies.find(({ userId }) => userId === key);
    if (chosen !== undefined) store.setState({ selected: chosen.userId });
  }

  return (
    <ListBox
      className="buddy-list"
      aria-label={text("buddies.list")}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={selected === null ? [] : [selected]}
      onSelectionChange={select}
      renderEmptyState={() => <p className="buddy-list-empty">{text("buddies.none")}</p>}
    >
      {groups.length === 1
        ? buddies.map((buddy) => <BuddyRow key={buddy.userId} buddy={buddy} />)
        : groups.map(({ name, buddies: members }) => (
            <ListBoxSection key={name} id={`group ${name}`} aria-label={name || text("buddies.noGroup")}>
              <Header className="buddy-group">{name || text("buddies.noGroup")}</Header>
              {members.map((buddy) => (
                <BuddyRow key={buddy.userId} buddy={buddy} />
              ))}
            </ListBoxSection>
          ))}
    </ListBox>
  );
}
