import { describe, expect, test, vi } from "vitest";
import type { MediaSignal } from "../../protocol/call-signal.ts";
import { KithError } from "../../protocol/errors.ts";
import { openMediaSession } from "../../renderer/media/media-session.ts";
import type { PeerEvents, PeerOptions, PeerSample } from "../../renderer/media/peer-connection.ts";
import { ManualClock } from "../support/manual-clock.ts";

const OFFER: MediaSignal = { type: "offer", sdp: "v=0" };
const CANDIDATE: MediaSignal = { type: "candidate", candidate: { candidate: "candidate:1" } };

/** A microphone with one track, as much of it as is used. */
function microphone() {
  const track = Object.assign(new EventTarget(), { stop: vi.fn() });
  return { track, stream: { getTracks: () => [track] } as unknown as MediaStream };
}

/** One call's media on a clock that a test turns, with the peer and the microphone in its hands. */
function session({ initiator = true } = {}) {
  const clock = new ManualClock();
  const { track, stream } = microphone();
  let allow: (stream: MediaStream) => void = () => {};
  let refuse: (error: unknown) => void = () => {};
  const permission = new Promise<MediaStream>((resolve, reject) => {
    allow = resolve;
    refuse = reject;
  });
  const peer = {
    signal: vi.fn<(signal: MediaSignal) => void>(),
    restart: vi.fn<() => void>(),
    speak: vi.fn(async (_microphone: MediaStream) => {}),
    setIceServers: vi.fn<(iceServers: RTCIceServer[]) => void>(),
    setSending: vi.fn(async (_sending: boolean) => {}),
    say: vi.fn<(word: string) => boolean>(() => true),
    sample: vi.fn(async () => heard),
    close: vi.fn<() => void>(),
  };
  let heard: PeerSample = {
    audioPackets: 0,
    pair: null,
    checksAnswered: 0,
    connection: "new",
    ownEnd: null,
    relay: null,
    peerCandidate: null,
  };
  const paths: (string | null)[] = [];
  const opened: { options: PeerOptions; events: PeerEvents }[] = [];
  const reports: string[] = [];
  const troubles: string[] = [];
  const sent: MediaSignal[] = [];
  const media = openMediaSession(
    {
      clock,
      openMicrophone: () => permission,
      openPeer: (options, events) => {
        opened.push({ options, events });
        return peer;
      },
    },
    {
      initiator,
      iceServers: [],
      relayOnly: false,
      path: (path) => paths.push(path),
      report: (what) => reports.push(what),
      sendSignal: (signal) => sent.push(signal),
      remoteStream: () => {},
      trouble: ({ code }) => troubles.push(code),
    },
  );
  return {
    clock,
    media,
    peer,
    track,
    stream,
    opened,
    reports,
    paths,
    troubles,
    sent,
    refuse: (error: unknown) => refuse(error),
    async grant() {
      allow(stream);
      await clock.advance(0);
    },
    get events(): PeerEvents {
      const [first] = opened;
      if (first === undefined) throw new Error("no peer was opened");
      return first.events;
    },
    hear: (change: Partial<typeof heard>) => {
      heard = { ...heard, ...change };
    },
    async connect() {
      await this.grant();
      this.hear({ connection: "connected", audioPackets: 5 });
      await clock.advance(200);
    },
  };
}

describe("opening", () => {
  test("makes no peer before the microphone is there, and then gives it the signals that came early, in order", async () => {
    const call = session({ initiator: false });
    call.media.signal([OFFER]);
    call.media.signal([CANDIDATE]);
    await call.clock.advance(5_000);
    expect(call.opened).toEqual([]);
    await call.grant();
    expect(call.peer.signal.mock.calls.flat()).toEqual([OFFER, CANDIDATE]);
    call.media.signal([CANDIDATE]);
    expect(call.peer.signal).toHaveBeenCalledTimes(3);
  });

  test("makes the offer before the microphone is there, which speaks when it is", async () => {
    const call = session();
    expect(call.opened[0]?.options.microphone).toBeNull();
    await call.grant();
    expect(call.peer.speak).toHaveBeenCalledExactlyOnceWith(call.stream);
    expect(call.opened).toHaveLength(1);
  });

  test("keeps a bounded number of early signals", async () => {
    const call = session({ initiator: false });
    for (let count = 0; count < 100; count++) call.media.signal(Array.from({ length: 64 }, () => CANDIDATE));
    await call.grant();
    expect(call.peer.signal).toHaveBeenCalledTimes(256);
  });

  test("without a microphone fails, and says why", async () => {
    const call = session();
    call.refuse(new KithError("microphone-refused"));
    await call.clock.advance(0);
    expect(call.reports).toEqual(["failed"]);
    expect(call.troubles).toEqual(["microphone-refused"]);
    expect(call.peer.close).toHaveBeenCalledOnce();
  });

  test("that is called off before the microphone is there closes it at once", async () => {
    const call = session();
    call.media.close();
    await call.grant();
    expect(call.track.stop).toHaveBeenCalledOnce();
    expect(call.peer.close).toHaveBeenCalledOnce();
    expect(call.peer.speak).not.toHaveBeenCalled();
    expect(call.reports).toEqual([]);
  });

  test("fails if the connection dies before there was sound", async () => {
    const call = session();
    await call.grant();
    call.events.closed();
    expect(call.reports).toEqual(["failed"]);
    expect(call.track.stop).toHaveBeenCalledOnce();
  });
});

describe("a running call", () => {
  test("is told as connected, interrupted and connected again", async () => {
    const call = session();
    await call.connect();
    await call.clock.advance(2_000);
    call.hear({ audioPackets: 6 });
    await call.clock.advance(200);
    expect(call.reports).toEqual(["connected", "interrupted", "connected"]);
    expect(call.peer.restart).toHaveBeenCalledOnce();
  });

  test("answers a probe, and takes any word as a sign of life", async () => {
    const call = session();
    await call.connect();
    await call.clock.advance(2_000);
    call.peer.say.mockClear();
    call.events.word("probe");
    expect(call.peer.say.mock.calls).toEqual([["here"]]);
    expect(call.reports.at(-1)).toBe("connected");
  });

  test("ignores words that mean nothing", async () => {
    const call = session();
    await call.connect();
    await call.clock.advance(2_000);
    call.events.word("nonsense");
    expect(call.reports.at(-1)).toBe("interrupted");
  });

  test("is restarted once when both sides ask for it at the same moment", async () => {
    const call = session();
    await call.connect();
    await call.clock.advance(1_200);
    call.events.restartAsked();
    call.events.restartAsked();
    expect(call.peer.restart).toHaveBeenCalledOnce();
  });

  test("does not wait for the sound of a peer who has said that it is muted", async () => {
    const call = session();
    await call.connect();
    call.events.word("quiet");
    await call.clock.advance(30_000);
    expect(call.reports).toEqual(["connected"]);
  });

  test("tells the peer before it falls silent, and when it sounds again", async () => {
    const call = session();
    await call.connect();
    call.media.setSending(false);
    call.media.setSending(true);
    expect(call.peer.say.mock.calls.flat()).toEqual(["quiet", "sending"]);
    expect(call.peer.setSending.mock.calls.flat()).toEqual([false, true]);
  });

  test("muted before the data channel was open says so once it is", async () => {
    const call = session();
    await call.grant();
    call.peer.say.mockReturnValueOnce(false);
    call.media.setSending(false);
    call.events.ready();
    expect(call.peer.say.mock.calls.flat()).toEqual(["quiet", "quiet"]);
  });

  test("whose microphone is unplugged tells the user and goes on", async () => {
    const call = session();
    await call.connect();
    call.track.dispatchEvent(new Event("ended"));
    expect(call.troubles).toEqual(["microphone-missing"]);
    expect(call.reports).toEqual(["connected"]);
  });

  test("whose peer is gone is interrupted, not failed: the hang-up may be on its way", async () => {
    const call = session();
    await call.connect();
    call.events.closed();
    expect(call.reports).toEqual(["connected", "interrupted"]);
  });
});

describe("the way of the call", () => {
  test("is told to the peer as our half of it, again when it changes, and never twice the same", async () => {
    const call = session();
    await call.connect();
    call.hear({ ownEnd: "direct", peerCandidate: "host" });
    await call.clock.advance(600);
    call.hear({ ownEnd: "relay-tcp" });
    await call.clock.advance(600);
    expect(call.peer.say.mock.calls.flat().filter((word) => word.startsWith("via-"))).toEqual([
      "via-direct",
      "via-relay-tcp",
    ]);
    expect(call.paths).toEqual(["direct", "relayed-tcp"]);
  });

  test("is told to the peer once there is a data channel to say it over", async () => {
    const call = session();
    await call.grant();
    call.peer.say.mockReturnValueOnce(false);
    call.hear({ connection: "connected", audioPackets: 5, ownEnd: "direct", peerCandidate: "host" });
    await call.clock.advance(400);
    expect(call.peer.say.mock.calls.flat()).toEqual(["via-direct", "via-direct"]);
  });

  test("is relayed if the peer says so, though its address looks like one of its own", async () => {
    const call = session();
    await call.connect();
    call.hear({ ownEnd: "direct", peerCandidate: "prflx" });
    await call.clock.advance(200);
    expect(call.paths).toEqual([]);
    call.events.word("via-relay-tcp");
    await call.clock.advance(200);
    expect(call.paths).toEqual(["relayed-tcp"]);
  });

  test("uses relays that come while the microphone is still being asked for", async () => {
    const call = session({ initiator: false });
    const fresh = [{ urls: ["turn:192.0.2.9:443"], username: "u", credential: "c" }];
    call.media.setIceServers(fresh);
    await call.grant();
    expect(call.opened[0]?.options.iceServers).toEqual(fresh);
    call.media.setIceServers([]);
    expect(call.peer.setIceServers).toHaveBeenCalledExactlyOnceWith([]);
  });
});

describe("closing", () => {
  test("stops the microphone and the peer, and says nothing more", async () => {
    const call = session();
    await call.connect();
    call.media.close();
    expect(call.track.stop).toHaveBeenCalledOnce();
    expect(call.peer.close).toHaveBeenCalledOnce();
    call.events.signal(CANDIDATE);
    call.events.closed();
    call.track.dispatchEvent(new Event("ended"));
    await call.clock.advance(10_000);
    expect(call.sent).toEqual([]);
    expect(call.reports).toEqual(["connected"]);
    expect(call.troubles).toEqual([]);
  });
});

describe("a relay in use that is no longer among ours", () => {
  const relay = "turn:192.0.2.9:443?transport=udp";
  const other = { urls: ["turn:192.0.2.8:443", "turn:192.0.2.8:443?transport=tcp"], username: "u", credential: "c" };
  const same = { urls: ["stun:192.0.2.9:443", "turn:192.0.2.9:443"], username: "v", credential: "d" };

  test("is left at once, before anybody hears that it is silent", async () => {
    const call = session();
    await call.connect();
    call.hear({ ownEnd: "relay-udp", relay });
    await call.clock.advance(200);
    call.media.setIceServers([other]);
    expect(call.peer.restart).toHaveBeenCalledOnce();
    expect(call.reports).toEqual(["connected"]);
  });

  test("is told from one with a new credential, and from a call that goes directly", async () => {
    const call = session();
    await call.connect();
    call.hear({ ownEnd: "relay-udp", relay });
    await call.clock.advance(200);
    call.media.setIceServers([other, same]);
    call.hear({ ownEnd: "direct", relay: null });
    await call.clock.advance(200);
    call.media.setIceServers([other]);
    expect(call.peer.restart).not.toHaveBeenCalled();
  });
});
