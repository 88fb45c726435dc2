import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";
import { Avatar } from "../app/avatar.tsx";
import { Icon } from "../app/icon.tsx";
import { useAppState, useAttempt, useKith } from "../app/kith.tsx";
import { useText } from "../texts/use-text.ts";

/**
 * Rings until answered. Neither button has the focus: whoever is typing when it opens must
 * not answer by accident. Escape does nothing for the same reason.
 */
export function IncomingCall() {
  const text = useText();
  const { bridge, store } = useKith();
  const attempt = useAttempt();
  const call = useAppState((state) => state.call);
  const caller = useAppState(({ buddies }) => buddies.find(({ userId }) => "peer" in call && userId === call.peer));
  if (call.phase !== "incoming") return null;
  const handle = caller?.handle ?? text("call.somebody");
  return (
    <ModalOverlay className="overlay" isOpen isKeyboardDismissDisabled>
      <Modal className="modal modal-call">
        <Dialog className="dialog dialog-call" role="alertdialog">
          <span className="ringing-avatar">
            <Avatar userId={call.peer} handle={handle} size={88} />
          </span>
          <Heading slot="title" className="dialog-title">
            {handle}
          </Heading>
          <p className="dialog-words">{text("incoming.calls")}</p>
          <div className="dialog-call-buttons">
            <Button className="round-button round-button-end" onPress={() => attempt(bridge.invoke("declineCall", {}))}>
              <span className="round-button-face">
                <Icon name="hangUp" size={26} />
              </span>
              {text("incoming.decline")}
            </Button>
            <Button
              className="round-button round-button-accept"
              onPress={() => {
                store.setState({ selected: call.peer });
                attempt(bridge.invoke("acceptCall", {}));
              }}
            >
              <span className="round-button-face">
                <Icon name="phone" size={26} />
              </span>
              {text("incoming.accept")}
            </Button>
          </div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
