/** Electron channel names: one prefix, so that nothing else can be reached through the bridge. */
export const ipcChannel = (name: string) => `kith:${name}`;
export const ipcPushChannel = (name: string) => `kith:push:${name}`;
