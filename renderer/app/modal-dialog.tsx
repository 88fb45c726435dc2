import type { ReactNode } from "react";
import { Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";

export interface Opening {
  readonly isOpen: boolean;
  readonly onOpenChange: (open: boolean) => void;
}

/** A dialog over the window. What is in it is made anew at each opening, so that it begins with nothing left over. */
export function ModalDialog({
  title,
  children,
  isWide = false,
  isWarning = false,
  ...opening
}: Opening & {
  readonly title: string;
  readonly children: ReactNode;
  readonly isWide?: boolean;
  readonly isWarning?: boolean;
}) {
  return (
    <ModalOverlay className="overlay" isDismissable {...opening}>
      <Modal className={isWide ? "modal modal-wide" : "modal"}>
        <Dialog className="dialog" role={isWarning ? "alertdialog" : "dialog"}>
          <Heading slot="title" className="dialog-title">
            {title}
          </Heading>
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
