import { FormattedDate } from "react-intl";
import { useKith } from "../app/kith.tsx";
import { useText } from "../texts/use-text.ts";
import { dayKind } from "./line-context.ts";

export function DaySeparator({ at }: { readonly at: number }) {
  const text = useText();
  const { clock } = useKith();
  const kind = dayKind(at, clock.now());
  return (
    <h3 className="day-separator">
      {kind === "today" && text("day.today")}
      {kind === "yesterday" && text("day.yesterday")}
      {kind === "other" && <FormattedDate value={at} weekday="long" day="numeric" month="long" year="numeric" />}
    </h3>
  );
}
