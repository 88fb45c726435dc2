/** What each request of the window does. All are asynchronous: a refusal is a rejection. */
import { KithError } from "../../protocol/errors.ts";
import { parseHandle } from "../../protocol/identifiers.ts";
import type { IpcMethods } from "../../protocol/ipc-schema.ts";
import type { Handlers } from "../../protocol/rpc.ts";
import { accountMethods } from "../account/account-methods.ts";
import type { Recording } from "../messages/recording.ts";
import type { DesktopSupernode } from "../supernode/desktop-supernode.ts";
import type { Surroundings } from "./client-options.ts";
import type { SessionKeeper } from "./session-keeper.ts";
import type { SettingsKeeper } from "./settings.ts";

export function ipcMethods(
  keeper: SessionKeeper,
  recording: Recording,
  settings: SettingsKeeper,
  supernode: DesktopSupernode | null,
  surroundings: Surroundings,
): Handlers<IpcMethods> {
  const done = {};
  return {
    snapshot: async () => ({
      session: keeper.view,
      buddies: keeper.session?.buddiesView.view() ?? [],
      call: keeper.session?.calls.view ?? { phase: "idle" },
      settings: settings.value,
      supernode: supernode?.view ?? { phase: "off" },
    }),

    signUp: async (form) => {
      await keeper.signUp(form);
      return done;
    },
    signIn: async (form) => {
      await keeper.signIn(form);
      return done;
    },
    cancelSignIn: async () => {
      keeper.cancelSignIn();
      return done;
    },
    signOut: async () => {
      recording.set(false);
      if (supernode) await supernode.setAside(() => keeper.signOut());
      else await keeper.signOut();
      return done;
    },
    setStatus: async ({ status, text }) => {
      await keeper.required.setStatus({ status, text: text.trim() });
      return done;
    },

    requestBuddy: async ({ handle, greeting }) => {
      const session = keeper.required;
      const entry = await session.sync.session.request("requestBuddy", { handle: parseHandle(handle), greeting });
      await session.sync.take({ entries: [entry], revision: entry.revision }, false);
      return done;
    },
    setFindable: async (findable) => {
      await keeper.required.profile.change(findable);
      return done;
    },
    dismissAlert: async ({ alertId }) => {
      await keeper.required.alerts.dismiss(alertId);
      return done;
    },
    searchPeople: async ({ text, cursor }) => keeper.required.searchPeople(text, cursor),
    acceptBuddy: async ({ userId }) => {
      const session = keeper.required;
      const entry = await session.sync.session.request("acceptBuddy", { userId });
      await session.sync.take({ entries: [entry], revision: entry.revision }, false);
      return done;
    },
    declineBuddy: async ({ userId }) => {
      await keeper.required.sync.session.request("declineBuddy", { userId });
      return done;
    },
    removeBuddy: async ({ userId }) => {
      const session = keeper.required;
      await session.sync.session.request("removeBuddy", { userId });
      const buddy = session.buddies.get(userId);
      if (buddy) await session.buddies.forgetPin(buddy.handle);
      return done;
    },

    ...accountMethods(keeper, surroundings),

    lines: async ({ peer, before, limit }) => keeper.required.mail.conversations.page(peer, before, limit),
    sendMessage: async ({ peer, text }) => keeper.required.messages.sendText(peer, text),
    sendVoice: async ({ peer, ogg, durationMs }) => keeper.required.messages.sendVoice(peer, ogg, durationMs),
    readVoice: async ({ messageId }) => ({ ogg: await keeper.required.mail.voices.read(messageId) }),
    markRead: async ({ peer }) => {
      const session = keeper.required;
      await session.messages.markRead(peer);
      await session.buddiesView.lineChanged(peer);
      return done;
    },

    dial: async ({ peer }) => {
      const session = keeper.required;
      session.buddies.require(peer);
      if (!session.attached) throw new KithError("not-attached");
      session.calls.dial(peer);
      return done;
    },
    acceptCall: async () => {
      keeper.required.calls.command({ type: "accept" });
      return done;
    },
    declineCall: async () => {
      keeper.required.calls.command({ type: "decline" });
      return done;
    },
    hangUp: async () => {
      keeper.required.calls.command({ type: "hang-up" });
      return done;
    },
    mute: async ({ muted }) => {
      keeper.required.calls.command({ type: "mute", muted });
      return done;
    },
    hold: async ({ held }) => {
      keeper.required.calls.command({ type: "hold", held });
      return done;
    },
    recording: async ({ on }) => {
      if (on) void keeper.required;
      recording.set(on);
      return done;
    },
    setSettings: async (changes) => {
      await settings.change(changes);
      supernode?.reconsider();
      return done;
    },
    mediaState: async ({ callId, media }) => {
      keeper.session?.calls.mediaState(callId, media);
      return done;
    },
    mediaSignals: async ({ callId, signals }) => {
      keeper.session?.calls.mediaSignals(callId, signals);
      return done;
    },
  };
}
