import { Button } from "react-aria-components";
import { useText } from "../texts/use-text.ts";
import { ModalDialog, type Opening } from "./modal-dialog.tsx";

/** Asks before something that cannot be taken back, or not easily. */
export function ConfirmDialog({
  title,
  explanation,
  confirm,
  onConfirm,
  ...opening
}: Opening & {
  readonly title: string;
  readonly explanation: string;
  /** What the button says: the deed, not "OK". */
  readonly confirm: string;
  readonly onConfirm: () => void;
}) {
  const text = useText();
  return (
    <ModalDialog title={title} isWarning {...opening}>
      <p className="dialog-words">{explanation}</p>
      <div className="dialog-buttons">
        <Button slot="close" className="button">
          {text("dialog.cancel")}
        </Button>
        <Button
          className="button button-danger"
          onPress={() => {
            opening.onOpenChange(false);
            onConfirm();
          }}
        >
          {confirm}
        </Button>
      </div>
    </ModalDialog>
  );
}
