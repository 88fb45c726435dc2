import { useState } from "react";
import { Button, Input, Label, TextField } from "react-aria-components";
import { useText } from "../texts/use-text.ts";

export function PasswordField({
  value,
  onChange,
  label,
  isNew = false,
  autoFocus = false,
}: {
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** Without one it is the account's password. */
  readonly label?: string;
  /** To be chosen now, not to be remembered. */
  readonly isNew?: boolean;
  readonly autoFocus?: boolean;
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
      autoComplete={isNew ? "new-password" : "current-password"}
    >
      <Label className="field-label">{label ?? text("signIn.password")}</Label>
      <div className="field-with-button">
        <Input className="field-input" spellCheck="false" autoCapitalize="none" />
        <Button className="field-button" onPress={() => setShown(!shown)}>
          {text(shown ? "signIn.hide" : "signIn.show")}
        </Button>
      </div>
    </TextField>
  );
}
