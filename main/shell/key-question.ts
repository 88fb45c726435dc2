/** Whether a network's key is the one that its host has told of: only a person can say so, and the careless answer is no. */
import { type BrowserWindow, dialog } from "electron";
import type { NetworkId } from "../../protocol/identifiers.ts";
import { readable } from "../../protocol/network-key.ts";

const CONFIRM = 1;

export async function askForKey(window: BrowserWindow, fingerprint: NetworkId): Promise<boolean> {
  const { response } = await dialog.showMessageBox(window, {
    type: "question",
    buttons: ["Cancel", "Confirm"],
    defaultId: 0,
    cancelId: 0,
    message: "Is this the new key of your network?",
    detail: `${readable(fingerprint)}\n\nConfirm it only if whoever runs the network has told you these letters and digits, or sent you the link themselves.`,
  });
  return response === CONFIRM;
}
