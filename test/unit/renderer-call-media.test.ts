import { describe, expect, test, vi } from "vitest";
import type { IpcPush, IpcPushes } from "../../protocol/ipc-schema.ts";
import { openBridge } from "../../renderer/bridge.ts";
import { runCallMedia } from "../../renderer/media/call-media.ts";
import type { PeerConnection, PeerEvents } from "../../renderer/media/peer-connection.ts";
import { ManualClock } from "../support/manual-clock.ts";

type CallId = IpcPush<"openMedia">["callId"];
const FIRST = "1".repeat(32) as CallId;
const SECOND = "2".repeat(32) as CallId;

/** The window's media with main's half of the bridge in a test's hands. */
function window() {
  const clock = new ManualClock();
  const listeners = new Map<string, (value: never) => void>();
  const asked: [string, unknown][] = [];
  const microphones: { stop: ReturnType<typeof vi.fn> }[] = [];
  const peers: (PeerConnection & {
    readonly events: PeerEvents;
    readonly iceServers: RTCIceServer[];
    readonly relayOnly: boolean;
  })[] = [];
  const audio = { play: vi.fn(), setMuted: vi.fn<(muted: boolean) => void>(), stop: vi.fn() };
  const troubles: string[] = [];
  const paths: (string | null)[] = [];
  let answer: unknown = { ok: true, value: {} };
  runCallMedia({
    clock,
    audio,
    path: (path) => paths.push(path),
    bridge: openBridge({
      invoke: async (name, input) => {
        asked.push([name, input]);
        return answer;
      },
      onPush: (name, listener) => {
        listeners.set(name, listener as (value: never) => void);
        return () => listeners.delete(name);
      },
    }),
    openMicrophone: async () => {
      const track = Object.assign(new EventTarget(), { stop: vi.fn() });
      microphones.push(track);
      return { getTracks: () => [track] } as unknown as MediaStream;
    },
    openPeer: ({ iceServers, relayOnly }, events) => {
      const peer = {
        events,
        iceServers,
        relayOnly,
        setIceServers: vi.fn(),
        signal: vi.fn(),
        restart: vi.fn(),
        speak: vi.fn(async () => {}),
        setSending: vi.fn(async () => {}),
        say: vi.fn(() => true),
        sample: async () => ({
          audioPackets: 1,
          pair: "pair",
          checksAnswered: 0,
          connection: "connected" as const,
          ownEnd: "relay-udp" as const,
          relay: null,
          peerCandidate: "host",
        }),
        close: vi.fn(),
      };
      peers.push(peer);
      return peer;
    },
    trouble: ({ code }) => troubles.push(code),
  });
  return {
    clock,
    asked,
    audio,
    microphones,
    peers,
    troubles,
    paths,
    answerWith: (given: unknown) => {
      answer = given;
    },
    async push<K extends keyof IpcPushes & string>(name: K, value: IpcPush<K>) {
      (listeners.get(name) as ((value: IpcPush<K>) => void) | undefined)?.(value);
      await clock.advance(0);
    },
  };
}

const open = (callId: CallId, relayOnly = false) => ({
  callId,
  initiator: true,
  iceServers: [{ urls: ["stun:192.0.2.1:3478"] }],
  relayOnly,
});

describe("the microphone", () => {
  test("opens on main's word alone: neither a call, nor the peer's signals, nor unmuting open it", async () => {
    const { push, microphones, peers } = window();
    const call = { callId: FIRST, peer: "a".repeat(40), direction: "incoming" };
    await push("call", { phase: "incoming", ...call } as IpcPush<"call">);
    await push("mediaSignals", { callId: FIRST, signals: [{ type: "offer", sdp: "v=0" }] });
    await push("setSending", { callId: FIRST, sending: true });
    expect(microphones).toEqual([]);
    expect(peers).toEqual([]);
    await push("openMedia", open(FIRST));
    expect(microphones).toHaveLength(1);
    expect(peers[0]?.iceServers).toEqual([{ urls: ["stun:192.0.2.1:3478"] }]);
  });

  test("closes with the call, and the peer's sound with it", async () => {
    const { push, microphones, peers, audio } = window();
    await push("openMedia", open(FIRST));
    await push("closeMedia", { callId: FIRST });
    expect(microphones[0]?.stop).toHaveBeenCalledOnce();
    expect(peers[0]?.close).toHaveBeenCalledOnce();
    expect(audio.stop).toHaveBeenCalled();
  });

  test("of one call closes when another opens", async () => {
    const { push, microphones } = window();
    await push("openMedia", open(FIRST));
    await push("openMedia", open(SECOND));
    expect(microphones.map(({ stop }) => stop.mock.calls.length)).toEqual([1, 0]);
  });
});

describe("what belongs to another call", () => {
  test("neither closes this one, nor mutes it, nor reaches its peer", async () => {
    const { push, peers, microphones } = window();
    await push("openMedia", open(SECOND));
    await push("closeMedia", { callId: FIRST });
    await push("setSending", { callId: FIRST, sending: false });
    await push("mediaSignals", { callId: FIRST, signals: [{ type: "offer", sdp: "v=0" }] });
    expect(peers[0]?.close).not.toHaveBeenCalled();
    expect(peers[0]?.setSending).not.toHaveBeenCalled();
    expect(peers[0]?.signal).not.toHaveBeenCalled();
    expect(microphones[0]?.stop).not.toHaveBeenCalled();
  });
});

describe("relays", () => {
  test("are the only way if main says so", async () => {
    const { push, peers } = window();
    await push("openMedia", open(FIRST, true));
    await push("openMedia", open(SECOND, false));
    expect(peers.map(({ relayOnly }) => relayOnly)).toEqual([true, false]);
  });

  test("that are fresh reach the peer connection of their call, and no other", async () => {
    const { push, peers } = window();
    const iceServers = [{ urls: ["turn:192.0.2.2:443?transport=tcp"], username: "u", credential: "c" }];
    await push("openMedia", open(FIRST));
    await push("iceServers", { callId: SECOND, iceServers });
    expect(peers[0]?.setIceServers).not.toHaveBeenCalled();
    await push("iceServers", { callId: FIRST, iceServers });
    expect(peers[0]?.setIceServers).toHaveBeenCalledExactlyOnceWith(iceServers);
  });

  test("are told to the user as the way that the call goes, until it ends", async () => {
    const { push, clock, paths } = window();
    await push("openMedia", open(FIRST));
    await clock.advance(400);
    expect(paths.at(-1)).toBe("relayed");
    await push("closeMedia", { callId: FIRST });
    expect(paths.at(-1)).toBeNull();
  });
});

describe("main hears", () => {
  test("of the peer's signals and of the connection, with the call that they belong to", async () => {
    const { push, asked, peers, clock } = window();
    await push("openMedia", open(FIRST));
    peers[0]?.events.signal({ type: "offer", sdp: "v=0" });
    await clock.advance(200);
    expect(asked).toEqual([
      ["mediaSignals", { callId: FIRST, signals: [{ type: "offer", sdp: "v=0" }] }],
      ["mediaState", { callId: FIRST, media: "connected" }],
    ]);
  });

  test("and its refusal of what came too late is no news for the user", async () => {
    const { push, answerWith, peers, clock, troubles } = window();
    await push("openMedia", open(FIRST));
    answerWith({ ok: false, error: { code: "no-call", message: "", details: {} } });
    peers[0]?.events.signal({ type: "offer", sdp: "v=0" });
    await clock.advance(0);
    expect(troubles).toEqual([]);
    answerWith({ ok: false, error: { code: "not-attached", message: "", details: {} } });
    peers[0]?.events.signal({ type: "offer", sdp: "v=0" });
    await clock.advance(0);
    expect(troubles).toEqual(["not-attached"]);
  });
});

test("a held call is silent here too, and stays so while it reconnects", async () => {
  const { push, audio } = window();
  await push("openMedia", open(FIRST));
  const call = {
    callId: FIRST,
    peer: "a".repeat(40) as IpcPush<"line">["peer"],
    direction: "outgoing",
    connectedAt: 0,
    muted: false,
  } as const;
  await push("call", { phase: "held", by: "us", ...call });
  await push("call", { phase: "reconnecting", ...call });
  expect(audio.setMuted.mock.calls.flat().at(-1)).toBe(true);
  await push("call", { phase: "active", ...call });
  expect(audio.setMuted.mock.calls.flat().at(-1)).toBe(false);
});
