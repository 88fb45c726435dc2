import { useState } from "react";
import { Button, Input, Label, TextField } from "react-aria-components";
import { useText } from "../texts/use-text.ts";

export function PasswordField({
  value,
  onChange,
  autoFocus,
}: {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly autoFocus: boolean;
}) {
  const text = useText();
  const [shown, setShown] = useState(false);
  return (
    <TextField
      className="field"
      type={shown ? "text" : "password"}
      value={value}
      onChange={onChange}
      autoFocus={autoFocus}
      autoComplete="current-password"
    >
      <Label className="field-label">{text("signIn.password")}</Label>
      <div className="field-with-button">
        <Input className="field-input" spellCheck="false" autoCapitalize="none" />
        <Button className="field-button" onPress={() => setShown(!shown)}>
          {text(shown ? "signIn.hide" : "signIn.show")}
        </Button>
      </div>
    </TextField>
  );
}
