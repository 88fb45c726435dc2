/** How long a suspicion waits for its refutation (SWIM, section 4.2; Lifeguard, section 3.2). */
import { GOSSIP_LIMITS, type GossipTimes } from "./gossip-times.ts";

/**
 * @param members how many there are, this one included
 * @param confirmations others who suspect the same member, beside the first
 * @returns ms from the first suspicion to death
 */
export function suspicionTimeoutMs(times: GossipTimes, members: number, confirmations: number): number {
  const shortest = times.suspicionMs * Math.max(1, Math.log10(members) / 2);
  // Nobody else can confirm what concerns one of three.
  const expected = Math.min(GOSSIP_LIMITS.confirmations, Math.max(0, members - 3));
  if (confirmations >= expected) return shortest;
  const longest = shortest * GOSSIP_LIMITS.suspicionMaxFactor;
  return longest - (longest - shortest) * (Math.log(confirmations + 1) / Math.log(expected + 1));
}

/**
 * How often each member passes one piece of news on. In a small network, where that costs little, not less
 * than in one of hundreds: at 8 times and 5 % loss, one refutation in forty passes somebody by.
 */
export function retransmissions(members: number): number {
  return GOSSIP_LIMITS.retransmitFactor * Math.max(3, Math.ceil(Math.log10(members + 1)));
}
