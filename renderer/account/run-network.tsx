import { useState } from "react";
import { Button } from "react-aria-components";
import { FormattedDate } from "react-intl";
import type { IPC_METHODS } from "../../protocol/ipc-schema.ts";
import type { Output } from "../../protocol/rpc.ts";
import { useKith } from "../app/kith.tsx";
import { Trouble } from "../app/trouble.tsx";
import { useOnOpen } from "../app/use-on-open.ts";
import { useRequest } from "../app/use-request.ts";
import { useText } from "../texts/use-text.ts";
import { CopyLink } from "./copy-link.tsx";

type Applicants = Output<(typeof IPC_METHODS)["applicants"]>["applicants"];
type Invited = Output<(typeof IPC_METHODS)["invite"]>;

const SINGLE = { uses: 1, days: 7 };
const GROUP = { uses: 25, days: 30 };

/** For administrators: who comes in. Everything else is done on the server itself. */
export function RunNetwork() {
  const text = useText();
  const { bridge } = useKith();
  const [applicants, setApplicants] = useState<Applicants>([]);
  const [invited, setInvited] = useState<Invited | null>(null);
  const inviting = useRequest();
  const deciding = useRequest();
  const reload = async () => setApplicants((await bridge.invoke("applicants", {})).applicants);
  useOnOpen(() => void deciding.run(reload));

  function invite(wish: typeof SINGLE): void {
    void inviting.run(async () => setInvited(await bridge.invoke("invite", wish)));
  }
  function decide(handle: string, admit: boolean): void {
    void deciding.run(async () => {
      await bridge.invoke("decideApplicant", { handle, admit });
      await reload();
    });
  }

  return (
    <>
      <section className="settings-group">
        <h3 className="settings-heading">{text("network.invite")}</h3>
        <p className="dialog-words">{text("network.inviteExplain")}</p>
        {invited !== null && (
          <div className="invitation-made" role="status">
            <p className="invitation-link">{invited.link}</p>
            <div className="invitation-foot">
              <p className="account-row-detail">
                {text("network.until")} <FormattedDate value={invited.expiresAt} dateStyle="medium" />
              </p>
              <CopyLink link={invited.link} />
            </div>
          </div>
        )}
        <Trouble>{inviting.trouble}</Trouble>
        <div className="dialog-buttons">
          <Button className="button" isPending={inviting.isRunning} onPress={() => invite(GROUP)}>
            {text("network.inviteGroup", GROUP)}
          </Button>
          <Button className="button button-primary" isPending={inviting.isRunning} onPress={() => invite(SINGLE)}>
            {text("network.inviteOne")}
          </Button>
        </div>
      </section>
      <section className="settings-group">
        <h3 className="settings-heading">{text("network.applicants")}</h3>
        {applicants.length === 0 && <p className="dialog-words">{text("network.nobodyWaits")}</p>}
        <ul className="account-list" aria-label={text("network.applicants")}>
          {applicants.map(({ handle, createdAt }) => (
            <li key={handle} className="account-row">
              <span className="account-row-words">
                <span className="account-row-name">{handle}</span>
                <span className="account-row-detail">
                  <FormattedDate value={createdAt} dateStyle="medium" timeStyle="short" />
                </span>
              </span>
              <Button className="button button-small" onPress={() => decide(handle, false)}>
                {text("network.decline")}
              </Button>
              <Button className="button button-small button-primary" onPress={() => decide(handle, true)}>
                {text("network.admit")}
              </Button>
            </li>
          ))}
        </ul>
        <Trouble>{deciding.trouble}</Trouble>
      </section>
    </>
  );
}
