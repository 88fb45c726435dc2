/**
 * The tables of the login server, as both engines hold them. IDs are lower-case
 * hexadecimal text, times ms since 1970, keys and certificates raw bytes.
 */
import type { Generated } from "kysely";
import type { DeviceId, Handle, NetworkId, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import type { BuddyState } from "../buddy-rules.ts";

export interface Schema {
  /** Which migrations this database has had. */
  migrations: { version: number; name: string; applied_at: number };
  /** One row: whose data this is, so that it is never served under another network's key. */
  network: { network_id: NetworkId };
  counters: { name: CounterName; value: number };
  accounts: {
    user_id: UserId;
    handle: Handle;
    opaque_record: string;
    vault: Uint8Array;
    sign_key: Uint8Array;
    box_key: Uint8Array;
    key_binding: Uint8Array;
    /** The newest certificate of any device, which is how buddies get the keys. */
    certificate: Uint8Array;
    created_at: number;
    /** Grows with every change of this account's buddy list. */
    buddy_revision: Generated<number>;
  };
  devices: {
    user_id: UserId;
    device_id: DeviceId;
    name: string;
    certificate: Uint8Array;
    serial: number;
    issued_at: number;
    expires_at: number;
    last_seen_at: number;
  };
  buddy_lines: {
    owner_id: UserId;
    peer_id: UserId;
    state: BuddyState;
    greeting: string;
    /** The owner's buddy_revision when this line changed last. */
    revision: number;
  };
  supernodes: {
    supernode_id: SupernodeId;
    sign_key: Uint8Array;
    tls_fingerprint: Uint8Array;
    host: string;
    port: number;
    certificate: Uint8Array;
    issued_at: number;
    expires_at: number;
  };
  /** One row: the list as it was signed last; outdated (1) once a supernode has joined or changed since. */
  supernode_list: { revision: number; list: Uint8Array; outdated: 0 | 1 };
}

export type CounterName = "certificate-serial";
