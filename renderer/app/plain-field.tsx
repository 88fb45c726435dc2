import { Input, Label, Text, TextField } from "react-aria-components";

export function PlainField({
  label,
  value,
  onChange,
  description,
  autoComplete,
  autoFocus = false,
}: {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly description?: string;
  readonly autoComplete: "username" | "url" | "off";
  readonly autoFocus?: boolean;
}) {
  return (
    <TextField className="field" value={value} onChange={onChange} autoFocus={autoFocus} autoComplete={autoComplete}>
      <Label className="field-label">{label}</Label>
      <Input className="field-input" spellCheck="false" autoCapitalize="none" />
      {description && (
        <Text slot="description" className="field-description">
          {description}
        </Text>
      )}
    </TextField>
  );
}
