import { type FormEvent, useState } from "react";
import { Button, Dialog, Form, Heading, Modal, ModalOverlay } from "react-aria-components";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import { useRequest } from "../account/use-request.ts";
import { useKith } from "../app/kith.tsx";
import { PlainField } from "../sign-in/plain-field.tsx";
import { useText } from "../texts/use-text.ts";

interface LabelBuddyProps {
  readonly buddy: BuddyView;
  readonly isOpen: boolean;
  readonly onOpenChange: (open: boolean) => void;
}

export function LabelBuddy({ buddy, isOpen, onOpenChange }: LabelBuddyProps) {
  return (
    <ModalOverlay className="overlay" isOpen={isOpen} onOpenChange={onOpenChange} isDismissable>
      <Modal className="modal">
        <LabelForm buddy={buddy} onDone={() => onOpenChange(false)} />
      </Modal>
    </ModalOverlay>
  );
}

/** An own name for a buddy and the groups that they stand in, with commas between them. */
function LabelForm({ buddy, onDone }: Pick<LabelBuddyProps, "buddy"> & { readonly onDone: () => void }) {
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
    <Dialog className="dialog">
      <Heading slot="title" className="dialog-title">
        {text("labelBuddy.title", { handle: buddy.handle })}
      </Heading>
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
        <div className="form-error" role="alert">
          {trouble}
        </div>
        <div className="dialog-buttons">
          <Button slot="close" className="button">
            {text("dialog.cancel")}
          </Button>
          <Button type="submit" className="button button-primary" isDisabled={isRunning}>
            {text("labelBuddy.save")}
          </Button>
        </div>
      </Form>
    </Dialog>
  );
}
