import { Button } from "react-aria-components";
import { useAppState, useAttempt, useKith } from "../app/kith.tsx";
import { ModalDialog, type Opening } from "../app/modal-dialog.tsx";
import { useText } from "../texts/use-text.ts";
import { FindableSetting } from "./findable-setting.tsx";
import { SettingSwitch } from "./setting-switch.tsx";
import { SupernodeSettings } from "./supernode-settings.tsx";

/** A change holds at once; there is nothing to save. */
export function SettingsDialog(opening: Opening) {
  const text = useText();
  const { bridge } = useKith();
  const attempt = useAttempt();
  const settings = useAppState((state) => state.settings);
  const session = useAppState((state) => state.session);
  return (
    <ModalDialog title={text("settings.title")} {...opening}>
      <section className="settings-group" aria-label={text("settings.calls")}>
        <h3 className="settings-heading">{text("settings.calls")}</h3>
        <SettingSwitch
          label={text("settings.hideAddress")}
          explanation={text("settings.hideAddressExplain")}
          isOn={settings?.hideAddress ?? false}
          isReady={settings !== null}
          onChange={(hideAddress) => attempt(bridge.invoke("setSettings", { hideAddress }))}
        />
      </section>
      {session.phase === "signed-in" && (
        <FindableSetting
          // What another device has changed shows at once.
          key={`${session.findable.displayName} ${session.findable.words}`}
          findable={session.findable}
          handle={session.handle}
        />
      )}
      <SupernodeSettings />
      <div className="dialog-buttons">
        <Button slot="close" className="button">
          {text("dialog.close")}
        </Button>
      </div>
    </ModalDialog>
  );
}
