/** A supernode from start to end: its identity, its certificate, its place in the network, then its services. */
import { randomBytes } from "node:crypto";
import { type Logger, pino } from "pino";
import type { NetworkId, SupernodeId } from "../protocol/identifiers.ts";
import type { TrustAnchor } from "../protocol/trust.ts";
import { KITH_VERSION } from "../protocol/version.ts";
import { DataFolder } from "./data-folder.ts";
import { type EnrolmentParts, enrol, isDueForRenewal, keptCertificate, renew } from "./enrolment/enrolment.ts";
import { reportToList } from "./enrolment/list-report.ts";
import { LoginServerClient } from "./enrolment/login-server-client.ts";
import { NetworkNotices } from "./enrolment/network-notices.ts";
import { pinNetwork } from "./enrolment/network-pin.ts";
import { openSupernodeKeys } from "./enrolment/supernode-keys.ts";
import { DialPolicy } from "./links/dial-policy.ts";
import type { GossipTimes } from "./membership/gossip-times.ts";
import type { Stage } from "./membership/membership-source.ts";
import { joinOthers } from "./membership/own-membership.ts";
import { tlsProtocol } from "./ports/first-byte.ts";
import { admitted, outsideTheDoor } from "./ports/guarded.ts";
import { openPublicPorts } from "./ports/public-ports.ts";
import { DurableRecords } from "./records/durable-records.ts";
import { RELAY_LIMITS, type RelayLimits } from "./relay-limits.ts";
import { RELAY_TIMES, type RelayTimes } from "./relay-times.ts";
import type { SearchLimits, SearchTimes } from "./search/search-limits.ts";
import { SearchService } from "./search/search-service.ts";
import { Services } from "./services.ts";
import { RequestTally } from "./sockets/request-tally.ts";
import type { FigureSection, SupernodePhase } from "./status/figures.ts";
import { gossipFigures } from "./status/gossip-figures.ts";
import { holderFigures } from "./status/holder-figures.ts";
import { type StatusAddress, startStatusServer } from "./status/status-server.ts";
import { supernodeFigures } from "./status/supernode-figures.ts";
import { DEFAULT_CALL_RELAY, type RelayingChoice } from "./turn/call-relay-options.ts";
import type { TurnStats } from "./turn/turn-server.ts";

/** For those who are attached to a supernode that the others cannot reach any more. */
const OUTSIDE_FAREWELL_MS = 30_000;

export interface SupernodeOptions {
  readonly dataFolder: string;
  /** `https://host[:port]`; plain http on this machine only. */
  readonly loginServer: string;
  /** What to enrol with, or how to come by it each time. */
  readonly enrolmentToken: string | (() => Promise<string>);
  /** Its operator's word for the network's newest key: the fingerprint that its host names. */
  readonly networkKey?: NetworkId;
  /** The address of the interface to listen on. */
  readonly listen: string;
  /** How others reach this machine: a host name or an IP address. */
  readonly host: string;
  /** 0 takes the port of the last time, or any free one. */
  readonly port: number;
  /** Whether and how calls are relayed here; by default they are, with a small public machine's quotas. */
  readonly relaying?: RelayingChoice;
  /** Where its operator reads health, metrics and the status page; null or left out: nowhere. */
  readonly status?: StatusAddress | null;
  readonly log?: Logger;
  readonly now?: () => number;
  readonly random?: () => number;
  readonly times?: Partial<RelayTimes>;
  readonly limits?: Partial<RelayLimits>;
  readonly gossipTimes?: Partial<GossipTimes>;
  /** Bounds and times of search. */
  readonly search?: { readonly limits?: Partial<SearchLimits>; readonly times?: Partial<SearchTimes> };
}

export interface Supernode {
  readonly supernodeId: SupernodeId;
  readonly host: string;
  readonly port: number;
  /** Of the operator's own page; null where there is none. */
  readonly statusUrl: string | null;
  /** Attached nodes just now. */
  attachedNodes(): number;
  /** The supernodes that it counts as members, itself included. */
  members(): SupernodeId[];
  /** Whether it takes part, or why not. */
  stage(): Stage;
  /** Told when that has changed. Returns how to stop being told. */
  onStage(listener: (stage: Stage) => void): () => void;
  /** What the TURN server counts; null where none runs. */
  relayed(): TurnStats | null;
  /** Tells the attached nodes to go elsewhere, waits until they have, at most this long, then closes. */
  drain(withinMs: number): Promise<void>;
  /** Resolves once the host of the network has removed it: then it has said goodbye and is closed. */
  readonly removed: Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts a supernode. When this returns it is certified and, unless `stage` says otherwise, a
 * member that takes nodes; the login server is not needed again until the certificate is due for renewal.
 * @throws KithError `data-folder-unwritable`, `data-in-use`, `data-corrupt`, `data-newer`, `port-in-use`,
 *   `option-invalid`, `network-changed`, `network-key-…`, `enrolment-refused`, `supernode-removed`, `login-server-…`,
 *   `protocol-version`
 */
export async function startSupernode(options: SupernodeOptions): Promise<Supernode> {
  const opened: Opened = [];
  try {
    return await start(options, opened);
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
}

/** How to close what has been opened, in the order in which it was. */
type Opened = (() => void | Promise<void>)[];

async function closeAll(opened: Opened): Promise<void> {
  for (const close of opened.reverse()) await close();
}

async function start(options: SupernodeOptions, opened: Opened): Promise<Supernode> {
  const {
    host,
    enrolmentToken,
    relaying = { kind: "own", options: DEFAULT_CALL_RELAY },
    log = pino({ level: "silent" }),
    now = Date.now,
    random = Math.random,
  } = options;
  const times: RelayTimes = { ...RELAY_TIMES, ...options.times };
  const limits: RelayLimits = { ...RELAY_LIMITS, ...options.limits };
  const loginServer = new LoginServerClient(options.loginServer);
  const folder = new DataFolder(options.dataFolder);
  opened.push(() => folder.close());
  const keys = await openSupernodeKeys(folder);
  const confirmed = options.networkKey ?? null;
  const trust = await pinNetwork({ folder, loginServer, confirmed, now, log });
  const { anchor } = trust;
  const token = typeof enrolmentToken === "string" ? async () => enrolmentToken : enrolmentToken;
  const enrolment: EnrolmentParts = { folder, loginServer, token, keys, anchor };

  const { listen } = options;
  const lastPort = keptCertificate(enrolment)?.value.port ?? 0;
  const firstByteTimeoutMs = times.attachTimeoutMs;
  const ports = await openPublicPorts(options.port, lastPort, {
    ...{ folder, listen, host, relaying, firstByteTimeoutMs, now, log },
  });
  opened.push(() => ports.close());
  const { listener, relay } = ports;
  let self = await enrol(enrolment, host, listener.port);
  const dial = new DialPolicy(host, relaying.kind === "own" ? relaying.options.allowedPeers : []);
  const records = await openRecords(folder, anchor, log);
  opened.push(() => records.close());
  const tally = new RequestTally();
  const notices = new NetworkNotices({ anchor, folder, log });
  // Whoever was removed is told so by the login server, and does not start again.
  if (notices.isRevoked(self.value.serial)) self = await renew(enrolment, host, listener.port);
  const isRemoved = new Promise<void>((resolve) => {
    notices.onChange(() => notices.isRevoked(self.value.serial) && resolve());
  });
  const membership = await joinOthers({
    ...{ folder, loginServer, anchor, keys, self, dial, listen, port: ports.gossip, random, times, log },
    isRevoked: (serial, issuedAt) => notices.isOver({ serial, issuedAt }),
    gossipTimes: options.gossipTimes ?? {},
  });
  opened.push(() => membership.close());
  const search = new SearchService({
    self: self.value.supernodeId,
    anchor,
    membership,
    file: folder.pathOf("profiles"),
    cursorKey: randomBytes(32),
    ...options.search,
    random,
    log,
  });
  opened.push(() => search.close());
  const services = new Services({
    trust,
    keys,
    self: () => self,
    dial,
    membership,
    records,
    relay,
    search,
    notices,
    fetchNotices: () => loginServer.notices(),
    tally,
    times,
    limits,
    random,
    log,
  });
  opened.push(() => services.close());
  const { door } = services;
  const relayProtocols = relay.protocols.map((protocol) => outsideTheDoor(protocol, door));
  const inTls = [services.socketServer.protocol, ...relayProtocols];
  const tls = tlsProtocol(keys, inTls, times.attachTimeoutMs, listener.countRefused);
  listener.serve([admitted(tls, door, listener.countRefused), ...relayProtocols], door);
  await membership.decided(times.decisionMs);

  const renewal = setInterval(() => {
    if (!isDueForRenewal(self, anchor)) return;
    renew(enrolment, host, listener.port).then(
      (renewed) => {
        self = renewed;
        membership.renewSelf(renewed);
        log.info("the certificate was renewed");
      },
      (error: unknown) => log.warn({ err: error }, "the certificate could not be renewed"),
    );
  }, times.renewalCheckMs);
  opened.push(() => clearInterval(renewal));
  const { networkId } = anchor;
  const signSecret = keys.signing.secretKey;
  const stopReports = reportToList({
    networkId,
    supernodeId: self.value.supernodeId,
    signSecret,
    loginServer,
    room: () => services.attachments.room,
    now,
    times,
    log,
  });
  opened.push(stopReports);
  const { supernodeId } = self.value;

  const figures: FigureSection[] = [
    ...supernodeFigures({
      attachedNodes: () => services.attachments.size,
      maxAttachments: limits.maxAttachments,
      members: () => membership.members().size,
      links: () => services.socketServer.census().link,
      records: () => records.size,
      traffic: () => listener.traffic(),
      connectionsRefused: listener.refused,
      framesRefused: services.socketServer.framesRefused,
      tally,
    }),
    gossipFigures(membership),
    holderFigures(services.standings, services.replicator.metrics),
    search.section,
    ...relay.figures,
  ];
  let phase: SupernodePhase = "ready";
  let tookPart = membership.stage.kind === "member";
  membership.onStage(({ kind }) => {
    // Out of the directory: who stays attached here is found by nobody.
    if (tookPart && kind === "unreachable") void services.sendAway(OUTSIDE_FAREWELL_MS);
    tookPart = kind === "member";
  });
  const phaseNow = () => (phase === "ready" && membership.stage.kind !== "member" ? "outside" : phase);
  const startedAt = now();
  const state = () => ({ supernodeId, host, port: listener.port, version: KITH_VERSION, startedAt, phase: phaseNow() });
  const status = options.status
    ? await startStatusServer(options.status, { state, sections: figures, now, log })
    : null;
  opened.push(() => status?.close());
  log.info({ supernodeId, host, port: listener.port, version: KITH_VERSION }, "the supernode is up");

  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= closeAll(opened).then(() => log.info("the supernode is closed"));
    return closed;
  };
  const drain = async (withinMs: number) => {
    phase = "draining";
    await services.drain(withinMs);
    await close();
  };
  const removed = isRemoved.then(() => {
    log.error({ supernodeId }, "the host of the network has removed this supernode: it ends");
    return drain(OUTSIDE_FAREWELL_MS);
  });
  return {
    supernodeId,
    removed,
    host,
    port: listener.port,
    statusUrl: status?.url ?? null,
    attachedNodes: () => services.attachments.size,
    relayed: () => relay.stats(),
    members: () => [...membership.members().keys()],
    stage: () => membership.stage,
    onStage: (listener) => membership.onStage(listener),
    drain,
    close,
  };
}

async function openRecords(folder: DataFolder, { networkId, now }: TrustAnchor, log: Logger): Promise<DurableRecords> {
  const records = await DurableRecords.open({
    folder: folder.pathOf("records"),
    networkId,
    indexSecret: [randomBytes(4).readUInt32LE(), randomBytes(4).readUInt32LE()],
    now,
    onFault: (error) => log.error({ err: error }, "the records could not be written: they are in memory alone"),
  });
  for (const damage of records.damages) log.warn({ damage }, "records were damaged: what is lost, others have");
  return records;
}
