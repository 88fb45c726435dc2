import { useState } from "react";
import { Button, DialogTrigger, Modal, ModalOverlay } from "react-aria-components";
import { Icon } from "../app/icon.tsx";
import { useText } from "../texts/use-text.ts";
import { AddBuddyForm } from "./add-buddy-form.tsx";

export function AddBuddy() {
  const text = useText();
  const [open, setOpen] = useState(false);
  return (
    <footer className="side-footer">
      <DialogTrigger isOpen={open} onOpenChange={setOpen}>
        <Button className="button button-wide">
          <Icon name="addBuddy" />
          {text("addBuddy.open")}
        </Button>
        <ModalOverlay className="overlay" isDismissable>
          <Modal className="modal">
            <AddBuddyForm onDone={() => setOpen(false)} />
          </Modal>
        </ModalOverlay>
      </DialogTrigger>
    </footer>
  );
}
