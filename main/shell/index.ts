/** Composition root of the desktop app's main process. */
import { mkdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import {
  app,
  type BrowserWindow,
  dialog,
  ipcMain,
  Notification,
  powerMonitor,
  protocol,
  safeStorage,
  session,
  utilityProcess,
} from "electron";
import { KithError } from "../../protocol/errors.ts";
import { APP_LINK_SCHEME } from "../../protocol/invitation.ts";
import { openClient } from "../core/client.ts";
import { type AppArguments, parseAppArguments } from "./app-arguments.ts";
import { linkOf, takeLink } from "./app-link.ts";
import { appLog } from "./app-log.ts";
import { APP_SCHEME, serveApp } from "./app-scheme.ts";
import { pushTo, serveIpc } from "./ipc-server.ts";
import { askForKey } from "./key-question.ts";
import { Notifications } from "./notifications.ts";
import { restrictPermissions } from "./permissions.ts";
import { supernodeLauncher } from "./supernode-process.ts";
import { watchSupply } from "./supply.ts";
import { systemKeyStore } from "./system-key-store.ts";
import { demandAttention, denyNavigation, openWindow } from "./window.ts";

const APP_FOLDER = __dirname;

const options = readOptions();
// Chromium keeps its own files inside the profile, so that two profiles share nothing.
mkdirSync(options.profile, { recursive: true, mode: 0o700 });
app.setPath("userData", join(options.profile, "chromium"));
protocol.registerSchemesAsPrivileged([APP_SCHEME]);
denyNavigation(app);
// As root Chromium refuses to start with its sandbox; development machines and containers pass --no-sandbox.
if (!app.commandLine.hasSwitch("no-sandbox")) app.enableSandbox();

// A link that opens a second process reaches the first one by it.
if (app.requestSingleInstanceLock({ link: options.link })) {
  void app.whenReady().then(run).catch(failToStart);
} else {
  // Another process has this profile open and shows its window.
  app.quit();
}

async function run(): Promise<void> {
  const log = appLog(join(options.profile, "log"));
  const client = await openClient({
    dataFolder: options.profile,
    deviceName: hostname(),
    defaultLoginServer: options.loginServer,
    systemKeyStore: systemKeyStore(safeStorage, process.platform),
    log,
    supernodeHost: {
      launch: supernodeLauncher(utilityProcess, join(APP_FOLDER, "supernode.cjs"), log),
      ...watchSupply(powerMonitor, process.platform),
    },
    findProxy: (url) => session.defaultSession.resolveProxy(url),
    ...(options.ringMs !== null && { times: { ringMs: options.ringMs } }),
  });
  let window: BrowserWindow | null = null;

  serveApp(protocol, join(APP_FOLDER, "renderer"));
  restrictPermissions(session.defaultSession, () => client.mayUseMicrophone());
  serveIpc(
    ipcMain,
    () => window,
    client.methods,
    (what, error) => log.error("ipc", { what, code: error.code, cause: error.cause }),
  );
  const notifications = new Notifications(
    () => window,
    (notification) => new Notification(notification),
  );
  let ringing = false;
  client.onPush((name, value) => {
    pushTo(window, name, value);
    notifications.observe(name, value);
    if (name !== "call") return;
    const rings = "phase" in value && value.phase === "incoming";
    if (rings && !ringing && window) demandAttention(window);
    ringing = rings;
  });

  window = openWindow(APP_FOLDER, join(APP_FOLDER, "renderer", "icon.png"), options.windowPosition);
  const openLink = (link: unknown) => {
    window?.show();
    window?.focus();
    const refusal = takeLink(client, link, (fingerprint) => {
      if (window) void askForKey(window, fingerprint).then((yes) => yes && client.confirmNetworkKey(fingerprint));
    });
    if (refusal) pushTo(window, "notice", refusal);
  };
  window.webContents.once("did-finish-load", () => openLink(options.link));
  app.on("second-instance", (_event, _argv, _folder, data) => openLink(linkOf(data)));
  app.on("open-url", (event, link) => {
    event.preventDefault();
    openLink(link);
  });
  // In development the executable is Electron itself, and not ours to register.
  if (app.isPackaged) app.setAsDefaultProtocolClient(APP_LINK_SCHEME);

  let closing = false;
  app.on("window-all-closed", () => app.quit());
  app.on("before-quit", (event) => {
    if (closing) return;
    // Signs out of the directory first, so that buddies see it now and not at a time-out.
    event.preventDefault();
    closing = true;
    window = null;
    void client.close().finally(() => app.quit());
  });
}

function readOptions(): AppArguments {
  try {
    return parseAppArguments(process.argv.slice(app.isPackaged ? 1 : 2), app.getPath("userData"));
  } catch (error) {
    return failToStart(error);
  }
}

/** Says why on the terminal and in a window, and ends with an error. Nothing in the profile is touched. */
function failToStart(thrown: unknown): never {
  const error = KithError.from(thrown);
  console.error(`kith: ${error.message}`);
  if (error.code === "internal") console.error(error.cause);
  dialog.showErrorBox("Kith cannot start", error.message);
  app.exit(1);
  throw error;
}
