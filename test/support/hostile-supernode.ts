/** Supernodes as an attacker would write them: certified by the network, and free to say anything. */
import { randomBytes } from "node:crypto";
import { pino } from "pino";
import { io, type Socket } from "socket.io-client";
import { signAttach, signAttachAnswer } from "../../protocol/attach-proof.ts";
import { toHex } from "../../protocol/bytes.ts";
import type { SupernodeCertificate } from "../../protocol/certificate.ts";
import { KithError } from "../../protocol/errors.ts";
import { INBOX_BYTES, InboxId, SupernodeId } from "../../protocol/identifiers.ts";
import { PROTOCOL_VERSION } from "../../protocol/limits.ts";
import { trustAnchor } from "../../protocol/network-trust.ts";
import { signingKeyPair } from "../../protocol/node-crypto.ts";
import { supernodeSocketOptions, supernodeUrl } from "../../protocol/pinned-tls.ts";
import { type Caller, caller } from "../../protocol/rpc.ts";
import { Challenge, LINK_METHODS } from "../../protocol/supernode-api.ts";
import { trustUserCertificate } from "../../protocol/trust.ts";
import { DataFolder } from "../../relay/data-folder.ts";
import { enrol } from "../../relay/enrolment/enrolment.ts";
import { LoginServerClient } from "../../relay/enrolment/login-server-client.ts";
import { openSupernodeKeys } from "../../relay/enrolment/supernode-keys.ts";
import { DialPolicy } from "../../relay/links/dial-policy.ts";
import type { LinkHandlers } from "../../relay/links/link-peer.ts";
import {
  LINK_REQUESTS,
  type LinkPeer,
  type LinkPush,
  NODE_REQUESTS,
  OPENING_METHODS,
} from "../../relay/links/link-peer.ts";
import { joinOthers } from "../../relay/membership/own-membership.ts";
import { Attachment } from "../../relay/nodes/attachments.ts";
import { Door } from "../../relay/ports/door.ts";
import { tlsProtocol } from "../../relay/ports/first-byte.ts";
import { openPublicPorts } from "../../relay/ports/public-ports.ts";
import { RELAY_LIMITS } from "../../relay/relay-limits.ts";
import { RELAY_TIMES } from "../../relay/relay-times.ts";
import { endpoint, type SessionHandlers } from "../../relay/sockets/endpoint.ts";
import { RequestTally } from "../../relay/sockets/request-tally.ts";
import { SocketServer } from "../../relay/sockets/socket-server.ts";
import { QUICK_GOSSIP, type TestNetwork } from "./test-network.ts";

/** A link that was joined with a good certificate; nobody answers at the address in it. */
export interface RawLink {
  readonly supernodeId: SupernodeId;
  readonly socket: Socket;
  readonly call: Caller<typeof LINK_METHODS>;
}

/** @param spoil changes the certificate before it is signed, or what is sent to join */
export async function joinRaw(
  network: TestNetwork,
  target: SupernodeCertificate,
  spoil: { certificate?: Partial<SupernodeCertificate>; sentCertificate?: Uint8Array; secretKey?: Uint8Array } = {},
): Promise<RawLink> {
  const keys = signingKeyPair();
  const certificate: SupernodeCertificate = {
    networkId: network.authority.networkId,
    supernodeId: SupernodeId.parse(toHex(randomBytes(20))),
    signKey: keys.publicKey,
    tlsFingerprint: randomBytes(32),
    host: "127.0.0.1",
    port: 9,
    serial: 1,
    issuedAt: Date.now(),
    expiresAt: Date.now() + 3_600_000,
    ...spoil.certificate,
  };
  const socket = io(supernodeUrl(target), supernodeSocketOptions(target));
  try {
    const challenge = await new Promise<Challenge>((resolve, reject) => {
      socket.once("challenge", (received: unknown) => resolve(Challenge.parse(received)));
      socket.once("connect_error", reject);
    });
    const claim = {
      challengeNonce: challenge.nonce,
      nonce: randomBytes(32),
      supernodeId: target.supernodeId,
      tlsFingerprint: target.tlsFingerprint,
    };
    const call = caller(socket, LINK_METHODS);
    await call("join", {
      protocolVersion: PROTOCOL_VERSION,
      certificate: spoil.sentCertificate ?? network.authority.supernodeCertificate(certificate),
      nonce: claim.nonce,
      proof: signAttach(claim, spoil.secretKey ?? keys.secretKey),
    });
    return { supernodeId: certificate.supernodeId, socket, call };
  } catch (error) {
    socket.disconnect();
    throw error;
  }
}

export interface HostileSupernode {
  readonly certificate: SupernodeCertificate;
  /** Supernodes that have joined it. */
  readonly peers: LinkPeer[];
  /** Those that have attached to it. */
  readonly nodes: Attachment[];
  pushToAll(push: LinkPush): void;
  close(): Promise<void>;
}

type NodeHandlers = SessionHandlers<typeof NODE_REQUESTS, Attachment>;

/** What a home answers that does nothing of what it says. */
const PRETENCE: NodeHandlers = {
  register: () => ({}),
  setStatus: () => ({}),
  watch: () => ({ presences: [] }),
  lookUp: (_node, { userId }) => ({ userId, devices: [] }),
  send: () => ({ delivered: true }),
  relayCredentials: () => ({ urls: [], username: "", credential: "", expiresAt: Date.now() + 3_600_000 }),
  ping: () => ({}),
  publishProfile: () => ({}),
  ownProfile: () => ({ profile: null }),
  search: () => ({ profiles: [], cursor: null, isCut: false }),
  detach: () => ({}),
};

/**
 * A listed member of the network that answers as it is told; what is not said, with nothing.
 * @param home takes nodes too, and answers them so; null: nobody attaches to it
 */
export async function startHostileSupernode(
  network: TestNetwork,
  lies: Partial<LinkHandlers>,
  home: Partial<NodeHandlers> | null = null,
): Promise<HostileSupernode> {
  const folder = new DataFolder(network.folder());
  const keys = await openSupernodeKeys(folder);
  const anchor = trustAnchor(network.authority.networkKey, Date.now);
  const listen = "127.0.0.1";
  const log = pino({ level: "silent" });
  const ports = await openPublicPorts(0, 0, {
    ...{ folder, listen, host: listen, relaying: { kind: "off" }, firstByteTimeoutMs: 5_000, now: Date.now, log },
  });
  const { listener } = ports;
  const loginServer = new LoginServerClient(network.loginServer.url);
  const token = async () => network.loginServer.enrolmentToken;
  const self = await enrol({ folder, loginServer, token, keys, anchor }, "127.0.0.1", listener.port);
  const peers: LinkPeer[] = [];
  const nodes: Attachment[] = [];
  const onFault = () => undefined;
  const link: LinkHandlers = {
    store: () => ({}),
    markGone: () => ({}),
    find: () => ({ records: [] }),
    watchLeases: () => ({}),
    watchInboxes: () => ({}),
    standing: () => ({ isMember: true }),
    replicate: () => ({}),
    tellNotices: () => ({}),
    tellNetworkKeys: () => ({}),
    room: () => ({ nodes: 0 }),
    route: () => ({ delivered: false }),
    storeProfile: () => ({}),
    offerProfiles: () => ({ wanted: [] }),
    searchProfiles: () => ({ profiles: [], more: false, isCut: false }),
    knownProfiles: () => ({ profiles: [] }),
    ...lies,
  };
  const server = new SocketServer({
    self: () => self,
    successions: () => new Uint8Array(),
    endpoints: {
      opening: endpoint(
        OPENING_METHODS,
        {
          attach(connection, { nonce, certificate }) {
            if (!home) throw new KithError("supernode-busy", { seconds: 3_600 });
            const claim = connection.takeClaim(nonce, self.value.supernodeId, keys.tlsFingerprint);
            const inbox = InboxId.parse(toHex(randomBytes(INBOX_BYTES)));
            const node = new Attachment(inbox, trustUserCertificate(anchor, certificate), connection.socket);
            nodes.push(node);
            connection.becomeNode(node);
            return { proof: signAttachAnswer(claim, keys.signing.secretKey), inbox };
          },
          join(connection, { nonce }) {
            const claim = connection.takeClaim(nonce, self.value.supernodeId, keys.tlsFingerprint);
            // It does not care who they are.
            peers.push(connection.becomeLink({ ...self.value, supernodeId: SupernodeId.parse("0".repeat(40)) }));
            return { proof: signAttachAnswer(claim, keys.signing.secretKey) };
          },
        },
        onFault,
      ),
      node: endpoint(NODE_REQUESTS, { ...PRETENCE, ...home }, onFault),
      link: endpoint(LINK_REQUESTS, link, onFault),
    },
    limits: RELAY_LIMITS,
    times: RELAY_TIMES,
    now: Date.now,
    tally: new RequestTally(),
    closed: () => undefined,
  });
  const door = new Door({
    limits: RELAY_LIMITS,
    proofMs: 20_000,
    clock: () => performance.now(),
    load: () => 0,
    isFull: () => false,
  });
  listener.serve([tlsProtocol(keys, [server.protocol], RELAY_TIMES.attachTimeoutMs, listener.countRefused)], door);
  const dial = new DialPolicy(self.value.host, []);
  const membership = await joinOthers({
    ...{ folder, loginServer, anchor, keys, self, dial, listen, port: ports.gossip, random: Math.random, log },
    times: RELAY_TIMES,
    isRevoked: () => false,
    gossipTimes: QUICK_GOSSIP,
  });
  return {
    certificate: self.value,
    peers,
    nodes,
    pushToAll(push) {
      for (const peer of peers) peer.push(push);
    },
    async close() {
      membership.close();
      await server.close();
      await ports.close();
      folder.close();
    },
  };
}
