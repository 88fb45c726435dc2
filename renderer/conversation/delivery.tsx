import { VisuallyHidden } from "react-aria-components";
import type { LineView } from "../../protocol/ipc-schema.ts";
import { Icon, type IconName } from "../app/icon.tsx";
import type { TextId } from "../texts/en.ts";
import { useText } from "../texts/use-text.ts";

type State = Exclude<LineView, { kind: "call" }>["delivery"];

const MARKS: Readonly<Record<State, { readonly icon: IconName; readonly words: TextId }>> = {
  waiting: { icon: "waiting", words: "delivery.waiting" },
  sent: { icon: "sent", words: "delivery.sent" },
  delivered: { icon: "delivered", words: "delivery.delivered" },
  read: { icon: "delivered", words: "delivery.read" },
  received: { icon: "delivered", words: "delivery.delivered" },
};

/** How far an own message has come: a mark to the eye, words to a screen reader and on hovering. */
export function Delivery({ state }: { readonly state: State }) {
  const text = useText();
  const { icon, words } = MARKS[state];
  return (
    <span className={`delivery delivery-${state}`} title={text(words)}>
      <Icon name={icon} size={16} />
      <VisuallyHidden>{text(words)}</VisuallyHidden>
    </span>
  );
}
