/** The media of one call: microphone, WebRTC, the peer's sound, and the watch over them. */
import type { MediaSignal } from "../../protocol/call-signal.ts";
import { KithError } from "../../protocol/errors.ts";
import type { Clock } from "../app/clock.ts";
import { type CallEnd, type CallPath, callPath, endOfWord, isAmong, type PathSample, wordOfEnd } from "./call-path.ts";
import { type LinkAction, type LinkEvent, OPENING, stepLink } from "./link-watch.ts";
import { type OpenMicrophone, stopStream } from "./microphone.ts";
import type { OpenPeer, PeerConnection } from "./peer-connection.ts";

export interface MediaParts {
  readonly clock: Clock;
  readonly openMicrophone: OpenMicrophone;
  readonly openPeer: OpenPeer;
}

export interface MediaSessionOptions {
  readonly initiator: boolean;
  readonly iceServers: RTCIceServer[];
  readonly relayOnly: boolean;
  report(media: "connected" | "interrupted" | "failed"): void;
  sendSignal(signal: MediaSignal): void;
  remoteStream(stream: MediaStream): void;
  /** The call goes another way than before; null: nobody knows yet. */
  path(path: CallPath | null): void;
  /** Something that the user has to know of. */
  trouble(error: KithError): void;
}

export interface MediaSession {
  signal(signals: readonly MediaSignal[]): void;
  setSending(sending: boolean): void;
  setIceServers(iceServers: RTCIceServer[]): void;
  close(): void;
}

export const SAMPLE_EVERY_MS = 200;
/** A peer who says nothing yet can make us keep this many signals, no more. */
const MAX_EARLY_SIGNALS = 256;

/** What the two windows say to each other over the data channel. */
const WORDS = { probe: "probe", here: "here", sending: "sending", quiet: "quiet" } as const;

export function openMediaSession(parts: MediaParts, options: MediaSessionOptions): MediaSession {
  const { clock } = parts;
  const early: MediaSignal[] = [];
  let link = OPENING;
  let { iceServers } = options;
  let path: CallPath | null = null;
  let peerEnd: CallEnd | null = null;
  let toldEnd: CallEnd | null = null;
  let relay: string | null = null;
  let sending = true;
  let microphone: MediaStream | null = null;
  let peer: PeerConnection | null = null;
  let stopSampling: (() => void) | null = null;
  let restartedAt = Number.NEGATIVE_INFINITY;
  let closed = false;

  function close(): void {
    if (closed) return;
    closed = true;
    stopSampling?.();
    peer?.close();
    if (microphone !== null) stopStream(microphone);
  }

  function fail(): void {
    if (closed) return;
    close();
    options.report("failed");
  }

  function step(event: LinkEvent): void {
    if (closed) return;
    const opening = link.phase === "opening";
    const next = stepLink(link, event, options.initiator);
    link = next.state;
    for (const action of next.actions) act(action);
    if (opening && link.phase === "closed") fail();
  }

  function act(action: LinkAction): void {
    switch (action) {
      case "report-connected":
        options.report("connected");
        break;
      case "report-interrupted":
        options.report("interrupted");
        break;
      case "probe":
        peer?.say(WORDS.probe);
        break;
      case "restart":
        restart();
        break;
      default:
        action satisfies never;
    }
  }

  /** Both sides may notice the same trouble: one restart at a time. */
  function restart(): void {
    if (clock.now() - restartedAt < RESTART_GAP_MS) return;
    restartedAt = clock.now();
    peer?.restart();
  }

  function hear(word: string): void {
    const at = clock.now();
    if (word === WORDS.quiet || word === WORDS.sending) {
      step({ type: "peer-sending", at, sending: word === WORDS.sending });
      return;
    }
    const end = endOfWord(word);
    if (end !== null) peerEnd = end;
    else if (word !== WORDS.probe && word !== WORDS.here) return;
    step({ type: "heard", at });
    if (word === WORDS.probe) peer?.say(WORDS.here);
  }

  function applySending(): void {
    peer?.say(sending ? WORDS.sending : WORDS.quiet);
    peer?.setSending(sending).catch(fail);
  }

  async function sample(): Promise<void> {
    if (peer === null) return;
    const seen = await peer.sample();
    step({ type: "sample", sample: { ...seen, at: clock.now() } });
    follow(seen);
  }

  /** Tells the user which way the call goes, and the peer our half of it. */
  function follow(seen: PathSample): void {
    if (closed) return;
    const { ownEnd } = seen;
    relay = seen.relay;
    if (ownEnd !== null && ownEnd !== toldEnd && peer?.say(wordOfEnd(ownEnd))) toldEnd = ownEnd;
    const now = callPath(seen, peerEnd);
    if (now === path) return;
    path = now;
    options.path(now);
  }

  async function open(): Promise<void> {
    const opening = parts.openMicrophone();
    // An offer needs no microphone, and is the sooner there without.
    if (options.initiator) connect(null);
    const stream = await opening;
    if (closed) {
      stopStream(stream);
      return;
    }
    microphone = stream;
    for (const track of stream.getTracks()) {
      track.addEventListener("ended", () => {
        if (!closed) options.trouble(new KithError("microphone-missing"));
      });
    }
    if (peer === null) connect(stream);
    else await peer.speak(stream);
  }

  function connect(stream: MediaStream | null): void {
    peer = parts.openPeer(
      { initiator: options.initiator, iceServers, relayOnly: options.relayOnly, microphone: stream },
      {
        signal: (signal) => {
          if (!closed) options.sendSignal(signal);
        },
        remoteStream: (remote) => options.remoteStream(remote),
        ready: () => {
          if (!sending) applySending();
        },
        word: hear,
        restartAsked: restart,
        closed: () => step({ type: "closed" }),
      },
    );
    for (const signal of early.splice(0)) peer.signal(signal);
    stopSampling = clock.every(SAMPLE_EVERY_MS, () => void sample());
  }

  open().catch((error: unknown) => {
    if (closed) return;
    options.trouble(KithError.from(error));
    fail();
  });

  return {
    signal(signals) {
      if (closed) return;
      if (peer !== null) for (const signal of signals) peer.signal(signal);
      else early.push(...signals.slice(0, MAX_EARLY_SIGNALS - early.length));
    },
    setSending(wanted) {
      if (closed) return;
      sending = wanted;
      applySending();
    },
    setIceServers(fresh) {
      iceServers = fresh;
      peer?.setIceServers(fresh);
      if (relay !== null && !isAmong(fresh, relay)) step({ type: "relay-gone" });
    },
    close,
  };
}

/** Shorter than the watch's own interval, so that only doubled requests fall under it. */
const RESTART_GAP_MS = 3_000;
