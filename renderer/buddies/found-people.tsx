import { useState } from "react";
import { Button } from "react-aria-components";
import { KithError } from "../../protocol/errors.ts";
import type { BuddyView, PersonView } from "../../protocol/ipc-schema.ts";
import { Avatar } from "../app/avatar.tsx";
import { useAppState, useKith } from "../app/kith.tsx";
import type { TextId } from "../texts/en.ts";
import { useText } from "../texts/use-text.ts";

const RELATION: Readonly<Record<BuddyView["relation"], TextId>> = {
  buddy: "findPeople.isBuddy",
  "asked-by-me": "findPeople.isAsked",
  "asks-me": "findPeople.asksMe",
};

/** @param greeting what goes with a request */
export function FoundPeople({
  people,
  greeting,
}: {
  readonly people: readonly PersonView[];
  readonly greeting: string;
}) {
  const text = useText();
  if (people.length === 0) return null;
  return (
    <ul className="found-people" aria-label={text("findPeople.list")}>
      {people.map((person) => (
        <FoundPerson key={person.userId} person={person} greeting={greeting} />
      ))}
    </ul>
  );
}

function FoundPerson({ person, greeting }: { readonly person: PersonView; readonly greeting: string }) {
  const text = useText();
  const { bridge } = useKith();
  const relation = useAppState((state) => state.buddies.find(({ userId }) => userId === person.userId)?.relation);
  const [refusal, setRefusal] = useState("");
  const [isAsking, setAsking] = useState(false);
  const { userId, handle, displayName, words } = person;

  async function add(): Promise<void> {
    setAsking(true);
    setRefusal("");
    try {
      await bridge.invoke("requestBuddy", { handle, greeting });
    } catch (error) {
      setRefusal(KithError.from(error).message);
    }
    setAsking(false);
  }

  return (
    <li className="found-person">
      <Avatar userId={userId} handle={handle} size={32} />
      <div className="found-words">
        <p className="found-name">{displayName === "" ? handle : displayName}</p>
        <p className="found-handle">{words === "" ? handle : text("findPeople.about", { handle, words })}</p>
        <p className="form-error" role="alert">
          {refusal}
        </p>
      </div>
      {relation === undefined ? (
        <Button
          className="button button-small button-primary"
          aria-label={text("findPeople.add", { handle })}
          isPending={isAsking}
          onPress={() => void add()}
        >
          {text("findPeople.addShort")}
        </Button>
      ) : (
        <span className="found-relation">{text(RELATION[relation])}</span>
      )}
    </li>
  );
}
