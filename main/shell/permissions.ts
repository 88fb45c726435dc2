/**
 * What the window may ask of the system: the microphone, for our own origin, while a call
 * or a voice recording needs it, and to put text into the clipboard when a button is pressed. Everything
 * else is denied, so a flaw in the window's code cannot listen to a room, nor read the clipboard.
 */
import type { Session } from "electron";
import { APP_ORIGIN } from "./app-scheme.ts";

/** Chromium asks for it only after a key or a button was pressed. */
const CLIPBOARD_WRITE = "clipboard-sanitized-write";

/** @param mayUseMicrophone asked at every request, so that the answer is the present one */
export function restrictPermissions(session: Session, mayUseMicrophone: () => boolean): void {
  session.setPermissionRequestHandler((_contents, permission, decide, details) => {
    if (permission === CLIPBOARD_WRITE) return decide(isOurs(details.requestingUrl));
    const audioOnly = "mediaTypes" in details && details.mediaTypes?.every((type) => type === "audio") === true;
    decide(permission === "media" && audioOnly && isOurs(details.requestingUrl) && mayUseMicrophone());
  });
  session.setPermissionCheckHandler((_contents, permission, origin, details) => {
    if (!isOurs(origin)) return false;
    // Choosing the speaker; needs no secret of the user's.
    if (permission === "speaker-selection") return true;
    if (permission === CLIPBOARD_WRITE) return true;
    return permission === "media" && details.mediaType === "audio" && mayUseMicrophone();
  });
  session.setDevicePermissionHandler(() => false);
  session.setDisplayMediaRequestHandler((_request, decide) => decide({}));
}

function isOurs(url: string): boolean {
  return url === APP_ORIGIN || url.startsWith(`${APP_ORIGIN}/`);
}
