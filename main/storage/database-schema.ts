/** The tables of a profile's database, as Kysely types. */
import type { ColumnType, Generated, Kysely, Transaction } from "kysely";
import type { EndReason } from "../../protocol/call-state.ts";
import type {
  CallId,
  DeviceId,
  Handle,
  MessageId,
  NetworkId,
  SupernodeId,
  UserId,
} from "../../protocol/identifiers.ts";
import type { ChosenStatus } from "../../protocol/presence.ts";

/** Bytes are written as a Uint8Array and come back as an ArrayBuffer. */
export type Blob = ColumnType<ArrayBuffer, Uint8Array, Uint8Array>;
/** 0 or 1 */
export type Bit = number;

/** Of the settings of this profile (settings.ts). */
export type SettingKey = "hide-address" | "be-supernode" | "supernode-mbit" | "supernode-month-gb" | "supernode-port";

export interface ProfileDatabase {
  /** What outlives an account: the form's proposals, and what was chosen. */
  settings: { key: "login-server" | "handle" | SettingKey; value: string };
  /** At most one row: who is signed in. */
  account: {
    id: 1;
    login_server: string;
    network_id: NetworkId;
    network_key: Blob;
    network_name: string;
    handle: Handle;
    user_id: UserId;
    device_id: DeviceId;
    sign_seed: Blob;
    box_secret: Blob;
    profile_key: Blob;
    certificate: Blob;
    lease_sequence: number;
    status: ChosenStatus;
    status_text: string;
    hidden_since: number | null;
  };
  /** At most one row: whose buddies and messages the tables below hold. */
  owner: { id: 1; login_server: string; network_id: NetworkId; user_id: UserId; buddy_revision: number };
  /** At most one row: what has followed the network's first key (protocol/network-key.ts), as far as it is believed. */
  network_keys: { id: 1; successions: Blob; cut_off: Bit };
  /** The keys first seen for a handle. */
  pins: { handle: Handle; user_id: UserId; sign_key: Blob; box_key: Blob };
  buddies: {
    user_id: UserId;
    handle: Handle;
    state: "buddy" | "asked-by-me" | "asks-me" | "removed";
    greeting: string;
    certificate: Blob;
    revision: number;
    key_changed: Bit;
    /** Opens their sealed status; null until they have sent it. */
    profile_key: ColumnType<ArrayBuffer | null, Uint8Array | null, Uint8Array | null>;
    profile_key_version: number;
    blocked: Generated<Bit>;
    /** Alias and groups, sealed; null for none. */
    label: ColumnType<ArrayBuffer | null, Uint8Array | null | undefined, Uint8Array | null>;
  };
  /** Which of the buddies' devices have our profile key. */
  profile_keys_given: { user_id: UserId; device_id: DeviceId };
  /** At most one row: what the account's user wants to be found by. */
  own_profile: {
    id: 1;
    findable: Bit;
    display_name: string;
    words: string;
    sequence: number;
    issued_at: number;
    /** As it was published last; null: it has changed since, or never was. */
    signed: ColumnType<ArrayBuffer | null, Uint8Array | null, Uint8Array | null>;
    /** JSON: where earlier versions may still be found, and until when. */
    former_keys: string;
  };
  /** At most one row: the newest head of the key log that was checked. */
  key_log_head: { id: 1; head: Blob };
  /** How far the chain of a handle was read and proved. */
  key_chains: { handle: Handle; length: number; link: Blob; checked_at: number };
  /** To whom certificates for a handle were issued. */
  key_owners: { handle: Handle; user_id: UserId; first: number; last: number; issued_at: number };
  key_alerts: { alert_id: Generated<number>; code: string; subject: string; message: string; seen: Bit };
  supernode_list: { id: 1; revision: number; bytes: Blob };
  host_cache: {
    supernode_id: SupernodeId;
    certificate: Blob;
    round_trip_ms: number | null;
    failures: number;
    last_used_at: number;
  };
  lines: {
    line_id: Generated<number>;
    peer: UserId;
    /** Order in the conversation; lines of one position are in the order of `sequence`. */
    position: number;
    sequence: number;
    kind: "text" | "voice" | "call";
    mine: Bit;
    at: number;
    unread: Bit;
    message_id: MessageId | null;
    /** Which device of the sender's it came from; null for our own lines. */
    device_id: DeviceId | null;
    text: string;
    delivery: "waiting" | "sent" | "delivered" | "read" | "received" | null;
    duration_ms: number | null;
    call_id: CallId | null;
    reason: EndReason | null;
  };
  voice: { message_id: MessageId; ogg: Blob };
  /** Voice messages that are not whole yet. */
  voice_chunks: {
    message_id: MessageId;
    sender: UserId;
    chunk_index: number;
    chunk_count: number;
    received_at: number;
    bytes: Blob;
  };
  /** Messages that some device of `recipient` may still have to get. */
  outbox: {
    ordinal: Generated<number>;
    message_id: MessageId;
    recipient: UserId;
    created_at: number;
    /** At least one device of the recipient has it. */
    arrived: Bit;
  };
  /** Which devices have a message of the outbox. */
  deliveries: { ordinal: number; device_id: DeviceId };
  receipts: {
    recipient: UserId;
    device_id: DeviceId;
    message_id: MessageId;
    state: "delivered" | "read";
    created_at: number;
  };
  seen_envelopes: { envelope_id: MessageId; sent_at: number };
}

export type Db = Kysely<ProfileDatabase>;
/** Inside `db.transaction()`; the database itself would wait for the transaction to end. */
export type Tx = Transaction<ProfileDatabase>;
