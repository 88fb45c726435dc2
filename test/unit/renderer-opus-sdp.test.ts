import { describe, expect, test } from "vitest";
import { withOpusSettings } from "../../renderer/media/opus-sdp.ts";

const sdp = (...lines: string[]) => [...lines, ""].join("\r\n");

const OFFER = sdp(
  "v=0",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 0",
  "a=rtpmap:111 opus/48000/2",
  "a=rtcp-fb:111 transport-cc",
  "a=fmtp:111 minptime=10;useinbandfec=1",
  "a=rtpmap:63 red/48000/2",
  "a=fmtp:63 111/111",
  "a=rtpmap:0 PCMU/8000",
);

describe("the peer's description, as our encoder reads it", () => {
  test("asks for silence suppression, 24 kbit/s and forward error correction, and keeps what it said before", () => {
    const format = /^a=fmtp:111 (.*)$/m.exec(withOpusSettings(OFFER))?.[1]?.trim().split(";");
    expect(new Set(format)).toEqual(new Set(["minptime=10", "useinbandfec=1", "usedtx=1", "maxaveragebitrate=24000"]));
  });

  test("is otherwise unchanged, to the byte", () => {
    const others = (text: string) => text.split("\r\n").filter((line) => !line.startsWith("a=fmtp:111"));
    expect(others(withOpusSettings(OFFER))).toEqual(others(OFFER));
  });

  test("gets a format line if Opus had none", () => {
    const bare = sdp("m=audio 9 UDP/TLS/RTP/SAVPF 96", "a=rtpmap:96 opus/48000/2", "a=mid:0");
    expect(withOpusSettings(bare).split("\r\n")).toEqual([
      "m=audio 9 UDP/TLS/RTP/SAVPF 96",
      "a=rtpmap:96 opus/48000/2",
      "a=fmtp:96 usedtx=1;maxaveragebitrate=24000;useinbandfec=1",
      "a=mid:0",
      "",
    ]);
  });

  test("overrules a peer that asks for more", () => {
    const greedy = OFFER.replace("minptime=10;useinbandfec=1", "maxaveragebitrate=510000;usedtx=0;stereo=1");
    const format = /^a=fmtp:111 (.*)$/m.exec(withOpusSettings(greedy))?.[1]?.trim();
    expect(format).toBe("maxaveragebitrate=24000;usedtx=1;stereo=1;useinbandfec=1");
  });

  test("without Opus is left alone", () => {
    const plain = sdp("m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=rtpmap:0 PCMU/8000");
    expect(withOpusSettings(plain)).toBe(plain);
  });

  test("applied twice is the same as once", () => {
    expect(withOpusSettings(withOpusSettings(OFFER))).toBe(withOpusSettings(OFFER));
  });
});
