import { useState } from "react";
import { Input, Label, Text, TextField } from "react-aria-components";
import type { FindableView } from "../../protocol/ipc-schema.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { useAttempt, useKith } from "../app/kith.tsx";
import { useText } from "../texts/use-text.ts";
import { SettingSwitch } from "./setting-switch.tsx";

/** Whether people find the user by name, and by which. The texts hold as soon as their field is left. */
export function FindableSetting({ findable, handle }: { readonly findable: FindableView; readonly handle: string }) {
  const text = useText();
  const { bridge } = useKith();
  const attempt = useAttempt();
  const [displayName, setDisplayName] = useState(findable.displayName);
  const [words, setWords] = useState(findable.words);

  const change = (on: boolean) => attempt(bridge.invoke("setFindable", { on, displayName, words }));
  const changeTexts = () => {
    const isChanged = displayName.trim() !== findable.displayName || words.trim() !== findable.words;
    if (findable.on && isChanged) change(true);
  };

  return (
    <section className="settings-group" aria-label={text("settings.finding")}>
      <h3 className="settings-heading">{text("settings.finding")}</h3>
      <SettingSwitch
        label={text("settings.findable")}
        explanation={text("settings.findableExplain", { handle })}
        isOn={findable.on}
        isReady
        onChange={change}
      />
      {findable.on && (
        <div className="findable-fields">
          <TextField
            className="field"
            value={displayName}
            onChange={setDisplayName}
            onBlur={changeTexts}
            maxLength={LIMITS.maxDisplayNameLength}
          >
            <Label className="field-label">{text("settings.displayName")}</Label>
            <Input className="field-input" autoComplete="name" />
          </TextField>
          <TextField
            className="field"
            value={words}
            onChange={setWords}
            onBlur={changeTexts}
            maxLength={LIMITS.maxProfileWordsLength}
          >
            <Label className="field-label">{text("settings.findableWords")}</Label>
            <Input className="field-input" />
            <Text slot="description" className="field-description">
              {text("settings.findableWordsHint")}
            </Text>
          </TextField>
        </div>
      )}
    </section>
  );
}
