/** Where a supernode of the directory's benchmark stands: its ports, and the certificate that says so. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { toHex } from "../protocol/bytes.ts";
import { encodeSupernodeCertificate } from "../protocol/certificate.ts";
import { KithError } from "../protocol/errors.ts";
import { SUPERNODE_ID_BYTES, SupernodeId } from "../protocol/identifiers.ts";
import { trustAnchor } from "../protocol/network-trust.ts";
import { nodeSignatures, type SigningKeyPair, signingKeyPair } from "../protocol/node-crypto.ts";
import { signBody } from "../protocol/signed.ts";
import { type TrustAnchor, trustSupernodeCertificate } from "../protocol/trust.ts";
import { type DatagramPort, openUdpPort } from "../relay/membership/datagram-port.ts";
import type { Member } from "../relay/membership/membership-source.ts";

export const LOOPBACK = "127.0.0.1";
const DAY_MS = 24 * 3_600_000;

export interface Standpoint {
  readonly anchor: TrustAnchor;
  readonly self: Member;
  readonly secretKey: Uint8Array;
  /** Gossip; UDP on the same number as `server`. */
  readonly port: DatagramPort;
  readonly otherPort: DatagramPort;
  readonly server: Server;
}

/** @param network the key that certifies */
export async function openStandpoint(network: SigningKeyPair): Promise<Standpoint> {
  const { server, port } = await openPorts();
  const anchor = trustAnchor(network.publicKey, Date.now);
  const { publicKey, secretKey } = signingKeyPair();
  const certificate = encodeSupernodeCertificate({
    networkId: anchor.networkId,
    supernodeId: SupernodeId.parse(toHex(randomBytes(SUPERNODE_ID_BYTES))),
    signKey: publicKey,
    tlsFingerprint: randomBytes(32),
    host: LOOPBACK,
    port: port.port,
    serial: 1,
    issuedAt: anchor.now(),
    expiresAt: anchor.now() + DAY_MS,
  });
  const signed = signBody(nodeSignatures, "supernodeCertificate", certificate, network.secretKey);
  const self = trustSupernodeCertificate(anchor, signed);
  return { anchor, self, secretKey, server, port, otherPort: await openUdpPort(LOOPBACK, 0) };
}

/** In earnest it is reached by TLS, and shows its certificate. */
export function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, LOOPBACK);
  return new Promise((resolve) => {
    const settle = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}

/** One number for TCP and UDP. */
async function openPorts(): Promise<{ server: Server; port: DatagramPort }> {
  for (;;) {
    const server = createServer().listen(0, LOOPBACK);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    try {
      return { server, port: await openUdpPort(LOOPBACK, port) };
    } catch (error) {
      server.close();
      if (!(error instanceof KithError && error.code === "port-in-use")) throw error;
    }
  }
}
