import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import { useKith } from "../app/kith.tsx";
import { ModalDialog, type Opening } from "../app/modal-dialog.tsx";
import { PlainField } from "../app/plain-field.tsx";
import { Trouble } from "../app/trouble.tsx";
import { useRequest } from "../app/use-request.ts";
import { useText } from "../texts/use-text.ts";

export function LabelBuddy({ buddy, ...opening }: Opening & { readonly buddy: BuddyView }) {
  const text = useText();
  return (
    <ModalDialog title={text("labelBuddy.title", { handle: buddy.handle })} {...opening}>
      <LabelForm buddy={buddy} onDone={() => opening.onOpenChange(false)} />
    </ModalDialog>
  );
}

/** An own name for a buddy and the groups that they stand in, with commas between them. */
function LabelForm({ buddy, onDone }: { readonly buddy: BuddyView; readonly onDone: () => void }) {
  const text = useText();
  const { bridge } = useKith();
  const [alias, setAlias] = useState(buddy.alias);
  const [groups, setGroups] = useState(buddy.groups.join(", "));
  const { run, isRunning, trouble } = useRequest();

  function submit(event: FormEvent): void {
    event.preventDefault();
    void run(async () => {
      await bridge.invoke("labelBuddy", { userId: buddy.userId, alias, groups: groups.split(",").slice(0, 8) });
      onDone();
    });
  }

  return (
    <>
      <p className="dialog-words">{text("labelBuddy.explain")}</p>
      <Form className="form" onSubmit={submit}>
        <PlainField label={text("labelBuddy.alias")} value={alias} onChange={setAlias} autoComplete="off" autoFocus />
        <PlainField
          label={text("labelBuddy.groups")}
          description={text("labelBuddy.groupsHint")}
          value={groups}
          onChange={setGroups}
          autoComplete="off"
        />
        <Trouble>{trouble}</Trouble>
        <div className="dialog-buttons">
          <Button slot="close" className="button">
            {text("dialog.cancel")}
          </Button>
          <Button type="submit" className="button button-primary" isPending={isRunning}>
            {text("labelBuddy.save")}
          </Button>
        </div>
      </Form>
    </>
  );
}
