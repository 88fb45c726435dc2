import { VisuallyHidden } from "react-aria-components";
import type { BuddyView, LineView } from "../../protocol/ipc-schema.ts";
import { Avatar } from "../app/avatar.tsx";
import { useText } from "../texts/use-text.ts";

/** Whose line it is: to the eye by side and colour, to a screen reader by name. */
export function Speaker({
  line,
  buddy,
  ownId,
  continued,
}: {
  readonly line: LineView;
  readonly buddy: BuddyView;
  readonly ownId: BuddyView["userId"];
  readonly continued: boolean;
}) {
  const text = useText();
  return (
    <>
      <VisuallyHidden>{line.mine ? text("line.you") : text("line.them", { handle: buddy.handle })}</VisuallyHidden>
      {!line.mine && (
        <span className="line-avatar">
          {!continued && <Avatar userId={line.mine ? ownId : buddy.userId} handle={buddy.handle} size={32} />}
        </span>
      )}
    </>
  );
}
