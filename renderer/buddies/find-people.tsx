import { useId, useState } from "react";
import { Button, Input, Label, SearchField, Text } from "react-aria-components";
import { KithError } from "../../protocol/errors.ts";
import type { PersonView } from "../../protocol/ipc-schema.ts";
import { useKith } from "../app/kith.tsx";
import { Trouble } from "../app/trouble.tsx";
import { useText } from "../texts/use-text.ts";
import { FoundPeople } from "./found-people.tsx";

interface Found {
  readonly text: string;
  readonly people: readonly PersonView[];
  readonly cursor: string | null;
  readonly isCut: boolean;
}

type Search =
  | { readonly phase: "idle" }
  | { readonly phase: "running"; readonly found: Found | null }
  | { readonly phase: "found"; readonly found: Found }
  /** What was found before stays on the screen. */
  | { readonly phase: "refused"; readonly found: Found | null; readonly message: string };

/** Looks for people among those who let themselves be found. Asked on Enter, not at every letter: others answer. */
export function FindPeople({ greeting }: { readonly greeting: string }) {
  const text = useText();
  const { bridge } = useKith();
  const hintId = useId();
  const [typed, setTyped] = useState("");
  const [search, setSearch] = useState<Search>({ phase: "idle" });
  const found = search.phase === "idle" ? null : search.found;

  async function look(asked: string, before: Found | null): Promise<void> {
    setSearch({ phase: "running", found: before });
    try {
      const page = await bridge.invoke("searchPeople", { text: asked, cursor: before?.cursor ?? null });
      const people = [...(before?.people ?? []), ...page.people];
      setSearch({ phase: "found", found: { text: asked, people, cursor: page.cursor, isCut: page.isCut } });
    } catch (error) {
      setSearch({ phase: "refused", found: before, message: KithError.from(error).message });
    }
  }

  const begin = () => {
    if (search.phase !== "running" && typed.trim() !== "") void look(typed, null);
  };

  return (
    <section className="find-people" aria-label={text("findPeople.title")}>
      <SearchField
        className="field find-field"
        value={typed}
        onChange={setTyped}
        onSubmit={begin}
        onClear={() => setSearch({ phase: "idle" })}
        aria-describedby={hintId}
        autoFocus
      >
        <Label className="field-label">{text("findPeople.label")}</Label>
        <div className="find-line">
          <Input className="field-input" spellCheck="false" maxLength={200} />
          <Button slot={null} className="button" onPress={begin} isPending={search.phase === "running"}>
            {text("findPeople.search")}
          </Button>
        </div>
        <Text id={hintId} slot="description" className="field-description">
          {text("findPeople.hint")}
        </Text>
      </SearchField>
      <Trouble>{search.phase === "refused" && search.message}</Trouble>
      <p className="find-words" role="status">
        {search.phase === "running" && text("findPeople.searching")}
        {search.phase === "found" && text("findPeople.count", { count: search.found.people.length })}
      </p>
      {found !== null && <FoundPeople people={found.people} greeting={greeting} />}
      {found !== null && (
        <>
          {found.isCut && <p className="find-words">{text("findPeople.tooMany")}</p>}
          {found.cursor !== null && (
            <Button
              className="button button-small"
              isPending={search.phase === "running"}
              onPress={() => void look(found.text, found)}
            >
              {text("findPeople.more")}
            </Button>
          )}
        </>
      )}
    </section>
  );
}
