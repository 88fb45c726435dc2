import type { BrowserWindow, Notification, NotificationConstructorOptions } from "electron";
import { expect, test } from "vitest";
import { Notifications } from "../../main/shell/notifications.ts";
import type { BuddyView, LineView } from "../../protocol/ipc-schema.ts";

const peer = "b0".repeat(20) as BuddyView["userId"];
const bob: BuddyView = {
  userId: peer,
  handle: "bob" as BuddyView["handle"],
  relation: "buddy",
  greeting: "",
  presence: "online",
  statusText: "",
  lastSeenAt: null,
  unread: 0,
  lastActivityAt: null,
  lastLine: "",
  keyChanged: false,
  alias: "",
  groups: [],
};
const secret = "meet me at the harbour";
const line: LineView = {
  kind: "text",
  lineId: "1",
  peer,
  mine: false,
  at: 0,
  delivery: "received",
  messageId: "00".repeat(16) as never,
  text: secret,
};

function watch(focused: boolean) {
  const shown: NotificationConstructorOptions[] = [];
  const window = { isFocused: () => focused } as BrowserWindow;
  const notifications = new Notifications(
    () => window,
    (options) => {
      shown.push(options);
      return { on: () => {}, show: () => {} } as unknown as Notification;
    },
  );
  notifications.observe("buddies", [bob]);
  return { notifications, shown };
}

test("an incoming call is told once, by name", () => {
  const { notifications, shown } = watch(false);
  const call = { phase: "incoming", callId: "11".repeat(16) as never, peer, direction: "incoming" } as const;
  notifications.observe("call", call);
  notifications.observe("call", call);
  expect(shown.map((options) => options.title)).toEqual(["bob is calling"]);
});

test("a message is told without its text", () => {
  const { notifications, shown } = watch(false);
  notifications.observe("line", line);
  expect(shown).toHaveLength(1);
  expect(JSON.stringify(shown)).not.toContain(secret);
});

test("nothing is told of one's own messages, or while the window is in front", () => {
  const away = watch(false);
  away.notifications.observe("line", { ...line, mine: true, delivery: "sent" });
  const here = watch(true);
  here.notifications.observe("line", line);
  expect([...away.shown, ...here.shown]).toEqual([]);
});

test("a missed call is told, an answered one is not", () => {
  const { notifications, shown } = watch(false);
  const ended = { kind: "call", lineId: "2", peer, mine: false, at: 0, callId: "22".repeat(16) as never } as const;
  notifications.observe("line", { ...ended, reason: "hung-up", durationMs: 5000 });
  notifications.observe("line", { ...ended, reason: "no-answer", durationMs: null });
  expect(shown.map((options) => options.title)).toEqual(["Missed call from bob"]);
});
