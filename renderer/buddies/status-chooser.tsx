import { Button, ListBox, ListBoxItem, Popover, Select, SelectValue } from "react-aria-components";
import type { SessionView } from "../../protocol/ipc-schema.ts";
import { Icon } from "../app/icon.tsx";
import { useAttempt, useKith } from "../app/kith.tsx";
import { useText } from "../texts/use-text.ts";
import { PRESENCE_WORDS, PresenceMark } from "./presence.tsx";

type Status = Extract<SessionView, { phase: "signed-in" }>["status"];
const STATUSES: readonly Status[] = ["online", "away", "busy", "invisible"];

export function StatusChooser({ status, statusText }: { readonly status: Status; readonly statusText: string }) {
  const text = useText();
  const { bridge } = useKith();
  const attempt = useAttempt();

  function choose(key: unknown): void {
    const chosen = STATUSES.find((candidate) => candidate === key);
    if (chosen !== undefined) attempt(bridge.invoke("setStatus", { status: chosen, text: statusText }));
  }

  return (
    <Select className="status-chooser" aria-label={text("profile.status")} value={status} onChange={choose}>
      <Button className="status-button">
        <SelectValue className="status-value">
          {() => (
            <>
              <PresenceMark presence={status} />
              {text(PRESENCE_WORDS[status])}
            </>
          )}
        </SelectValue>
        <Icon name="chevron" size={14} />
      </Button>
      <Popover className="popover">
        <ListBox className="menu">
          {STATUSES.map((choice) => (
            <ListBoxItem key={choice} id={choice} className="menu-item" textValue={text(PRESENCE_WORDS[choice])}>
              <PresenceMark presence={choice} />
              {text(PRESENCE_WORDS[choice])}
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </Select>
  );
}
