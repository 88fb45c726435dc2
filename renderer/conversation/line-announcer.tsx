import { useEffect, useRef, useState } from "react";
import { VisuallyHidden } from "react-aria-components";
import type { LineView } from "../../protocol/ipc-schema.ts";
import { useText } from "../texts/use-text.ts";

/**
 * Reads out what has just come in. The list itself is silent to screen readers: scrolling puts
 * old lines into the document, and those would be read as new.
 */
export function LineAnnouncer({ lines, handle }: { readonly lines: readonly LineView[]; readonly handle: string }) {
  const text = useText();
  const [words, setWords] = useState("");
  const newest = lines.at(-1);
  const seen = useRef(newest?.lineId);
  useEffect(() => {
    if (newest === undefined || newest.lineId === seen.current) return;
    const first = seen.current === undefined;
    seen.current = newest.lineId;
    if (first || newest.mine || newest.kind === "call") return;
    const said = newest.kind === "text" ? newest.text : text("voice.message");
    setWords(`${text("line.them", { handle })} ${said}`);
  }, [handle, newest, text]);
  return (
    <VisuallyHidden>
      <div role="status">{words}</div>
    </VisuallyHidden>
  );
}
