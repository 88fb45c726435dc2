import { describe, expect, test } from "vitest";
import type { BuddyView, IpcPush, IpcPushes, LineView, SessionView } from "../../protocol/ipc-schema.ts";
import { feedStore } from "../../renderer/app/feed.ts";
import {
  createAppStore,
  type Store,
  withBuddies,
  withDraft,
  withHistory,
  withNotice,
  withoutNotice,
  withPushedLine,
  withSession,
} from "../../renderer/app/store.ts";
import { openBridge } from "../../renderer/bridge.ts";

type SignedIn = Extract<SessionView, { phase: "signed-in" }>;
type UserId = BuddyView["userId"];

const SIGNED_OUT: SessionView = {
  phase: "signed-out",
  loginServer: "",
  handle: "",
  invitation: "",
  notice: null,
  nextTryInMs: null,
};
function signedIn(user: string): SignedIn {
  return {
    phase: "signed-in",
    userId: user.repeat(40) as UserId,
    deviceId: "d".repeat(32) as SignedIn["deviceId"],
    handle: "alice" as SignedIn["handle"],
    network: "n",
    attached: true,
    loginServerReachable: true,
    findable: { on: false, displayName: "", words: "" },
    status: "online",
    statusText: "",
    notices: [],
  };
}
function buddy(handle: string, lastActivityAt: number | null = null): BuddyView {
  return {
    userId: handle.charAt(0).repeat(40) as UserId,
    handle: handle as BuddyView["handle"],
    relation: "buddy",
    greeting: "",
    presence: "online",
    statusText: "",
    lastSeenAt: null,
    unread: 0,
    lastActivityAt,
    lastLine: "",
    keyChanged: false,
    alias: "",
    groups: [],
  };
}
const bob = buddy("bob");
function line(lineId: string): LineView {
  const messageId = lineId as Extract<LineView, { kind: "text" }>["messageId"];
  return { kind: "text", lineId, peer: bob.userId, mine: false, at: 1, delivery: "received", messageId, text: lineId };
}

/** A store of somebody who is in the middle of things. */
function busyStore(): Store {
  const store = createAppStore();
  store.setState((state) => withSession(state, signedIn("a")));
  store.setState((state) => withBuddies(state, [bob]));
  store.setState((state) => withHistory({ ...state, selected: bob.userId }, bob.userId, "loading"));
  store.setState((state) => withPushedLine(state, line("one")));
  store.setState((state) => withDraft(state, bob.userId, "half a sen"));
  return store;
}

describe("the store", () => {
  test("forgets everything on the screen when the user signs out", () => {
    const after = withSession(busyStore().getState(), SIGNED_OUT);
    expect(after).toEqual({ ...createAppStore().getState(), session: SIGNED_OUT });
  });

  test("forgets it too when somebody else signs in, and keeps it while the same user's connection changes", () => {
    const state = busyStore().getState();
    expect(withSession(state, signedIn("b")).conversations.size).toBe(0);
    expect(withSession(state, { ...signedIn("a"), attached: false }).conversations).toBe(state.conversations);
  });

  test("lists first whom one talked to last, then by handle", () => {
    const given = [buddy("zoe"), buddy("erin", 5), buddy("adam"), buddy("carl", 9)];
    const { buddies } = withBuddies(createAppStore().getState(), given);
    expect(buddies.map(({ handle }) => handle)).toEqual(["carl", "erin", "adam", "zoe"]);
  });

  test("closes the conversation of a buddy who is no longer there", () => {
    const state = busyStore().getState();
    expect(withBuddies(state, [bob, buddy("zoe")]).selected).toBe(bob.userId);
    expect(withBuddies(state, [buddy("zoe")]).selected).toBeNull();
  });

  test("leaves lines of conversations alone that were never opened: they are fetched whole", () => {
    const state = createAppStore().getState();
    expect(withPushedLine(state, line("one"))).toBe(state);
  });

  test("tells the same trouble once, and forgets it when it has been read", () => {
    const notice = { code: "timeout", message: "There was no answer in time." };
    const twice = withNotice(withNotice(createAppStore().getState(), notice), { ...notice });
    expect(twice.notices).toEqual([notice]);
    const [shown = notice] = twice.notices;
    expect(withoutNotice(twice, shown).notices).toEqual([]);
  });
});

describe("the feed", () => {
  /** A bridge whose snapshot comes when the test lets it. */
  function feed() {
    const listeners = new Map<string, (value: never) => void>();
    let release: (answer: unknown) => void = () => {};
    const store = createAppStore();
    const fed = feedStore(
      openBridge({
        invoke: () => new Promise((resolve) => (release = resolve)),
        onPush: (name, listener) => {
          listeners.set(name, listener as (value: never) => void);
          return () => listeners.delete(name);
        },
      }),
      store,
    );
    return {
      store,
      fed,
      answer: (answer: unknown) => release(answer),
      push<K extends keyof IpcPushes & string>(name: K, value: IpcPush<K>) {
        (listeners.get(name) as ((value: IpcPush<K>) => void) | undefined)?.(value);
      },
    };
  }
  const snapshot = { session: SIGNED_OUT, buddies: [buddy("zoe")], call: { phase: "idle" } };

  test("takes the snapshot, and what is pushed after it", async () => {
    const { store, fed, answer, push } = feed();
    answer({ ok: true, value: snapshot });
    await fed;
    expect(store.getState()).toMatchObject(snapshot);
    push("session", signedIn("a"));
    expect(store.getState().session.phase).toBe("signed-in");
  });

  test("prefers a push to a snapshot that was taken before it", async () => {
    const { store, fed, answer, push } = feed();
    push("session", signedIn("a"));
    push("buddies", [bob]);
    answer({ ok: true, value: snapshot });
    await fed;
    expect(store.getState().session.phase).toBe("signed-in");
    expect(store.getState().buddies).toEqual([bob]);
  });

  test("fails with main's own code when there is no snapshot", async () => {
    const { fed, answer } = feed();
    answer({ ok: false, error: { code: "ipc-refused", message: "", details: { what: "snapshot" } } });
    await expect(fed).rejects.toMatchObject({ name: "KithError", code: "ipc-refused", details: { what: "snapshot" } });
  });
});

describe("the bridge", () => {
  const ask = (answer: unknown) =>
    openBridge({ invoke: async () => answer, onPush: () => () => {} }).invoke("snapshot", {});

  test.each([null, undefined, "text", {}, { ok: false }, { ok: false, error: null }])(
    "refuses an answer that is none: %j",
    async (answer) => {
      await expect(ask(answer)).rejects.toMatchObject({ code: "malformed" });
    },
  );

  test("makes of an error code that is not known an internal error, not a guess", async () => {
    const error = { code: "from-the-future", message: "<b>", details: {} };
    await expect(ask({ ok: false, error })).rejects.toMatchObject({ code: "internal" });
  });
});
