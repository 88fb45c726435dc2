import { useEffect, useState } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay, Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import type { IPC_METHODS, SessionView } from "../../protocol/ipc-schema.ts";
import type { Output } from "../../protocol/rpc.ts";
import { useKith } from "../app/kith.tsx";
import { useText } from "../texts/use-text.ts";
import { BlockedPeople } from "./blocked-people.tsx";
import { ChangePassword } from "./change-password.tsx";
import { DeviceList } from "./device-list.tsx";
import { MakeRecoveryKey } from "./make-recovery-key.tsx";
import { RunNetwork } from "./run-network.tsx";
import { useRequest } from "./use-request.ts";
import { YourData } from "./your-data.tsx";

export type AccountView = Output<(typeof IPC_METHODS)["account"]>;

interface AccountDialogProps {
  readonly session: Extract<SessionView, { phase: "signed-in" }>;
  readonly isOpen: boolean;
  readonly onOpenChange: (open: boolean) => void;
}

export function AccountDialog({ session, isOpen, onOpenChange }: AccountDialogProps) {
  return (
    <ModalOverlay className="overlay" isOpen={isOpen} onOpenChange={onOpenChange} isDismissable>
      <Modal className="modal modal-wide">
        <AccountTabs session={session} />
      </Modal>
    </ModalOverlay>
  );
}

/** Asks the login server anew whenever it is opened, and after every change. */
function AccountTabs({ session }: Pick<AccountDialogProps, "session">) {
  const text = useText();
  const { bridge } = useKith();
  const [account, setAccount] = useState<AccountView | null>(null);
  const { run, trouble } = useRequest();
  const reload = () => run(async () => setAccount(await bridge.invoke("account", {})));
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the dialog opens
  useEffect(() => void reload(), []);
  return (
    <Dialog className="dialog">
      <Heading slot="title" className="dialog-title">
        {text("account.title", { handle: session.handle })}
      </Heading>
      <div className="form-error" role="alert">
        {trouble}
      </div>
      {account !== null && (
        <Tabs className="tabs">
          <TabList className="tab-list" aria-label={text("account.title", { handle: session.handle })}>
            <Tab id="devices" className="tab">
              {text("account.devices")}
            </Tab>
            <Tab id="password" className="tab">
              {text("account.password")}
            </Tab>
            <Tab id="recovery" className="tab">
              {text("account.recovery")}
            </Tab>
            <Tab id="data" className="tab">
              {text("account.data")}
            </Tab>
            <Tab id="blocked" className="tab">
              {text("account.blocked")}
            </Tab>
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
      <div className="dialog-buttons">
        <Button slot="close" className="button">
          {text("dialog.close")}
        </Button>
      </div>
    </Dialog>
  );
}
