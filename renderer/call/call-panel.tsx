import { Button, ToggleButton } from "react-aria-components";
import type { CallView } from "../../protocol/ipc-schema.ts";
import { Avatar } from "../app/avatar.tsx";
import { Icon } from "../app/icon.tsx";
import { useAppState, useAttempt, useKith } from "../app/kith.tsx";
import { useText } from "../texts/use-text.ts";
import { CallStatus } from "./call-status.tsx";

type InPanel = Exclude<CallView, { phase: "idle" | "incoming" | "ended" }>;

function isInPanel(call: CallView): call is InPanel {
  return call.phase !== "idle" && call.phase !== "incoming" && call.phase !== "ended";
}

/** The call that is on, above whatever conversation is open. */
export function CallPanel() {
  const call = useAppState((state) => state.call);
  return isInPanel(call) ? <Panel call={call} /> : null;
}

function Panel({ call }: { readonly call: InPanel }) {
  const text = useText();
  const { bridge, store } = useKith();
  const attempt = useAttempt();
  const peer = useAppState(({ buddies }) => buddies.find(({ userId }) => userId === call.peer));
  const connected = call.phase === "active" || call.phase === "held" || call.phase === "reconnecting";
  const held = call.phase === "held" && call.by !== "peer";
  const handle = peer?.handle ?? text("call.somebody");
  return (
    <section className="call-panel" data-phase={call.phase} aria-label={text("call.region")}>
      <Button
        className="call-peer"
        aria-label={text("call.show", { handle })}
        onPress={() => store.setState({ selected: call.peer })}
      >
        <Avatar userId={call.peer} handle={handle} size={48} />
      </Button>
      <div className="call-words">
        <p className="call-handle">{handle}</p>
        <CallStatus call={call} handle={handle} />
      </div>
      <div className="call-buttons">
        <ToggleButton
          className="call-button"
          isDisabled={!connected}
          isSelected={connected && call.muted}
          onChange={(muted) => attempt(bridge.invoke("mute", { muted }))}
        >
          <Icon name={connected && call.muted ? "microphoneOff" : "microphone"} />
          {text("call.mute")}
        </ToggleButton>
        <ToggleButton
          className="call-button"
          isDisabled={!connected}
          isSelected={held}
          onChange={(wanted) => attempt(bridge.invoke("hold", { held: wanted }))}
        >
          <Icon name="pause" />
          {text("call.hold")}
        </ToggleButton>
        <Button className="call-button call-button-end" onPress={() => attempt(bridge.invoke("hangUp", {}))}>
          <Icon name="hangUp" />
          {text("call.hangUp")}
        </Button>
      </div>
    </section>
  );
}
