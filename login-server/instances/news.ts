/**
 * What instances of one login server tell each other. News are hints: whoever hears one
 * looks into the database, so a lost one costs time, and a forged one a reconnection or a wait.
 */
import { z } from "zod";
import { DeviceId, UserId } from "../../protocol/identifiers.ts";

const MAX_KEYS = 10_000;

export const News = z.discriminatedUnion("kind", [
  /** Something about this account has changed: its buddy list, or which devices are signed in. */
  z.strictObject({ kind: z.literal("account"), userId: UserId }),
  /** The device has opened a session; an older one of its is dead or about to be. */
  z.strictObject({ kind: z.literal("session"), userId: UserId, deviceId: DeviceId }),
  z.strictObject({ kind: z.literal("supernodes") }),
  z.strictObject({ kind: z.literal("network-keys") }),
  /** What was taken from the buckets of one rate limit: key and how often. */
  z.strictObject({
    kind: z.literal("taken"),
    limit: z.string().max(32),
    counts: z.array(z.tuple([z.string().max(64), z.number().int().positive()])).max(MAX_KEYS),
  }),
]);
export type News = z.infer<typeof News>;

/** The other instances, or nobody. */
export interface Instances {
  /** Never fails and waits for nothing: what gets lost is caught up with. */
  tell(news: News): void;
}

export const NO_OTHERS: Instances = { tell: () => undefined };
