import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef } from "react";
import type { BuddyView } from "../../protocol/ipc-schema.ts";
import type { ConversationState } from "../app/conversation-state.ts";
import { useText } from "../texts/use-text.ts";
import { Line } from "./line.tsx";
import { lineContext } from "./line-context.ts";

const ESTIMATED_LINE_PX = 44;
/** This close to the end, new lines keep the list at its end. */
const AT_END_PX = 80;
/** This close to the top, older lines are fetched. */
const NEAR_TOP_PX = 400;

/** The lines, of which only those in sight are in the document; stays at the newest unless the user has scrolled away. */
export function LineList({
  conversation,
  loadOlder,
  buddy,
  ownId,
}: {
  readonly conversation: ConversationState;
  readonly loadOlder: () => void;
  readonly buddy: BuddyView;
  readonly ownId: BuddyView["userId"];
}) {
  const text = useText();
  const scroller = useRef<HTMLDivElement>(null);
  const { lines, history } = conversation;
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ESTIMATED_LINE_PX,
    getItemKey: (index) => lines[index]?.lineId ?? index,
    anchorTo: "end",
    followOnAppend: true,
    scrollEndThreshold: AT_END_PX,
    overscan: 10,
    paddingEnd: 8,
  });

  const opened = lines.length > 0;
  useLayoutEffect(() => {
    if (opened) virtualizer.scrollToEnd();
  }, [opened, virtualizer]);

  const newest = lines.at(-1);
  const ownNewest = newest?.mine === true ? newest.lineId : null;
  useEffect(() => {
    if (ownNewest !== null) virtualizer.scrollToEnd();
  }, [ownNewest, virtualizer]);

  // Where there is less room (a growing message, a banner), what was at the end stays at the end.
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    let wasAtEnd = true;
    const remember = () => {
      wasAtEnd = virtualizer.isAtEnd(AT_END_PX);
    };
    const observer = new ResizeObserver(() => {
      if (wasAtEnd) virtualizer.scrollToEnd();
    });
    element.addEventListener("scroll", remember);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", remember);
      observer.disconnect();
    };
  }, [virtualizer]);

  function onScroll(): void {
    if (history === "more" && (scroller.current?.scrollTop ?? NEAR_TOP_PX) < NEAR_TOP_PX) loadOlder();
  }

  return (
    <div
      ref={scroller}
      className="line-list"
      role="log"
      aria-live="off"
      aria-label={text("conversation.log")}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1)
      tabIndex={0}
      onScroll={onScroll}
    >
      {lines.length === 0 && history === "complete" && buddy.relation === "buddy" && (
        <p className="line-list-empty">{text("conversation.empty", { handle: buddy.handle })}</p>
      )}
      <div className="line-list-all" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map(({ key, index, start }) => {
          const line = lines[index];
          return (
            line && (
              <div
                key={key}
                ref={virtualizer.measureElement}
                data-index={index}
                className="line-place"
                style={{ transform: `translateY(${start}px)` }}
              >
                <Line line={line} context={lineContext(lines[index - 1], line)} buddy={buddy} ownId={ownId} />
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}
