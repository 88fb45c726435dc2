import { useState } from "react";
import { Button, Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import type { SessionView } from "../../protocol/ipc-schema.ts";
import { useKith } from "../app/kith.tsx";
import { ModalDialog, type Opening } from "../app/modal-dialog.tsx";
import { Trouble } from "../app/trouble.tsx";
import { useOnOpen } from "../app/use-on-open.ts";
import { useRequest } from "../app/use-request.ts";
import { useText } from "../texts/use-text.ts";
import type { AccountView } from "./account-view.ts";
import { BlockedPeople } from "./blocked-people.tsx";
import { ChangePassword } from "./change-password.tsx";
import { DeviceList } from "./device-list.tsx";
import { MakeRecoveryKey } from "./make-recovery-key.tsx";
import { RunNetwork } from "./run-network.tsx";
import { YourData } from "./your-data.tsx";

type SignedIn = Extract<SessionView, { phase: "signed-in" }>;

const TABS = ["devices", "password", "recovery", "data", "blocked"] as const;

interface AccountProps {
  readonly session: SignedIn;
  /** Which one is seen first. */
  readonly tab?: (typeof TABS)[number];
}

export function AccountDialog({ session, tab, ...opening }: Opening & AccountProps) {
  const text = useText();
  return (
    <ModalDialog title={text("account.title", { handle: session.handle })} isWide {...opening}>
      <AccountTabs session={session} tab={tab ?? "devices"} />
      <div className="dialog-buttons">
        <Button slot="close" className="button">
          {text("dialog.close")}
        </Button>
      </div>
    </ModalDialog>
  );
}

/** Asks the login server anew whenever it is opened, and after every change. */
function AccountTabs({ session, tab }: Required<AccountProps>) {
  const text = useText();
  const { bridge } = useKith();
  const [account, setAccount] = useState<AccountView | null>(null);
  const { run, trouble } = useRequest();
  const reload = () => run(async () => setAccount(await bridge.invoke("account", {})));
  useOnOpen(() => void reload());
  return (
    <>
      <Trouble>{trouble}</Trouble>
      {account !== null && (
        <Tabs className="tabs" defaultSelectedKey={tab}>
          <TabList className="tab-list" aria-label={text("account.title", { handle: session.handle })}>
            {TABS.map((id) => (
              <Tab key={id} id={id} className="tab">
                {text(`account.${id}`)}
              </Tab>
            ))}
            {account.role === "administrator" && (
              <Tab id="network" className="tab">
                {text("account.network")}
              </Tab>
            )}
          </TabList>
          <TabPanel id="devices" className="tab-panel">
            <DeviceList devices={account.devices} own={session.deviceId} onChanged={() => void reload()} />
          </TabPanel>
          <TabPanel id="password" className="tab-panel">
            <ChangePassword />
          </TabPanel>
          <TabPanel id="recovery" className="tab-panel">
            <MakeRecoveryKey account={account} session={session} onMade={() => void reload()} />
          </TabPanel>
          <TabPanel id="data" className="tab-panel">
            <YourData handle={session.handle} />
          </TabPanel>
          <TabPanel id="blocked" className="tab-panel">
            <BlockedPeople />
          </TabPanel>
          <TabPanel id="network" className="tab-panel">
            <RunNetwork />
          </TabPanel>
        </Tabs>
      )}
    </>
  );
}
