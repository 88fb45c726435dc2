/** Line icons on a grid of 24, drawn for Kith. They say nothing to screen readers: the words beside them do. The receiver turned over is hanging up. */
const PATHS = {
  phone:
    "M6.5 3.5h2.6l1.6 4.3-2 1.7a12.5 12.5 0 0 0 5.8 5.8l1.7-2 4.3 1.6v2.6a2 2 0 0 1-2.2 2A16.3 16.3 0 0 1 4.5 5.7a2 2 0 0 1 2-2.2z",
  microphone: "M12 3.5a3 3 0 0 1 3 3V11a3 3 0 0 1-6 0V6.5a3 3 0 0 1 3-3zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5v3M9 20.5h6",
  microphoneOff:
    "M9 9v2a3 3 0 0 0 4.8 2.4M15 10.5v-4a3 3 0 0 0-5.6-1.5M5.5 11a6.5 6.5 0 0 0 10.7 5M18.3 12.5q.2-.7.2-1.5M12 17.5v3M9 20.5h6M4 3.5l16 17",
  pause: "M8.5 5.5v13M15.5 5.5v13",
  play: "M8 5.2v13.6a.6.6 0 0 0 .9.5l10.6-6.8a.6.6 0 0 0 0-1L8.9 4.7a.6.6 0 0 0-.9.5z",
  send: "M4.5 12 3.6 5.3a.8.8 0 0 1 1.1-.8l15.4 6.8a.8.8 0 0 1 0 1.4L4.7 19.5a.8.8 0 0 1-1.1-.8zM4.5 12h8",
  addBuddy: "M10 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM3 20.5v-1a5 5 0 0 1 5-5h4a5 5 0 0 1 3.5 1.4M19 14.5v6M16 17.5h6",
  more: "M5.5 10.4a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2zM12 10.4a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2zM18.5 10.4a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2z",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 12.5l4.5 4.5L19 7.5",
  chevron: "M7 10l5 5 5-5",
  waiting: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 7.5V12l3 2",
  sent: "M6 12.5l4 4 8-9",
  delivered: "M2.5 12.5l4 4 7.5-9M11 15l1.5 1.5 8-9",
  missed: "M4 5.5l8 7.5 8-7.5M4 5.5v4.5M4 5.5h4.5M4 19.5c5-3 11-3 16 0",
  incoming: "M18.5 5.5l-12 12M6.5 9v8.5H15",
  outgoing: "M5.5 18.5l12-12M9 6.5h8.5V15",
  shield: "M12 3.5l7 2.5v5.5c0 4.3-2.9 7.6-7 9-4.1-1.4-7-4.7-7-9V6zM12 9v3.5M12 15.5h.01",
  offline:
    "M4 4l16 16M8.5 15.5a5 5 0 0 1 6.5-.4M5 12a10 10 0 0 1 4.5-2.6M14 9.2a10 10 0 0 1 5 2.8M2 8.5A15 15 0 0 1 6 5.9M10.5 4.6A15 15 0 0 1 22 8.5M12 19.5h.01",
  info: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 11v5.5M12 7.8h.01",
  trash:
    "M4.5 6.5h15M9.5 6.5v-2a1 1 0 0 1 1-1h3a1 1 0 0 1 1 1v2M6.5 6.5l.8 12.6a1.5 1.5 0 0 0 1.5 1.4h6.4a1.5 1.5 0 0 0 1.5-1.4l.8-12.6",
} as const;

export type IconName = keyof typeof PATHS | "hangUp";

const FILLED: ReadonlySet<IconName> = new Set(["more", "play"]);

export function Icon({ name, size = 20 }: { readonly name: IconName; readonly size?: number }) {
  const look = name === "hangUp" ? " icon-hang-up" : FILLED.has(name) ? " icon-filled" : "";
  return (
    <svg className={`icon${look}`} width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name === "hangUp" ? "phone" : name]} />
    </svg>
  );
}
