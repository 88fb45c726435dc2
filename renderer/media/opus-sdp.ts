/** How our encoder is asked to speak: through the peer's session description (RFC 7587, sections 6.1 and 7). */

/**
 * Of Opus, in format parameters:
 * - `usedtx`: in a pause a packet every 400 ms instead of 50 a second (measured: 0.8 instead of 6.9 kB/s);
 * - `maxaveragebitrate`, in bit/s: speech is clear at 24 kbit/s, below Chromium's default of 32 and more;
 * - `useinbandfec`: a lost packet is heard from the next one.
 * Packets stay at Chromium's 20 ms.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  usedtx: "1",
  maxaveragebitrate: "24000",
  useinbandfec: "1",
};

/**
 * Writes our Opus settings into a remote description, before it is applied: the encoder
 * follows what the remote side is said to want. Everything but Opus's format line stays as it is.
 */
export function withOpusSettings(sdp: string): string {
  const payloadType = /^a=rtpmap:(\d+) opus\/48000\/2\r?$/im.exec(sdp)?.[1];
  if (payloadType === undefined) return sdp;
  const formatLine = new RegExp(`^a=fmtp:${payloadType} ([^\r\n]*)`, "m");
  if (formatLine.test(sdp)) {
    return sdp.replace(formatLine, (_, given: string) => `a=fmtp:${payloadType} ${merge(given)}`);
  }
  const mapLine = new RegExp(`^a=rtpmap:${payloadType} [^\r\n]*`, "m");
  return sdp.replace(mapLine, (line) => `${line}\r\na=fmtp:${payloadType} ${merge("")}`);
}

function merge(given: string): string {
  const parameters = new Map<string, string>();
  for (const parameter of given.split(";")) {
    const [name = "", value = ""] = parameter.trim().split("=");
    if (name !== "") parameters.set(name, value);
  }
  for (const [name, value] of Object.entries(SETTINGS)) parameters.set(name, value);
  return [...parameters].map(([name, value]) => `${name}=${value}`).join(";");
}
