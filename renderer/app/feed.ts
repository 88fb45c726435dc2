/** Keeps the store in step with main: pushes from the start on, and one snapshot of what was before. */
import type { Bridge } from "../bridge.ts";
import { type Store, withBuddies, withNotice, withPushedLine, withSession } from "./store.ts";

/** @throws KithError when main gives no snapshot */
export async function feedStore(bridge: Bridge, store: Store): Promise<void> {
  const told = { session: false, buddies: false, call: false, settings: false, supernode: false };
  bridge.onPush("session", (session) => {
    told.session = true;
    store.setState((state) => withSession(state, session));
  });
  bridge.onPush("buddies", (buddies) => {
    told.buddies = true;
    store.setState((state) => withBuddies(state, buddies));
  });
  bridge.onPush("call", (call) => {
    told.call = true;
    store.setState({ call });
  });
  bridge.onPush("settings", (settings) => {
    told.settings = true;
    store.setState({ settings });
  });
  bridge.onPush("supernode", (supernode) => {
    told.supernode = true;
    store.setState({ supernode });
  });
  bridge.onPush("line", (line) => store.setState((state) => withPushedLine(state, line)));
  bridge.onPush("notice", (notice) => store.setState((state) => withNotice(state, notice)));

  const snapshot = await bridge.invoke("snapshot", {});
  // A push that came while the snapshot was on its way is the newer of the two.
  if (!told.session) store.setState((state) => withSession(state, snapshot.session));
  if (!told.buddies) store.setState((state) => withBuddies(state, snapshot.buddies));
  if (!told.call) store.setState({ call: snapshot.call });
  if (!told.settings) store.setState({ settings: snapshot.settings });
  if (!told.supernode) store.setState({ supernode: snapshot.supernode });
}
