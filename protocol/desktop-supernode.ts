/**
 * What the desktop app and the supernode that it runs in a process of its own say to each
 * other. The supernode gets what is below and nothing else: no key, list or message of the
 * person whose computer it is.
 */
import { z } from "zod";
import { NetworkId } from "./identifiers.ts";
import { Notice } from "./ipc-schema.ts";

/** What the person allows it to use. */
export const SupernodeCaps = z.strictObject({
  /** Of relayed sound, both directions together. */
  bytesPerSecond: z.number().positive(),
  bytesPerMonth: z.number().positive(),
});
export type SupernodeCaps = z.infer<typeof SupernodeCaps>;

const count = z.number().int().nonnegative();

/** How it stands in the network: other supernodes decide it, by reaching it or not. */
export const SupernodeStage = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("joining") }),
  z.strictObject({ kind: z.literal("member") }),
  z.strictObject({ kind: z.literal("unreachable"), by: z.enum(["udp", "tcp"]) }),
]);
export type SupernodeStage = z.infer<typeof SupernodeStage>;

export const SupernodeReport = z.strictObject({
  stage: SupernodeStage,
  port: count,
  /** Ordinary nodes that are attached. */
  attached: count,
  /** Supernodes of the network, this one included. */
  members: count,
  /** Whether calls are relayed: only where the computer has the public address itself. */
  relays: z.boolean(),
  relayedCallEnds: count,
  relayedBytesThisMonth: count,
});
export type SupernodeReport = z.infer<typeof SupernodeReport>;

/** App to supernode. */
export const SupernodeOrder = z.discriminatedUnion("kind", [
  /** First, and once. */
  z.strictObject({
    kind: z.literal("start"),
    dataFolder: z.string(),
    loginServer: z.string(),
    /** Fingerprint of the network's newest key, as the app believes it. */
    networkKey: NetworkId,
    /** How others reach this computer: the address that the login server sees. */
    host: z.string(),
    /** 0 takes the port of the last time, or any free one. */
    port: z.number().int().min(0).max(65_535),
    caps: SupernodeCaps,
  }),
  /** The answer to `needs-token`; null: none is to be had now. */
  z.strictObject({ kind: z.literal("token"), token: z.string().nullable() }),
  /** Says goodbye and ends, within a second or two. */
  z.strictObject({ kind: z.literal("stop") }),
]);
export type SupernodeOrder = z.infer<typeof SupernodeOrder>;

/** Supernode to app. */
export const SupernodeNews = z.discriminatedUnion("kind", [
  /** It enrols or renews its certificate, and wants a ticket of the login server's for that. */
  z.strictObject({ kind: z.literal("needs-token") }),
  z.strictObject({ kind: z.literal("report"), report: SupernodeReport }),
  /** The last thing before it ends by itself. */
  z.strictObject({ kind: z.literal("failed"), notice: Notice }),
]);
export type SupernodeNews = z.infer<typeof SupernodeNews>;
