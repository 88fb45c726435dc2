import { FormattedTime } from "react-intl";
import { Icon, type IconName } from "../app/icon.tsx";
import { type CallLine as CallLineView, callLineText } from "../call/call-words.ts";
import { formatDuration } from "../call/duration.ts";
import { useText } from "../texts/use-text.ts";

export function CallLine({ line, handle }: { readonly line: CallLineView; readonly handle: string }) {
  const text = useText();
  const words = callLineText(line);
  const missed = words === "callLine.missed";
  const icon: IconName = missed ? "missed" : line.mine ? "outgoing" : "incoming";
  return (
    <p className="call-line" data-missed={missed || undefined}>
      <Icon name={icon} size={16} />
      <span>{text(words, { handle })}</span>
      {line.durationMs !== null && (
        <span>{text("callLine.duration", { duration: formatDuration(line.durationMs) })}</span>
      )}
      <time dateTime={new Date(line.at).toISOString()}>
        <FormattedTime value={line.at} />
      </time>
    </p>
  );
}
