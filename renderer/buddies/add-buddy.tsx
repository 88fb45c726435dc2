import { useState } from "react";
import { Button } from "react-aria-components";
import { Icon } from "../app/icon.tsx";
import { ModalDialog } from "../app/modal-dialog.tsx";
import { useText } from "../texts/use-text.ts";
import { AddBuddyForm } from "./add-buddy-form.tsx";

export function AddBuddy() {
  const text = useText();
  const [isOpen, setOpen] = useState(false);
  return (
    <footer className="side-footer">
      <Button className="button button-wide" aria-haspopup="dialog" onPress={() => setOpen(true)}>
        <Icon name="addBuddy" />
        {text("addBuddy.open")}
      </Button>
      <ModalDialog title={text("addBuddy.title")} isOpen={isOpen} onOpenChange={setOpen}>
        <AddBuddyForm onDone={() => setOpen(false)} />
      </ModalDialog>
    </footer>
  );
}
