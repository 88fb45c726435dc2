/** How the gossip paces itself, in milliseconds, and what it lets others cost it. */

export const GOSSIP_TIMES = {
  /** Every member probes one other in each period, in a shuffled round. */
  probeMs: 1_000,
  /** A direct answer; what is left of the period is for the indirect ones. */
  probeTimeoutMs: 500,
  /** Between two rounds of passing news on, while there is any. */
  gossipMs: 200,
  /** The shortest suspicion, in a small network; it grows with the logarithm of the size. */
  suspicionMs: 3_000,
  /** Two members compare what they know. */
  syncMs: 30_000,
  /** The same, as long as the last comparison has brought something. */
  catchUpMs: 300,
  /** Somebody who is held for dead, or was never met, is greeted again: this is how a healed network finds itself. */
  reconnectMs: 5_000,
  /** Between two hellos to seeds while joining. */
  helloMs: 2_000,
  /** Without a member among those who answer for this long, the lowest ID begins the network. */
  foundMs: 5_000,
  /** One attempt to reach a newcomer from outside: its UDP, then its TCP. */
  reachMs: 4_000,
  /** Every member has another one try its TCP port this often: a firewall may close behind it. */
  reachCheckMs: 10 * 60_000,
  /** A newcomer is tried again after this. */
  vouchRetryMs: 15_000,
  /** The dead and those who left are remembered, so that they can come back without being vouched for anew. */
  deadMemoryMs: 24 * 3_600_000,
  /** Forgetting, expired certificates. */
  sweepMs: 60_000,
  /** A timer this late means that this process had no turn: it puts its deadlines off by as much. */
  lateMs: 50,
  /** This late, it has been asleep (a stopped process, a closed lid), and doubts itself. */
  stallMs: 1_000,
  /** What was asked for is not asked for again. */
  wantRetryMs: 2_000,
} as const;

export type GossipTimes = { readonly [K in keyof typeof GOSSIP_TIMES]: number };

export const GOSSIP_LIMITS = {
  /** Members who are asked to probe when there is no direct answer (SWIM, section 3.1). */
  indirectProbes: 3,
  /** Members told in one round of gossip. */
  fanout: 3,
  /** Packets for each of them, when there is that much news: many deaths at once must not wait in line. */
  packetsPerTarget: 6,
  /** News is sent this many times the decimal logarithm of the network's size, by each member. */
  retransmitFactor: 4,
  /** Suspicion shortens from `suspicionMaxFactor` times the shortest as this many others confirm it (Lifeguard, section 3.2). */
  confirmations: 2,
  /** Members who probe a suspect at once when they hear of it, so that it is soon confirmed or refuted. */
  secondOpinions: 6,
  suspicionMaxFactor: 4,
  /** A member that notices its own slowness waits up to this many times longer (Lifeguard, section 3.1). */
  maxHealthScore: 8,
  /** Whoever refutes suspicions again and again is waited for up to this many times longer, besides; one less after each of these times. */
  maxPatience: 7,
  patienceMs: 60_000,
  /** Packets of one member: a burst of this many, refilled at this rate. */
  packetBurst: 300,
  packetsPerSecond: 100,
  /** In packets: what a forgery costs who brings it. */
  forgeryCost: 100,
  /** Announcements of one member; more would make everybody else pass them on. */
  announcementBurst: 5,
  announcementsPerSecond: 0.5,
  /** Suspicions by one member. Each that is refuted costs several. */
  suspicionBurst: 60,
  suspicionsPerSecond: 1,
  refutedSuspicionCost: 20,
  /** Newcomers under examination at once, and hellos a second in all: both cost signature checks. */
  maxNewcomers: 64,
  helloBurst: 200,
  hellosPerSecond: 100,
  /** Unknown senders that we ask others about: anybody can invent a sender. */
  inquiryBurst: 40,
  inquiriesPerSecond: 20,
  /** Signature checks because of news: two fifths of a core, in steps that let voice pass in between. What is more waits. */
  checkBurst: 40,
  checksPerSecond: 4_000,
  maxWaitingNews: 20_000,
  /**
   * Members, all different and of our own choice, who must have failed to connect to us in a row, with none in between who
   * could, before we believe that nobody can. With fewer others than the least, one or two liars would be too many.
   */
  reachWitnesses: 5,
  leastReachWitnesses: 3,
  /** Connections that we try for others at once. */
  maxReaching: 32,
  /** Probes passed on for others at once. */
  maxRelayedProbes: 256,
  /** Packets that one request may be answered with. */
  syncPackets: 20,
  /** So many open suspicions at once, or this share of all members: something big has happened, and all probe this much faster. */
  alarmSuspicions: 3,
  alarmShare: 0.01,
  alarmFactor: 4,
  /** Of those held for dead, greeted in one probe period when there is a sign that they live. */
  reconnectsPerPeriod: 5,
} as const;
