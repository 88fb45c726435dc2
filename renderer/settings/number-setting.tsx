import { Input, Label, NumberField } from "react-aria-components";

/** A number that takes effect when it is entered. */
export function NumberSetting({
  label,
  value,
  min,
  max,
  isPort = false,
  onChange,
}: {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  /** Ports are names: they have no separators. */
  readonly isPort?: boolean;
  readonly onChange: (value: number) => void;
}) {
  return (
    <NumberField
      className="number-setting"
      value={value}
      minValue={min}
      maxValue={max}
      formatOptions={isPort ? { useGrouping: false, maximumFractionDigits: 0 } : { maximumFractionDigits: 1 }}
      onChange={(next) => {
        if (Number.isFinite(next)) onChange(next);
      }}
    >
      <Label className="field-label">{label}</Label>
      <Input className="field-input" />
    </NumberField>
  );
}
