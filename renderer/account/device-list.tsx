import { Button } from "react-aria-components";
import { FormattedDate } from "react-intl";
import type { DeviceId } from "../../protocol/identifiers.ts";
import { useKith } from "../app/kith.tsx";
import { Trouble } from "../app/trouble.tsx";
import { useRequest } from "../app/use-request.ts";
import { useText } from "../texts/use-text.ts";
import type { AccountView } from "./account-view.ts";

export function DeviceList({
  devices,
  own,
  onChanged,
}: {
  readonly devices: AccountView["devices"];
  readonly own: DeviceId;
  readonly onChanged: () => void;
}) {
  const text = useText();
  const { bridge } = useKith();
  const { run, isRunning, trouble } = useRequest();

  function signOut(deviceId: DeviceId): void {
    void run(() => bridge.invoke("signOutDevice", { deviceId })).then(onChanged);
  }

  return (
    <>
      <p className="dialog-words">{text("devices.explain")}</p>
      <ul className="account-list" aria-label={text("account.devices")}>
        {devices.map(({ deviceId, name, connected, lastSeenAt }) => (
          <li key={deviceId} className="account-row">
            <span className="account-row-words">
              <span className="account-row-name">{name}</span>
              <span className="account-row-detail">
                {deviceId === own ? (
                  text("devices.this")
                ) : connected ? (
                  text("devices.connected")
                ) : (
                  <>
                    {text("devices.seen")} <FormattedDate value={lastSeenAt} dateStyle="medium" />
                  </>
                )}
              </span>
            </span>
            {deviceId !== own && (
              <Button
                className="button button-small"
                isPending={isRunning}
                aria-label={text("devices.signOutNamed", { name })}
                onPress={() => signOut(deviceId)}
              >
                {text("devices.signOut")}
              </Button>
            )}
          </li>
        ))}
      </ul>
      <Trouble>{trouble}</Trouble>
    </>
  );
}
