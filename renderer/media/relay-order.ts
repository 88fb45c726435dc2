/**
 * The order of a call's STUN and TURN servers, which is their rank: Chromium moves to a new
 * candidate at once if it ranks no lower than the old. A supernode is two entries: its STUN
 * without a credential, and its TURN with one.
 */

export function nextFirst(iceServers: readonly RTCIceServer[]): RTCIceServer[] {
  const [first] = iceServers;
  const second = iceServers.findIndex((server, index) => index > 0 && isStun(server) === isStun(first));
  return second === -1 ? [...iceServers] : [...iceServers.slice(second), ...iceServers.slice(0, second)];
}

export function lastFirst(iceServers: readonly RTCIceServer[]): RTCIceServer[] {
  const [first] = iceServers;
  const last = iceServers.findLastIndex((server, index) => index > 0 && isStun(server) === isStun(first));
  return last === -1 ? [...iceServers] : [...iceServers.slice(last), ...iceServers.slice(0, last)];
}

/**
 * Chromium ranks from the end of the list: in a shorter one the best relay would rank below the
 * one that the call has just lost. So those that are missing stay, behind the others.
 */
export function withMissing(fresh: readonly RTCIceServer[], before: readonly RTCIceServer[]): RTCIceServer[] {
  const places = new Set(fresh.map(({ urls }) => String(urls)));
  const missing = before.filter(({ urls }) => !places.has(String(urls)));
  return [...fresh, ...missing.slice(0, Math.max(0, before.length - fresh.length))];
}

function isStun(server: RTCIceServer | undefined): boolean {
  return server?.credential === undefined;
}
