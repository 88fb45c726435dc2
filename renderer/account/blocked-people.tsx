import { useState } from "react";
import { Button } from "react-aria-components";
import type { IPC_METHODS } from "../../protocol/ipc-schema.ts";
import type { Output } from "../../protocol/rpc.ts";
import { useKith } from "../app/kith.tsx";
import { Trouble } from "../app/trouble.tsx";
import { useOnOpen } from "../app/use-on-open.ts";
import { useRequest } from "../app/use-request.ts";
import { useText } from "../texts/use-text.ts";

type People = Output<(typeof IPC_METHODS)["blocked"]>["people"];

/** Those of whom the user wants nothing. */
export function BlockedPeople() {
  const text = useText();
  const { bridge } = useKith();
  const [people, setPeople] = useState<People>([]);
  const { run, isRunning, trouble } = useRequest();
  useOnOpen(() => void run(async () => setPeople((await bridge.invoke("blocked", {})).people)));

  function unblock(userId: People[number]["userId"]): void {
    void run(async () => {
      await bridge.invoke("unblockBuddy", { userId });
      setPeople((before) => before.filter((one) => one.userId !== userId));
    });
  }

  return (
    <>
      <p className="dialog-words">{text(people.length === 0 ? "blocked.nobody" : "blocked.explain")}</p>
      <ul className="account-list" aria-label={text("account.blocked")}>
        {people.map(({ userId, handle }) => (
          <li key={userId} className="account-row">
            <span className="account-row-words">
              <span className="account-row-name">{handle}</span>
            </span>
            <Button className="button button-small" isPending={isRunning} onPress={() => unblock(userId)}>
              {text("blocked.unblock")}
            </Button>
          </li>
        ))}
      </ul>
      <Trouble>{trouble}</Trouble>
    </>
  );
}
