import { Button } from "react-aria-components";
import { useShallow } from "zustand/shallow";
import { Avatar } from "../app/avatar.tsx";
import { Icon } from "../app/icon.tsx";
import { useAppState, useAttempt, useKith } from "../app/kith.tsx";
import { useText } from "../texts/use-text.ts";

/** Who asks to become a buddy; above the list, until answered. */
export function BuddyRequests() {
  const text = useText();
  const { bridge } = useKith();
  const attempt = useAttempt();
  const asking = useAppState(useShallow((state) => state.buddies.filter(({ relation }) => relation === "asks-me")));
  return (
    <ul className="buddy-requests" aria-label={text("requests.list")} hidden={asking.length === 0}>
      {asking.map(({ userId, handle, greeting }) => (
        <li key={userId} className="buddy-request">
          <Avatar userId={userId} handle={handle} size={32} />
          <div className="buddy-request-words">
            <p>{text("requests.asks", { handle })}</p>
            {greeting !== "" && <p className="buddy-request-greeting">{greeting}</p>}
            <div className="buddy-request-buttons">
              <Button
                className="button button-small button-primary"
                aria-label={text("requests.accept")}
                onPress={() => attempt(bridge.invoke("acceptBuddy", { userId }))}
              >
                <Icon name="check" size={16} />
                {text("requests.acceptShort")}
              </Button>
              <Button
                className="button button-small"
                aria-label={text("requests.decline")}
                onPress={() => attempt(bridge.invoke("declineBuddy", { userId }))}
              >
                {text("requests.declineShort")}
              </Button>
              <Button
                className="button button-small"
                aria-label={text("requests.block", { handle })}
                onPress={() => attempt(bridge.invoke("blockBuddy", { userId }))}
              >
                {text("requests.blockShort")}
              </Button>
            </div>
          </div>
        </li>
      ))}
    </ul>
  );
}
