/** `kith:` links, as the operating system hands them over: any web page can have made one. */
import { KithError } from "../../protocol/errors.ts";
import type { NetworkId } from "../../protocol/identifiers.ts";
import type { Notice } from "../../protocol/ipc-schema.ts";
import type { KithClient } from "../core/client.ts";

/**
 * Puts an invitation into the sign-in form; nothing is sent anywhere before the user asks for it.
 * @param confirm asks the user whether the network's key has this fingerprint
 * @param link whatever came where a link is expected; null where none was given
 * @returns what to tell the user instead, or null
 */
export function takeLink(
  client: Pick<KithClient, "openLink">,
  link: unknown,
  confirm: (fingerprint: NetworkId) => void,
): Notice | null {
  if (link === null || link === undefined) return null;
  try {
    if (typeof link !== "string") throw new KithError("invitation-malformed");
    const fingerprint = client.openLink(link);
    if (fingerprint !== null) confirm(fingerprint);
    return null;
  } catch (error) {
    const { code, message } = KithError.from(error);
    return { code, message };
  }
}

/** What a second process of this app had to say to the first, or what claims to be one. */
export function linkOf(data: unknown): unknown {
  return typeof data === "object" && data !== null && "link" in data ? data.link : null;
}
