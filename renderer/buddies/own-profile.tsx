import { useState } from "react";
import { Button, Header, Menu, MenuItem, MenuSection, MenuTrigger, Popover } from "react-aria-components";
import type { SessionView } from "../../protocol/ipc-schema.ts";
import { AccountDialog } from "../account/account-dialog.tsx";
import { Avatar } from "../app/avatar.tsx";
import { Icon } from "../app/icon.tsx";
import { useAttempt, useKith } from "../app/kith.tsx";
import { SettingsDialog } from "../settings/settings-dialog.tsx";
import { SupernodeIndicator } from "../settings/supernode-indicator.tsx";
import { useText } from "../texts/use-text.ts";
import { StatusChooser } from "./status-chooser.tsx";
import { StatusText } from "./status-text.tsx";

type SignedIn = Extract<SessionView, { phase: "signed-in" }>;

export function OwnProfile({ session }: { readonly session: SignedIn }) {
  const text = useText();
  const { bridge } = useKith();
  const attempt = useAttempt();
  const [accountOpen, setAccountOpen] = useState(false);
  const [settingsOpen, setSettingsOpen] = useState(false);

  function act(action: unknown): void {
    if (action === "account") setAccountOpen(true);
    if (action === "settings") setSettingsOpen(true);
    if (action === "sign-out") attempt(bridge.invoke("signOut", {}));
  }

  return (
    <header className="own-profile">
      <div className="own-line">
        <Avatar userId={session.userId} handle={session.handle} />
        <div className="own-words">
          <h1 className="own-handle">{session.handle}</h1>
          <StatusChooser status={session.status} statusText={session.statusText} />
        </div>
        <MenuTrigger>
          <Button className="icon-button" aria-label={text("profile.menu")}>
            <Icon name="more" />
          </Button>
          <Popover className="popover" placement="bottom end">
            <Menu className="menu" onAction={act}>
              <MenuSection>
                <Header className="menu-header">
                  {text("profile.on", { handle: session.handle, network: session.network })}
                </Header>
                <MenuItem id="account" className="menu-item">
                  {text("profile.account")}
                </MenuItem>
                <MenuItem id="settings" className="menu-item">
                  {text("profile.settings")}
                </MenuItem>
                <MenuItem id="sign-out" className="menu-item">
                  {text("profile.signOut")}
                </MenuItem>
              </MenuSection>
            </Menu>
          </Popover>
        </MenuTrigger>
        <AccountDialog session={session} isOpen={accountOpen} onOpenChange={setAccountOpen} />
        <SettingsDialog isOpen={settingsOpen} onOpenChange={setSettingsOpen} />
      </div>
      <StatusText key={session.statusText} status={session.status} statusText={session.statusText} />
      <SupernodeIndicator />
    </header>
  );
}
