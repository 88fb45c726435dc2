import { FormattedTime } from "react-intl";
import type { BuddyView, LineView } from "../../protocol/ipc-schema.ts";
import { CallLine } from "./call-line.tsx";
import { DaySeparator } from "./day-separator.tsx";
import { Delivery } from "./delivery.tsx";
import type { LineContext } from "./line-context.ts";
import { Speaker } from "./speaker.tsx";
import { VoiceLine } from "./voice-line.tsx";

/** One line of any kind. Text is text: nothing in it becomes a link or a tag. */
export function Line({
  line,
  context,
  buddy,
  ownId,
}: {
  readonly line: LineView;
  readonly context: LineContext;
  readonly buddy: BuddyView;
  readonly ownId: BuddyView["userId"];
}) {
  return (
    <>
      {context.newDay && <DaySeparator at={line.at} />}
      {line.kind === "call" ? (
        <CallLine line={line} handle={buddy.handle} />
      ) : (
        <div className="line" data-mine={line.mine || undefined} data-continued={context.continued || undefined}>
          <Speaker line={line} buddy={buddy} ownId={ownId} continued={context.continued} />
          <div className="bubble">
            {line.kind === "text" ? <p className="bubble-text">{line.text}</p> : <VoiceLine line={line} />}
            <span className="bubble-foot">
              <time dateTime={new Date(line.at).toISOString()}>
                <FormattedTime value={line.at} />
              </time>
              {line.mine && <Delivery state={line.delivery} />}
            </span>
          </div>
        </div>
      )}
    </>
  );
}
