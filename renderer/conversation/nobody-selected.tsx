import { Logo } from "../app/logo.tsx";
import { useText } from "../texts/use-text.ts";

export function NobodySelected() {
  const text = useText();
  return (
    <div className="nobody-selected">
      <Logo size={64} />
      <p>{text("conversation.nobody")}</p>
    </div>
  );
}
