/** Desktop notifications for what happens while the window is not in front. Text only, and never the message itself on a lock screen. */
import type { BrowserWindow, Notification, NotificationConstructorOptions } from "electron";
import type { BuddyView, CallView, IpcPush, IpcPushes, LineView } from "../../protocol/ipc-schema.ts";

type Notify = (options: NotificationConstructorOptions) => Notification;

/** Watches the pushes to the window and tells the user of incoming calls and messages that they cannot see. */
export class Notifications {
  readonly #window: () => BrowserWindow | null;
  readonly #notify: Notify;
  #buddies: readonly BuddyView[] = [];
  #ringing: string | null = null;

  constructor(window: () => BrowserWindow | null, notify: Notify) {
    this.#window = window;
    this.#notify = notify;
  }

  observe<K extends keyof IpcPushes>(name: K, value: IpcPush<K>): void {
    const push = { name, value } as Push;
    if (push.name === "buddies") this.#buddies = push.value;
    if (push.name === "call") this.#onCall(push.value);
    if (push.name === "line") this.#onLine(push.value);
  }

  #onCall(call: CallView): void {
    if (call.phase !== "incoming") {
      this.#ringing = null;
      return;
    }
    if (this.#ringing === call.callId) return;
    this.#ringing = call.callId;
    this.#show({ title: `${this.#handleOf(call.peer)} is calling`, body: "Open Kith to answer.", urgency: "critical" });
  }

  #onLine(line: LineView): void {
    if (line.mine) return;
    const from = this.#handleOf(line.peer);
    if (line.kind === "call") {
      if (line.durationMs === null && MISSED.has(line.reason)) this.#show({ title: `Missed call from ${from}` });
    } else if (line.delivery === "received") {
      this.#show({ title: from, body: line.kind === "voice" ? "Sent a voice message." : "Sent a message." });
    }
  }

  #show(options: NotificationConstructorOptions): void {
    const window = this.#window();
    if (window?.isFocused()) return;
    const notification = this.#notify(options);
    notification.on("click", () => {
      window?.show();
      window?.focus();
    });
    notification.show();
  }

  #handleOf(userId: string): string {
    return this.#buddies.find((buddy) => buddy.userId === userId)?.handle ?? "A buddy";
  }
}

/** A push with its name and value tied together again, so that a test of the name narrows the value. */
type Push = { [K in keyof IpcPushes]: { readonly name: K; readonly value: IpcPush<K> } }[keyof IpcPushes];

const MISSED: ReadonlySet<string> = new Set(["no-answer", "gave-up"]);
