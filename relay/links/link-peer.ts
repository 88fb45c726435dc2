/** Another supernode at the far end of a link, or this one itself, as the services that it asks see it. */
import type { z } from "zod";
import type { SupernodeId } from "../../protocol/identifiers.ts";
import { LINK_METHODS, type LINK_PUSHES, NODE_METHODS } from "../../protocol/supernode-api.ts";
import type { SessionHandlers } from "../sockets/endpoint.ts";

const { join, ...linkRequests } = LINK_METHODS;
const { attach, ...nodeRequests } = NODE_METHODS;

/** The only requests that a socket may make before it has proved who it is. */
export const OPENING_METHODS = { attach, join };
/** What a joined supernode may ask. */
export const LINK_REQUESTS = linkRequests;
/** What an attached node may ask. */
export const NODE_REQUESTS = nodeRequests;

export type LeaseChange = z.infer<typeof LINK_PUSHES.leaseChanged>;
export type InboxChange = z.infer<typeof LINK_PUSHES.inboxChanged>;
type Replicated = z.infer<typeof LINK_PUSHES.replicated>;

export type LinkPush =
  | { readonly name: "leaseChanged"; readonly value: LeaseChange }
  | { readonly name: "inboxChanged"; readonly value: InboxChange }
  | { readonly name: "replicated"; readonly value: Replicated };

export interface LinkPeer {
  readonly supernodeId: SupernodeId;
  push(push: LinkPush): void;
}

export type LinkHandlers = SessionHandlers<typeof LINK_REQUESTS, LinkPeer>;
