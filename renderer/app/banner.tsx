import type { ReactNode } from "react";
import { Button } from "react-aria-components";
import { useText } from "../texts/use-text.ts";
import { Icon, type IconName } from "./icon.tsx";

/** A calm strip that tells what is the matter. Without `onDismiss` it stays as long as the matter does. */
export function Banner({
  icon,
  tone,
  children,
  onDismiss,
}: {
  readonly icon: IconName;
  readonly tone: "quiet" | "warning" | "alarm";
  readonly children: ReactNode;
  readonly onDismiss?: () => void;
}) {
  const text = useText();
  return (
    <div className={`banner banner-${tone}`}>
      <Icon name={icon} />
      <div className="banner-words">{children}</div>
      {onDismiss && (
        <Button className="icon-button" aria-label={text("banner.dismiss")} onPress={onDismiss}>
          <Icon name="close" size={16} />
        </Button>
      )}
    </div>
  );
}
