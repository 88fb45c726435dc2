import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import { useAttempt, useKith } from "../app/kith.tsx";
import { useText } from "../texts/use-text.ts";

export function BlockBuddy({
  buddy,
  isOpen,
  onOpenChange,
}: {
  readonly buddy: BuddyView;
  readonly isOpen: boolean;
  readonly onOpenChange: (open: boolean) => void;
}) {
  const text = useText();
  const { bridge } = useKith();
  const attempt = useAttempt();
  return (
    <ModalOverlay className="overlay" isOpen={isOpen} onOpenChange={onOpenChange} isDismissable>
      <Modal className="modal">
        <Dialog className="dialog" role="alertdialog">
          <Heading slot="title" className="dialog-title">
            {text("blockBuddy.title", { handle: buddy.handle })}
          </Heading>
          <p className="dialog-words">{text("blockBuddy.explain")}</p>
          <div className="dialog-buttons">
            <Button slot="close" className="button">
              {text("dialog.cancel")}
            </Button>
            <Button
              className="button button-danger"
              onPress={() => {
                onOpenChange(false);
                attempt(bridge.invoke("blockBuddy", { userId: buddy.userId }));
              }}
            >
              {text("blockBuddy.confirm")}
            </Button>
          </div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
