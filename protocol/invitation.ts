/**
 * Invitations to a network, as people pass them on. The link of the web opens a page of the
 * login server, and that page's link opens the app: `kith:join?server=…&network=…&invitation=…`.
 * Whatever arrives here may have been written by anybody.
 */
import { z } from "zod";
import { KithError } from "./errors.ts";
import { NetworkId } from "./identifiers.ts";

/** 192 bits, drawn at random, as base64url. */
export const INVITATION_TOKEN_BYTES = 24;
export const InvitationToken = z
  .string()
  .regex(/^[A-Za-z0-9_-]{32}$/)
  .brand<"InvitationToken">();
export type InvitationToken = z.infer<typeof InvitationToken>;

/** Where the landing page of an invitation is, before its token. */
export const INVITATION_PATH = "/i/";
export const APP_LINK_SCHEME = "kith";
/** Longer than any link of ours; nothing longer is looked at. */
const MAX_LINK_LENGTH = 600;

export interface Invitation {
  /** An origin: `https://login.example.org`, or plain http on loopback. */
  readonly loginServer: string;
  readonly token: InvitationToken;
  /** The network that must answer there; null when the link does not say. */
  readonly networkId: NetworkId | null;
  /** Fingerprint of the newest key that it has; null while that is the first one, whose fingerprint is the network's ID. */
  readonly networkKey: NetworkId | null;
}

/** The word of whoever runs a network that this is its key. */
export interface KeyConfirmation {
  readonly networkId: NetworkId;
  readonly networkKey: NetworkId;
}

/** The link for people who may not have the app yet. */
export function webLink(loginServer: string, token: InvitationToken): string {
  return `${loginServer}${INVITATION_PATH}${token}`;
}

/**
 * The link that the app itself is registered for.
 * @param networkKey fingerprint of the network's newest key
 */
export function appLink(
  loginServer: string,
  token: InvitationToken,
  networkId: NetworkId,
  networkKey: NetworkId = networkId,
): string {
  const key = networkKey === networkId ? "" : `&key=${networkKey}`;
  return `${APP_LINK_SCHEME}:join?server=${encodeURIComponent(loginServer)}&network=${networkId}${key}&invitation=${token}`;
}

/** The link that lets a device believe the newest key of the network that it is signed in to. */
export function confirmationLink(networkId: NetworkId, networkKey: NetworkId): string {
  return `${APP_LINK_SCHEME}:key?network=${networkId}&key=${networkKey}`;
}

/** @returns null for any other link, an invitation that names a key apart */
export function parseConfirmation(link: string): KeyConfirmation | null {
  const text = link.trim();
  const [, networkId, networkKey] =
    /^kith:(?:\/\/)?key\/?\?network=([0-9a-f]{40})&key=([0-9a-f]{40})$/.exec(text) ?? [];
  if (networkId !== undefined) {
    return { networkId: NetworkId.parse(networkId), networkKey: NetworkId.parse(networkKey) };
  }
  const invitation = text.length > MAX_LINK_LENGTH ? null : fromAppLink(text);
  if (!invitation?.networkId || !invitation.networkKey) return null;
  return { networkId: invitation.networkId, networkKey: invitation.networkKey };
}

/**
 * Either link, as it was pasted or as the operating system hands it over.
 * @throws KithError `invitation-malformed`
 */
export function parseInvitation(link: string): Invitation {
  const text = link.trim();
  const invitation = text.length > MAX_LINK_LENGTH ? null : (fromAppLink(text) ?? fromWebLink(text));
  if (!invitation) throw new KithError("invitation-malformed");
  return invitation;
}

const FIELDS_OF_APP_LINKS = new Set([
  "invitation,server",
  "invitation,network,server",
  "invitation,key,network,server",
]);

function fromAppLink(text: string): Invitation | null {
  const [, query] = /^kith:(?:\/\/)?join\/?\?([\x21-\x7e]+)$/i.exec(text) ?? [];
  if (query === undefined) return null;
  const fields = new URLSearchParams(query);
  // One of each and nothing else: a field that comes twice means one thing here and another thing elsewhere.
  const names = [...fields.keys()].sort().join();
  if (!FIELDS_OF_APP_LINKS.has(names)) return null;
  const token = InvitationToken.safeParse(fields.get("invitation"));
  const loginServer = originOf(fields.get("server") ?? "");
  const network = fields.get("network");
  const key = fields.get("key");
  const networkId = network === null ? null : NetworkId.safeParse(network);
  const networkKey = key === null ? null : NetworkId.safeParse(key);
  if (!token.success || loginServer === null || networkId?.success === false || networkKey?.success === false)
    return null;
  return { loginServer, token: token.data, networkId: networkId?.data ?? null, networkKey: networkKey?.data ?? null };
}

function fromWebLink(text: string): Invitation | null {
  const [, origin = "", token] = /^(https?:\/\/[^/?#\s]+)\/i\/([A-Za-z0-9_-]+)$/i.exec(text) ?? [];
  const parsed = InvitationToken.safeParse(token);
  const loginServer = originOf(origin);
  return parsed.success && loginServer !== null
    ? { loginServer, token: parsed.data, networkId: null, networkKey: null }
    : null;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Printable ASCII only, so that no host name is written in letters that look like others. */
function originOf(text: string): string | null {
  if (!/^https?:\/\/[\x21-\x7e]+$/i.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  const bare = !url.username && !url.password && ["", "/"].includes(url.pathname) && !url.search && !url.hash;
  const secure = url.protocol === "https:" || LOOPBACK.test(url.hostname);
  return bare && secure ? url.origin : null;
}
