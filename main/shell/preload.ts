/** The only bridge between the window and main. Runs sandboxed; the window gets two functions and nothing else. */
import { contextBridge, ipcRenderer } from "electron";
import { ipcChannel, ipcPushChannel } from "../../protocol/ipc-channel.ts";
import type { KithBridge } from "../../protocol/ipc-schema.ts";

const bridge: KithBridge = {
  invoke: (name, input) => ipcRenderer.invoke(ipcChannel(String(name)), input),
  onPush: (name, listener) => {
    const channel = ipcPushChannel(String(name));
    // The event object stays here: it carries ipcRenderer itself.
    const forward = (_event: unknown, value: unknown) => listener(value as Parameters<typeof listener>[0]);
    ipcRenderer.on(channel, forward);
    return () => ipcRenderer.removeListener(channel, forward);
  },
};

contextBridge.exposeInMainWorld("kith", bridge);
