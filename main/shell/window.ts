/** The one window, and what it may not do: navigate away, open others, embed anything. */
import { join } from "node:path";
import { type App, BrowserWindow } from "electron";
import type { Position } from "./app-arguments.ts";
import { APP_ORIGIN } from "./app-scheme.ts";

/** @param position of its upper left corner; null for the middle of the screen */
export function openWindow(appFolder: string, icon: string, position: Position | null): BrowserWindow {
  const window = new BrowserWindow({
    ...position,
    width: 960,
    height: 680,
    minWidth: 720,
    minHeight: 520,
    title: "Kith",
    icon,
    show: false,
    autoHideMenuBar: true,
    backgroundColor: "#00000000",
    webPreferences: {
      preload: join(appFolder, "preload.cjs"),
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webviewTag: false,
      spellcheck: true,
      // A call must ring and sound while the window is hidden.
      backgroundThrottling: false,
    },
  });
  window.once("ready-to-show", () => window.show());
  void window.loadURL(`${APP_ORIGIN}/`);
  // about:blank needs no loader, so Chromium asks nobody before it goes there: come back.
  window.webContents.on("did-navigate", (_event, url) => {
    if (!url.startsWith(`${APP_ORIGIN}/`)) void window.loadURL(`${APP_ORIGIN}/`);
  });
  return window;
}

/** Applies to every web contents that ever comes to be, whoever made it. */
export function denyNavigation(app: App): void {
  app.on("web-contents-created", (_event, contents) => {
    contents.setWindowOpenHandler(() => ({ action: "deny" }));
    contents.on("will-navigate", (event) => event.preventDefault());
    contents.on("will-frame-navigate", (event) => event.preventDefault());
    contents.on("will-redirect", (event) => event.preventDefault());
    contents.on("will-attach-webview", (event) => event.preventDefault());
  });
}

/** Brings a ringing call to the user's eyes without taking the keyboard from another program. */
export function demandAttention(window: BrowserWindow): void {
  if (window.isMinimized()) window.restore();
  window.showInactive();
  window.flashFrame(true);
  window.once("focus", () => window.flashFrame(false));
}
