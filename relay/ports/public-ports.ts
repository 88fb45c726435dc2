/**
 * What a supernode opens to the outside: TCP and UDP of one number, which its certificate
 * says. Both carry TURN as well, unless calls are relayed elsewhere.
 */
import { KithError } from "../../protocol/errors.ts";
import { type DatagramPort, openUdpPort } from "../membership/datagram-port.ts";
import { type CallRelay, type CallRelayParts, openCallRelay } from "../turn/call-relay.ts";
import type { RelayingChoice } from "../turn/call-relay-options.ts";
import { Listener } from "./listener.ts";

/** A free TCP port may be taken as a UDP port: then another one is tried. */
const TRIES = 20;

export interface PublicPorts {
  readonly listener: Listener;
  readonly relay: CallRelay;
  readonly gossip: DatagramPort;
  close(): Promise<void>;
}

export interface PublicPortsParts extends Omit<CallRelayParts, "tcpPort"> {
  readonly relaying: RelayingChoice;
  readonly firstByteTimeoutMs: number;
}

/**
 * @param port 0 takes the port of the last time if any will do: clients that remember this supernode then find it again
 * @param lastPort 0 if there is none
 * @throws KithError `port-in-use`, and as openCallRelay
 */
export async function openPublicPorts(port: number, lastPort: number, parts: PublicPortsParts): Promise<PublicPorts> {
  if (port !== 0) return open(port, parts);
  const ports = [...(lastPort === 0 ? [] : [lastPort]), ...Array<number>(TRIES).fill(0)];
  for (const candidate of ports.slice(0, -1)) {
    try {
      return await open(candidate, parts);
    } catch (error) {
      if (!(error instanceof KithError) || error.code !== "port-in-use") throw error;
    }
  }
  return open(0, parts);
}

async function open(port: number, parts: PublicPortsParts): Promise<PublicPorts> {
  const { listen, relaying, firstByteTimeoutMs } = parts;
  const opened: { close(): void | Promise<void> }[] = [];
  const close = async () => {
    for (const each of opened.splice(0).reverse()) await each.close();
  };
  try {
    const listener = await Listener.open({ listen, port, firstByteTimeoutMs });
    opened.push(listener);
    const relay = await openCallRelay(relaying, { ...parts, tcpPort: listener.port });
    opened.push(relay);
    const gossip = relay.gossipPort ?? (await openUdpPort(listen, listener.port));
    opened.push(gossip);
    return { listener, relay, gossip, close };
  } catch (error) {
    await close();
    throw error;
  }
}
