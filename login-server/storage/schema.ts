/**
 * The tables of the login server, as both engines hold them. IDs are lower-case
 * hexadecimal text, times ms since 1970, keys and certificates raw bytes.
 */
import type { Generated } from "kysely";
import type { DeviceId, Handle, NetworkId, SupernodeId, UserId } from "../../protocol/identifiers.ts";
import type { BuddyState } from "../buddies/buddy-rules.ts";

export interface Schema {
  /** Which migrations this database has had. */
  migrations: { version: number; name: string; applied_at: number };
  /** One row: whose data this is, so that it is never served under another network's key. */
  network: { network_id: NetworkId };
  /** The keys that have followed the first one, in their order (protocol/network-key.ts). */
  network_keys: {
    number: number;
    succession: Uint8Array;
    /** The key's seed under the key before it (key-ring.ts); null where that one was stolen. */
    sealed_seed: Uint8Array | null;
  };
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
    role: Generated<AccountRole>;
    standing: Generated<AccountStanding>;
    /** The public half of what the printed recovery key proves; null: none was made. */
    recovery_key: Uint8Array | null;
    /** The account's secrets once more, sealed under the recovery key. */
    recovery_vault: Uint8Array | null;
    recovery_set_at: number | null;
  };
  /** Lines of buddies whose accounts were deleted: all that is left of them, so that a device that was away learns of it. */
  departed_buddies: { owner_id: UserId; peer_id: UserId; revision: number };
  /** What handles look like (handle-skeleton.ts), each claimed once. `user_id` is null once the account was deleted: nobody else gets its name. */
  handle_claims: { claim: string; user_id: UserId | null };
  invitations: {
    invitation_id: string;
    /** SHA-256 of the token, which is stored nowhere. */
    token_hash: string;
    role: AccountRole;
    /** Only this handle may be taken with it, and its account, if there is one, gives way; null: any that is free. */
    for_handle: Handle | null;
    max_uses: number;
    uses_left: number;
    note: string;
    /** A user ID, or `host`. */
    created_by: string;
    created_at: number;
    expires_at: number;
  };
  audit_log: {
    sequence: number;
    at: number;
    actor: string;
    action: string;
    /** A handle, an invitation's or a supernode's ID, or empty. */
    subject: string;
    details: string;
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
    /** 1: the owner wants nothing from the peer, who is not told. */
    blocked: Generated<0 | 1>;
    /** Alias and groups, sealed by the owner's devices; null: none. */
    label: Uint8Array | null;
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
    /** Of a member's desktop app; null: an operator's. */
    account_id: UserId | null;
    device_id: DeviceId | null;
    /** Until when the list shows a member's; null: as long as the certificate is valid. */
    listed_until: number | null;
    /** When it reported last; null: never yet. */
    heard_at: number | null;
    /** Since when it was never silent for long. */
    up_since: number | null;
    /** Nodes that it would still let attach, as it reported. */
    room: number | null;
  };
  /** Every certificate of a supernode that has not run out yet, the newest and those before it. */
  supernode_certificates: { serial: number; supernode_id: SupernodeId; expires_at: number };
  /** Who is enrolled no more, whatever token they have: a key, and the account of a member who had it in the desktop app. */
  removed_supernodes: { sign_key: Uint8Array; account_id: UserId | null; removed_at: number };
  /** Tokens that operators enrol with, by their SHA-256: those that are spent (1), and the one that has taken their place. */
  enrolment_tokens: { token_hash: string; spent: 0 | 1 };
  /** What members' desktop supernodes enrol with, once each. */
  enrolment_tickets: {
    /** SHA-256 of the token, which is stored nowhere. */
    token_hash: string;
    account_id: UserId;
    device_id: DeviceId;
    host: string;
    expires_at: number;
  };
  /** Every certificate that was ever issued to a device (protocol/key-log.ts), by handle; nothing here is ever changed or deleted. */
  key_log_entries: {
    /** Hexadecimal, of the handle: an account that is deleted leaves no name. */
    tree_key: string;
    /** From 0. */
    position: number;
    serial: number;
    entry: Uint8Array;
    device_id: DeviceId;
    expires_at: number;
    /** The first epoch that shows it; null: none yet. */
    epoch: number | null;
  };
  /** How far the newest epoch shows each chain: the leaves of the tree. */
  key_log_chains: { tree_key: string; length: number; link: Uint8Array };
  /** The tree's hashes where its ways have split often enough, by the first digits of the tree keys below. */
  key_log_branches: { prefix: string; hash: Uint8Array };
  key_log_heads: { epoch: number; head: Uint8Array };
  revocations: { serial: number; expires_at: number };
  /** One row, as of supernode_list. */
  revocation_list: { revision: number; list: Uint8Array; outdated: 0 | 1 };
  /** For instances that share a database; a single one keeps them in memory. */
  login_attempts: { attempt: string; kind: string; state: string; expires_at: number };
  /** One row: the list as it was signed last; outdated (1) once a supernode has joined or changed since. */
  supernode_list: { revision: number; list: Uint8Array; outdated: 0 | 1 };
}

export type CounterName = "certificate-serial" | "audit-sequence" | "key-log-epoch";
export type AccountRole = "member" | "administrator";
/** `waiting`: for approval. */
export type AccountStanding = "active" | "waiting" | "blocked";
