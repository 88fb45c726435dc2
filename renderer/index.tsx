/** Composition root of the window: builds its parts and puts them on the screen. */
import { StrictMode } from "react";
import { I18nProvider } from "react-aria-components";
import { createRoot } from "react-dom/client";
import { IntlProvider } from "react-intl";
import { KithError } from "../protocol/errors.ts";
import { App } from "./app/app.tsx";
import { systemClock } from "./app/clock.ts";
import { feedStore } from "./app/feed.ts";
import { type Kith, KithProvider } from "./app/kith.tsx";
import { createAppStore, withNotice } from "./app/store.ts";
import { openBridge } from "./bridge.ts";
import { runCallMedia } from "./media/call-media.ts";
import { openMicrophone } from "./media/microphone.ts";
import { peerAudio } from "./media/peer-audio.ts";
import { openPeerConnection } from "./media/peer-connection.ts";
import { voiceRecorder } from "./media/voice-recorder.ts";
import { en } from "./texts/en.ts";
import "./app/theme.css";
import "./app/controls.css";
import "./app/layout.css";
import "./sign-in/sign-in.css";
import "./buddies/buddies.css";
import "./conversation/conversation.css";
import "./call/call.css";
import "./settings/settings.css";
import "./account/account.css";

const root = document.getElementById("root");
const audio = document.getElementById("peer-audio");
if (root === null || !(audio instanceof HTMLAudioElement)) throw new Error("index.html is not ours");

const bridge = openBridge(window.kith);
const store = createAppStore();
const kith: Kith = {
  bridge,
  store,
  clock: systemClock,
  startVoiceRecording: voiceRecorder(bridge, openMicrophone),
};

function trouble(thrown: unknown): void {
  const { code, message } = KithError.from(thrown);
  store.setState((state) => withNotice(state, { code, message }));
}

runCallMedia({
  bridge,
  clock: systemClock,
  openMicrophone,
  openPeer: openPeerConnection,
  audio: peerAudio(audio),
  path: (callPath) => store.setState({ callPath }),
  trouble,
});
feedStore(bridge, store).catch(trouble);

// The catalogue's language, in the region's form: an English system keeps its own clock and dates.
const locale = navigator.languages.find((language) => language.startsWith("en")) ?? "en";
createRoot(root).render(
  <StrictMode>
    <IntlProvider locale={locale} defaultLocale="en" messages={en}>
      <I18nProvider locale={locale}>
        <KithProvider kith={kith}>
          <App />
        </KithProvider>
      </I18nProvider>
    </IntlProvider>
  </StrictMode>,
);
