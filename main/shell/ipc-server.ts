/** Answers the window: derived from the one schema, with the sender and every argument checked. */
import type { BrowserWindow, IpcMain, IpcMainInvokeEvent } from "electron";
import { KithError } from "../../protocol/errors.ts";
import { ipcChannel, ipcPushChannel } from "../../protocol/ipc-channel.ts";
import { IPC_METHODS, type IpcMethods, type IpcPush, type IpcPushes } from "../../protocol/ipc-schema.ts";
import { answer, type Handlers, type Method } from "../../protocol/rpc.ts";
import { APP_ORIGIN } from "./app-scheme.ts";

/** What crosses back: `cause` stays here. */
type IpcAnswer = { ok: true; value: unknown } | { ok: false; error: ReturnType<KithError["toWire"]> };

/** @param onFault is told of our own errors and of refused senders, for the log */
export function serveIpc(
  ipcMain: IpcMain,
  window: () => BrowserWindow | null,
  handlers: Handlers<IpcMethods>,
  onFault: (what: string, error: KithError) => void,
): void {
  for (const name of Object.keys(IPC_METHODS) as (keyof IpcMethods)[]) {
    const method: Method = IPC_METHODS[name];
    const handler = handlers[name] as (input: unknown) => unknown;
    ipcMain.handle(ipcChannel(name), async (event, input: unknown): Promise<IpcAnswer> => {
      if (!isOurWindow(event, window())) {
        const refusal = new KithError("ipc-refused", { what: name });
        onFault(name, refusal);
        return { ok: false, error: refusal.toWire() };
      }
      const result = await answer(method, handler, name, input);
      if (result.ok) return result;
      if (result.error.code === "internal") onFault(name, result.cause);
      return { ok: false, error: result.error };
    });
  }
}

export function pushTo<K extends keyof IpcPushes>(window: BrowserWindow | null, name: K, value: IpcPush<K>): void {
  if (window && !window.isDestroyed()) window.webContents.send(ipcPushChannel(name), value);
}

/** Only the top frame of our own window, showing our own page. A frame that is gone has no URL and no say. */
function isOurWindow(event: IpcMainInvokeEvent, window: BrowserWindow | null): boolean {
  const frame = event.senderFrame;
  return (
    window !== null &&
    !window.isDestroyed() &&
    event.sender === window.webContents &&
    frame !== null &&
    frame === window.webContents.mainFrame &&
    frame.url.startsWith(`${APP_ORIGIN}/`)
  );
}
