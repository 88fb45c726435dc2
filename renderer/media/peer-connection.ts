/**
 * The one file that knows simple-peer: a WebRTC connection that carries one voice each way
 * and survives trouble. simple-peer gives up at the first *failed*; here the connection
 * lives until `close`, and ICE can be restarted.
 */
import SimplePeer from "simple-peer";
import type { MediaSignal } from "../../protocol/call-signal.ts";
import { type PathSample, pathSample } from "./call-path.ts";
import type { LinkSample } from "./link-watch.ts";
import { withOpusSettings } from "./opus-sdp.ts";
import { lastFirst, nextFirst, withMissing } from "./relay-order.ts";

export interface PeerOptions {
  readonly initiator: boolean;
  readonly iceServers: RTCIceServer[];
  /** Nothing but relayed candidates is gathered: the peer is told no address of this computer. */
  readonly relayOnly: boolean;
  /** Null: it comes later, with `speak`. Only the initiator can begin without. */
  readonly microphone: MediaStream | null;
}

export interface PeerEvents {
  /** To be told to the peer. */
  signal(signal: MediaSignal): void;
  remoteStream(stream: MediaStream): void;
  /** The data channel can carry words. */
  ready(): void;
  /** One word from the peer, as it came. */
  word(word: string): void;
  /** The other side asks the initiator for an ICE restart. */
  restartAsked(): void;
  /** The connection is gone and cannot come back. */
  closed(): void;
}

export interface PeerConnection {
  /** Signals that mean nothing in this state (late, doubled, or hostile) are dropped. */
  signal(signal: MediaSignal): void;
  /** Used from the next restart on. */
  setIceServers(iceServers: RTCIceServer[]): void;
  /** Restarts ICE, or asks the initiator to. */
  restart(): void;
  /** Whoever began without a microphone has one now. */
  speak(microphone: MediaStream): Promise<void>;
  /** Nothing at all is sent while off: measured, a disabled track would still send 289 B/s. */
  setSending(sending: boolean): Promise<void>;
  /** Tells the peer one word over the data channel; false while there is none. */
  say(word: string): boolean;
  sample(): Promise<PeerSample>;
  close(): void;
}

export type PeerSample = Omit<LinkSample, "at"> & PathSample;

export type OpenPeer = (options: PeerOptions, events: PeerEvents) => PeerConnection;

const MAX_WORD_BYTES = 16;

type Description = Extract<MediaSignal, { sdp: string }>;

class LastingPeer extends SimplePeer {
  declare readonly _pc: RTCPeerConnection;
  declare readonly destroyed: boolean;
  declare _onIceStateChange: () => void;
  declare _onConnectionStateChange: () => void;
  declare _onChannelClose: () => void;
  declare _addIceCandidate: (candidate: RTCIceCandidateInit) => void;
  declare negotiate: () => void;

  constructor({ initiator, iceServers, relayOnly, microphone }: PeerOptions) {
    super({
      initiator,
      // One transport for sound and data from the start: half the ports, half the allocations.
      config: { iceServers, iceTransportPolicy: relayOnly ? "relay" : "all", bundlePolicy: "max-bundle" },
      ...(microphone !== null && { stream: microphone }),
    });
    // Room for a voice in the first offer. It belongs to a stream, or the peer would hear of none.
    if (microphone === null) this.addTransceiver("audio", { direction: "sendrecv", streams: [new MediaStream()] });
    const iceStateChanged = this._onIceStateChange.bind(this);
    this._onIceStateChange = () => {
      if (!this.destroyed && this._pc.iceConnectionState !== "failed") iceStateChanged();
    };
    this._onConnectionStateChange = () => {};
    this._onChannelClose = () => {};
    // One useless candidate must not end a call.
    this._addIceCandidate = (candidate) => void this._pc.addIceCandidate(candidate).catch(() => {});
  }
}

export const openPeerConnection: OpenPeer = (options, events) => {
  const { initiator } = options;
  const peer = new LastingPeer(options);
  let answering = false;
  let latestOffer: Description | null = null;
  let gone = false;
  let { iceServers } = options;

  /**
   * Chromium moves to another relay at once if that one ranks higher, and the list's order is the
   * rank; to a lower one only when the old has been silent for 2.5 s.
   */
  function preferNextRelay(): void {
    iceServers = nextFirst(iceServers);
    peer._pc.setConfiguration({ ...peer._pc.getConfiguration(), iceServers });
  }

  const vanish = () => {
    if (gone) return;
    gone = true;
    events.closed();
  };
  peer.on("signal", (signal) => {
    const ours = asMediaSignal(signal);
    if (ours !== null) events.signal(ours);
  });
  peer.on("stream", (stream) => events.remoteStream(stream));
  peer.on("connect", () => events.ready());
  peer.on("data", (chunk: unknown) => {
    if (chunk instanceof Uint8Array && chunk.length <= MAX_WORD_BYTES) events.word(new TextDecoder().decode(chunk));
  });
  peer.on("error", vanish);
  peer.on("close", vanish);
  peer.on("signalingStateChange", (state: unknown) => {
    if (state !== "stable" || !answering) return;
    answering = false;
    if (latestOffer !== null) answer(latestOffer);
  });

  // A newer offer waits until the one before it is answered: two at once would leave simple-peer
  // answering in the wrong state.
  function answer(offer: Description): void {
    if (answering) {
      latestOffer = offer;
      return;
    }
    if (peer._pc.remoteDescription !== null) preferNextRelay();
    answering = true;
    latestOffer = null;
    peer.signal({ type: "offer", sdp: withOpusSettings(offer.sdp) });
  }

  return {
    signal(signal) {
      if (gone) return;
      switch (signal.type) {
        case "offer":
          if (!initiator) answer(signal);
          return;
        case "answer":
          if (initiator && peer._pc.signalingState === "have-local-offer") {
            peer.signal({ type: "answer", sdp: withOpusSettings(signal.sdp) });
          }
          return;
        case "candidate":
          peer.signal({ type: "candidate", candidate: new RTCIceCandidate(candidateInit(signal)) });
          return;
        case "renegotiate":
          if (initiator) events.restartAsked();
          return;
        default:
          signal satisfies never;
      }
    },

    setIceServers(fresh) {
      if (gone) return;
      // Rotated back at the restart, so that it begins with the best of them.
      iceServers = lastFirst(withMissing(fresh, iceServers));
      peer._pc.setConfiguration({ ...peer._pc.getConfiguration(), iceServers });
    },

    restart() {
      if (gone) return;
      if (!initiator) {
        events.signal({ type: "renegotiate", renegotiate: true });
        return;
      }
      const unanswered = peer._pc.signalingState === "have-local-offer" ? peer._pc.localDescription : null;
      if (unanswered !== null) {
        // Said again, not anew: whichever copy is answered, the answer fits.
        events.signal({ type: "offer", sdp: unanswered.sdp });
        return;
      }
      preferNextRelay();
      peer._pc.restartIce();
      peer.negotiate();
    },

    async speak(microphone) {
      const [track = null] = microphone.getAudioTracks();
      if (!gone) for (const sender of peer._pc.getSenders()) await sender.replaceTrack(track);
    },

    async setSending(sending) {
      if (gone) return;
      for (const sender of peer._pc.getSenders()) {
        const parameters = sender.getParameters();
        for (const encoding of parameters.encodings) encoding.active = sending;
        await sender.setParameters(parameters);
      }
    },

    say(word) {
      if (gone || !peer.connected) return false;
      peer.send(word);
      return true;
    },

    async sample() {
      return gone ? NOTHING_HEARD : readSample(peer._pc);
    },

    close() {
      gone = true;
      peer.destroy();
    },
  };
};

const NOTHING_HEARD: PeerSample = {
  audioPackets: 0,
  pair: null,
  checksAnswered: 0,
  connection: "closed",
  ownEnd: null,
  relay: null,
  peerCandidate: null,
};

async function readSample(connection: RTCPeerConnection): Promise<PeerSample> {
  const report = await connection.getStats();
  let audioPackets = 0;
  let pair: string | null = null;
  for (const stats of report.values()) {
    if (stats.type === "inbound-rtp" && stats.kind === "audio") audioPackets += Number(stats.packetsReceived ?? 0);
    if (stats.type === "transport") pair = stats.selectedCandidatePairId ?? null;
  }
  const checksAnswered = pair === null ? 0 : Number(report.get(pair)?.responsesReceived ?? 0);
  return { audioPackets, pair, checksAnswered, connection: connection.connectionState, ...pathSample(report, pair) };
}

/** simple-peer's signals, as far as the protocol knows them. */
function asMediaSignal(signal: SimplePeer.SignalData): MediaSignal | null {
  switch (signal.type) {
    case "offer":
    case "answer":
      return signal.sdp === undefined ? null : { type: signal.type, sdp: signal.sdp };
    case "candidate": {
      const { candidate, sdpMLineIndex, sdpMid } = signal.candidate;
      return { type: "candidate", candidate: { candidate, sdpMLineIndex, sdpMid } };
    }
    default:
      return null;
  }
}

function candidateInit(signal: Extract<MediaSignal, { type: "candidate" }>): RTCIceCandidateInit {
  const { candidate, sdpMLineIndex, sdpMid } = signal.candidate;
  return { candidate, sdpMLineIndex: sdpMLineIndex ?? null, sdpMid: sdpMid ?? null };
}
