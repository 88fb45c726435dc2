/** How the door (door.ts) stands before the protocols of the port. */
import { BUSY_ALERT } from "../../protocol/busy.ts";
import type { Door } from "./door.ts";
import type { StreamProtocol, Unwelcome } from "./first-byte.ts";

/** TLS for those whom the door admits. The others are told in TLS's own words, before it costs anything. */
export function admitted(protocol: StreamProtocol, door: Door, refused: (why: Unwelcome) => void): StreamProtocol {
  return {
    claims: protocol.claims,
    take(socket) {
      if (door.admit(socket)) {
        protocol.take(socket);
        return;
      }
      refused("busy");
      // What has come is read: closing with it unread would be a reset, which overtakes the alert.
      socket.resume();
      socket.end(BUSY_ALERT, () => socket.destroy());
    },
  };
}

/** A protocol with limits of its own, to which the door's do not apply. */
export function outsideTheDoor(protocol: StreamProtocol, door: Door): StreamProtocol {
  return {
    claims: protocol.claims,
    take(socket) {
      door.leave(socket);
      protocol.take(socket);
    },
  };
}
