import { useState } from "react";
import { Button } from "react-aria-components";
import { useKith } from "../app/kith.tsx";
import { useNow } from "../app/use-now.ts";
import { useText } from "../texts/use-text.ts";

/** Too many sign in at once: says that Kith waits its turn, and lets the user stop it. Each wait mounts it anew. */
export function CrowdWait({ inMs }: { readonly inMs: number }) {
  const text = useText();
  const { bridge, clock } = useKith();
  const [until] = useState(() => clock.now() + inMs);
  const seconds = Math.max(0, Math.ceil((until - useNow(250)) / 1_000));
  return (
    <div className="crowd-wait">
      <p role="status">{text("signIn.crowded")}</p>
      {/* Not part of what a screen reader speaks: it would do so every second. */}
      <p className="crowd-wait-next" aria-live="off">
        {text("signIn.nextTry", { seconds })}
      </p>
      <Button className="button" onPress={() => void bridge.invoke("cancelSignIn", {})}>
        {text("signIn.stopTrying")}
      </Button>
    </div>
  );
}
