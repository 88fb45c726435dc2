import { useAppState } from "../app/kith.tsx";
import { useText } from "../texts/use-text.ts";

/** In the main window for as long as this computer serves others, so that nobody forgets it does. */
export function SupernodeIndicator() {
  const text = useText();
  const view = useAppState((state) => state.supernode);
  if (view.phase !== "running") return null;
  return (
    <p className="supernode-indicator" title={text("supernode.indicatorTitle")}>
      <span className="supernode-lamp" aria-hidden="true" />
      {text("supernode.indicator", { attached: view.attached })}
    </p>
  );
}
