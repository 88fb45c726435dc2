import type { BuddyView } from "../../protocol/ipc-schema.ts";

const HUES = 8;

/** The first letter on a colour that is always the same for the same account. */
export function Avatar({
  userId,
  handle,
  size = 40,
}: {
  readonly userId: BuddyView["userId"];
  readonly handle: string;
  readonly size?: 32 | 40 | 48 | 88;
}) {
  const hue = Number.parseInt(userId.slice(0, 4), 16) % HUES;
  return (
    <span className={`avatar avatar-${size} hue-${hue}`} aria-hidden="true">
      {handle.slice(0, 1).toUpperCase()}
    </span>
  );
}
