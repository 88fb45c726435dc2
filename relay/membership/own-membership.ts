/** Joins the other supernodes: from the members of the last time, or from the login server's list. */
import type { Logger } from "pino";
import { KithError } from "../../protocol/errors.ts";
import { caller } from "../../protocol/rpc.ts";
import { LINK_METHODS } from "../../protocol/supernode-api.ts";
import { type TrustAnchor, trustSupernodeList } from "../../protocol/trust.ts";
import type { DataFolder } from "../data-folder.ts";
import type { LoginServerClient } from "../enrolment/login-server-client.ts";
import type { SupernodeKeys } from "../enrolment/supernode-keys.ts";
import type { DialPolicy } from "../links/dial-policy.ts";
import type { RelayTimes } from "../relay-times.ts";
import { type LinkIdentity, openJoinedSocket } from "../sockets/joined-socket.ts";
import type { IsRevoked } from "./certificate-directory.ts";
import { type DatagramPort, openUdpPort } from "./datagram-port.ts";
import { GossipMembership } from "./gossip-membership.ts";
import type { GossipTimes } from "./gossip-times.ts";
import { decodeMembers } from "./member-file.ts";
import type { Member } from "./membership-source.ts";
import { isReachableByTcp } from "./tcp-reach.ts";

const FILE = "members";
const ASKED_AT_ONCE = 3;
const MAX_TOLD = 100;

export interface OwnMembershipParts {
  readonly folder: DataFolder;
  readonly loginServer: Pick<LoginServerClient, "supernodeList">;
  readonly anchor: TrustAnchor;
  readonly isRevoked: IsRevoked;
  readonly keys: SupernodeKeys;
  readonly self: Member;
  readonly dial: DialPolicy;
  /** The address to listen on. */
  readonly listen: string;
  readonly port: DatagramPort;
  readonly random: () => number;
  readonly times: Pick<RelayTimes, "listPollMs" | "tcpReachMs" | "standingMs">;
  readonly gossipTimes: Partial<GossipTimes>;
  readonly log: Logger;
}

/**
 * Begins to join: whether this supernode is let in turns out later, and only if its TCP port answers by then.
 * The login server is asked once, in the background where others are remembered, and as long as nobody is met.
 * @throws KithError `option-invalid`
 */
export async function joinOthers(parts: OwnMembershipParts): Promise<GossipMembership> {
  const { folder, anchor, keys, self, dial, listen, port, random, times, log } = parts;
  const remembered = folder.read(FILE);
  const remembersOthers =
    remembered !== null &&
    decodeMembers(remembered, anchor.now()).some(
      ({ certificate: { value } }) => value.supernodeId !== self.value.supernodeId,
    );
  const membership = new GossipMembership({
    self,
    secretKey: keys.signing.secretKey,
    anchor,
    isRevoked: parts.isRevoked,
    seeds: remembersOthers ? [] : await listed(parts),
    port,
    otherPort: await openUdpPort(listen, 0),
    probeTcp: (certificate) => isReachableByTcp(certificate, dial.open, times.tcpReachMs),
    mayDial: onlyWhere(dial, log),
    memory: { read: () => remembered, write: (bytes) => folder.write(FILE, bytes) },
    random,
    log,
    times: parts.gossipTimes,
  });
  const meetListed = async () => {
    for (const supernode of await listed(parts)) membership.meet(supernode);
  };
  if (remembersOthers) void meetListed();
  const polling = setInterval(() => {
    if (membership.members().size === 1) void meetListed();
  }, times.listPollMs);
  /** Renewed meanwhile, perhaps. */
  const current = () => membership.members().get(self.value.supernodeId) ?? self;
  const identity = { anchor, signSecret: keys.signing.secretKey, self: current, open: dial.open };
  const asking = setInterval(() => {
    const { kind } = membership.stage;
    if (kind === "member") return;
    for (const other of someOf(membership.certified(), ASKED_AT_ONCE, random)) {
      void isMember(other, identity, times.tcpReachMs).then((says) => says && membership.othersTakePart());
    }
  }, times.standingMs);
  membership.onStage(({ kind }) => {
    if (kind !== "left") return;
    clearInterval(polling);
    clearInterval(asking);
  });
  return membership;
}

/** What the dial policy says; its operator is told once of each address that is passed over. */
function onlyWhere(dial: DialPolicy, log: Logger): (address: string) => boolean {
  const told = new Set<string>();
  return (address) => {
    if (dial.allows(address)) return true;
    if (told.size < MAX_TOLD && !told.has(address)) {
      told.add(address);
      log.warn({ address }, "a supernode's certificate names an address inside a network: it is not dialled");
    }
    return false;
  };
}

/** By TCP, while nobody answers by UDP. Never rejects. */
async function isMember(other: Member, identity: LinkIdentity, withinMs: number): Promise<boolean> {
  try {
    const socket = await openJoinedSocket(other, identity, withinMs);
    try {
      return (await caller(socket, LINK_METHODS, withinMs)("standing", {})).isMember;
    } finally {
      socket.disconnect();
    }
  } catch {
    return false;
  }
}

function someOf(members: readonly Member[], count: number, random: () => number): Member[] {
  const rest = [...members];
  return Array.from({ length: Math.min(count, rest.length) }, () =>
    rest.splice(Math.floor(random() * rest.length), 1),
  ).flat();
}

/** Never fails: without the login server those who know this supernode will find it. */
async function listed({ loginServer, anchor, log }: OwnMembershipParts): Promise<readonly Member[]> {
  try {
    return trustSupernodeList(anchor, await loginServer.supernodeList()).value.supernodes;
  } catch (error) {
    if (!(error instanceof KithError)) throw error;
    log.warn({ err: error }, "there is no list of supernodes to be had from the login server");
    return [];
  }
}
