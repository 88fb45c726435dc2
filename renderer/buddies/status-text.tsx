import { type KeyboardEvent, useState } from "react";
import { Input, TextField } from "react-aria-components";
import type { SessionView } from "../../protocol/ipc-schema.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { useAttempt, useKith } from "../app/kith.tsx";
import { useText } from "../texts/use-text.ts";

type Status = Extract<SessionView, { phase: "signed-in" }>["status"];

/** A few words for one's buddies; taken over on Enter and when the field is left. */
export function StatusText({ status, statusText }: { readonly status: Status; readonly statusText: string }) {
  const text = useText();
  const { bridge } = useKith();
  const attempt = useAttempt();
  const [typed, setTyped] = useState(statusText);

  function save(): void {
    if (typed.trim() !== statusText) attempt(bridge.invoke("setStatus", { status, text: typed.trim() }));
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === "Enter" && !event.nativeEvent.isComposing) save();
  }

  return (
    <TextField
      aria-label={text("profile.statusText")}
      value={typed}
      onChange={setTyped}
      onBlur={save}
      maxLength={LIMITS.maxStatusTextLength}
    >
      <Input className="own-status-text" placeholder={text("profile.statusTextHint")} onKeyDown={onKeyDown} />
    </TextField>
  );
}
