import { useId } from "react";
import { Switch } from "react-aria-components";

/** One setting that is on or off, with a sentence on what that means. */
export function SettingSwitch({
  label,
  explanation,
  isOn,
  isReady,
  onChange,
}: {
  readonly label: string;
  readonly explanation: string;
  readonly isOn: boolean;
  readonly isReady: boolean;
  readonly onChange: (on: boolean) => void;
}) {
  const explanationId = useId();
  return (
    <div className="setting">
      <Switch
        className="switch"
        isSelected={isOn}
        isDisabled={!isReady}
        onChange={onChange}
        aria-describedby={explanationId}
      >
        <span className="switch-label">{label}</span>
        <span className="switch-track">
          <span className="switch-thumb" />
        </span>
      </Switch>
      <p id={explanationId} className="setting-words">
        {explanation}
      </p>
    </div>
  );
}
