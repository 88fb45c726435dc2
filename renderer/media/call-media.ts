/** Carries out what main's call machine asks of the window: open and close media, pass signals, mute, hold. */
import { KithError } from "../../protocol/errors.ts";
import type { IpcPush } from "../../protocol/ipc-schema.ts";
import type { Bridge } from "../bridge.ts";
import type { CallPath } from "./call-path.ts";
import { type MediaParts, type MediaSession, openMediaSession } from "./media-session.ts";
import type { PeerAudio } from "./peer-audio.ts";

export interface CallMediaParts extends MediaParts {
  readonly bridge: Bridge;
  readonly audio: PeerAudio;
  /** Which way the call goes; null without a call, or as long as nobody knows. */
  path(path: CallPath | null): void;
  /** Something that the user has to know of. */
  trouble(error: KithError): void;
}

type OpenMedia = IpcPush<"openMedia">;
type CallId = OpenMedia["callId"];

/** Listens until the window closes: media opens on main's word alone, never on the peer's. */
export function runCallMedia(parts: CallMediaParts): void {
  const { bridge, audio } = parts;
  let current: { readonly callId: CallId; readonly session: MediaSession } | null = null;

  function sessionOf(callId: CallId): MediaSession | null {
    return current?.callId === callId ? current.session : null;
  }

  function close(): void {
    current?.session.close();
    current = null;
    audio.stop();
    parts.path(null);
  }

  /** Main refuses what belongs to a call that has ended meanwhile; nobody has to hear of that. */
  function tell(answer: Promise<unknown>): void {
    answer.catch((error: unknown) => {
      const { code } = KithError.from(error);
      if (code !== "no-call") parts.trouble(KithError.from(error));
    });
  }

  bridge.onPush("openMedia", ({ callId, initiator, iceServers, relayOnly }) => {
    close();
    const session = openMediaSession(parts, {
      initiator,
      iceServers: iceServers.map(asIceServer),
      relayOnly,
      path: (path) => parts.path(path),
      report: (media) => tell(bridge.invoke("mediaState", { callId, media })),
      sendSignal: (signal) => tell(bridge.invoke("mediaSignals", { callId, signals: [signal] })),
      remoteStream: (stream) => audio.play(stream),
      trouble: parts.trouble,
    });
    current = { callId, session };
  });
  bridge.onPush("iceServers", ({ callId, iceServers }) =>
    sessionOf(callId)?.setIceServers(iceServers.map(asIceServer)),
  );
  bridge.onPush("closeMedia", ({ callId }) => {
    if (sessionOf(callId) !== null) close();
  });
  bridge.onPush("mediaSignals", ({ callId, signals }) => sessionOf(callId)?.signal(signals));
  bridge.onPush("setSending", ({ callId, sending }) => sessionOf(callId)?.setSending(sending));
  // While reconnecting, what held before still holds.
  bridge.onPush("call", (call) => {
    if (call.phase === "held") audio.setMuted(true);
    if (call.phase === "active") audio.setMuted(false);
  });
}

function asIceServer({ urls, username, credential }: OpenMedia["iceServers"][number]): RTCIceServer {
  return {
    urls,
    ...(username !== undefined && { username }),
    ...(credential !== undefined && { credential }),
  };
}
