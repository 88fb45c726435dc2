/**
 * The database's versions, oldest first. A step that was ever released never changes; each
 * runs in one transaction with its version number, so that a crash leaves the old version whole.
 */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    `CREATE TABLE account (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      login_server TEXT NOT NULL,
      network_id TEXT NOT NULL,
      network_key BLOB NOT NULL,
      network_name TEXT NOT NULL,
      handle TEXT NOT NULL,
      user_id TEXT NOT NULL,
      device_id TEXT NOT NULL,
      sign_seed BLOB NOT NULL,
      box_secret BLOB NOT NULL,
      profile_key BLOB NOT NULL,
      certificate BLOB NOT NULL,
      lease_sequence INTEGER NOT NULL,
      status TEXT NOT NULL,
      status_text TEXT NOT NULL
    )`,
    `CREATE TABLE owner (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      login_server TEXT NOT NULL,
      network_id TEXT NOT NULL,
      user_id TEXT NOT NULL,
      buddy_revision INTEGER NOT NULL
    )`,
    `CREATE TABLE pins (
      handle TEXT PRIMARY KEY,
      user_id TEXT NOT NULL,
      sign_key BLOB NOT NULL,
      box_key BLOB NOT NULL
    ) WITHOUT ROWID`,
    `CREATE TABLE buddies (
      user_id TEXT PRIMARY KEY,
      handle TEXT NOT NULL,
      state TEXT NOT NULL,
      greeting TEXT NOT NULL,
      certificate BLOB NOT NULL,
      revision INTEGER NOT NULL,
      key_changed INTEGER NOT NULL,
      profile_key BLOB,
      profile_key_version INTEGER NOT NULL
    ) WITHOUT ROWID`,
    `CREATE TABLE profile_keys_given (
      user_id TEXT NOT NULL,
      device_id TEXT NOT NULL,
      PRIMARY KEY (user_id, device_id)
    ) WITHOUT ROWID`,
    `CREATE TABLE supernode_list (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      revision INTEGER NOT NULL,
      bytes BLOB NOT NULL
    )`,
    `CREATE TABLE host_cache (
      supernode_id TEXT PRIMARY KEY,
      certificate BLOB NOT NULL,
      round_trip_ms REAL,
      failures INTEGER NOT NULL,
      last_used_at INTEGER NOT NULL
    ) WITHOUT ROWID`,
    `CREATE TABLE lines (
      line_id INTEGER PRIMARY KEY AUTOINCREMENT,
      peer TEXT NOT NULL,
      position INTEGER NOT NULL,
      sequence INTEGER NOT NULL,
      kind TEXT NOT NULL,
      mine INTEGER NOT NULL,
      at INTEGER NOT NULL,
      unread INTEGER NOT NULL,
      message_id TEXT UNIQUE,
      device_id TEXT,
      text TEXT NOT NULL,
      delivery TEXT,
      duration_ms INTEGER,
      call_id TEXT UNIQUE,
      reason TEXT
    )`,
    "CREATE INDEX lines_in_order ON lines (peer, position, sequence)",
    "CREATE INDEX lines_unread ON lines (peer) WHERE unread = 1",
    "CREATE TABLE voice (message_id TEXT PRIMARY KEY, ogg BLOB NOT NULL)",
    `CREATE TABLE voice_chunks (
      message_id TEXT NOT NULL,
      sender TEXT NOT NULL,
      chunk_index INTEGER NOT NULL,
      chunk_count INTEGER NOT NULL,
      received_at INTEGER NOT NULL,
      bytes BLOB NOT NULL,
      PRIMARY KEY (message_id, sender, chunk_index)
    )`,
    `CREATE TABLE outbox (
      ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
      message_id TEXT NOT NULL,
      recipient TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      arrived INTEGER NOT NULL,
      UNIQUE (message_id, recipient)
    )`,
    "CREATE INDEX outbox_by_recipient ON outbox (recipient, ordinal)",
    `CREATE TABLE deliveries (
      ordinal INTEGER NOT NULL REFERENCES outbox (ordinal) ON DELETE CASCADE,
      device_id TEXT NOT NULL,
      PRIMARY KEY (ordinal, device_id)
    ) WITHOUT ROWID`,
    `CREATE TABLE receipts (
      recipient TEXT NOT NULL,
      device_id TEXT NOT NULL,
      message_id TEXT NOT NULL,
      state TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      PRIMARY KEY (recipient, device_id, message_id, state)
    ) WITHOUT ROWID`,
    "CREATE TABLE seen_envelopes (envelope_id TEXT PRIMARY KEY, sent_at INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX seen_envelopes_by_time ON seen_envelopes (sent_at)",
  ],
  [
    `CREATE TABLE own_profile (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      findable INTEGER NOT NULL,
      display_name TEXT NOT NULL,
      words TEXT NOT NULL,
      sequence INTEGER NOT NULL,
      issued_at INTEGER NOT NULL,
      signed BLOB,
      former_keys TEXT NOT NULL
    )`,
  ],
  [
    "CREATE TABLE key_log_head (id INTEGER PRIMARY KEY CHECK (id = 1), head BLOB NOT NULL)",
    `CREATE TABLE key_chains (
      handle TEXT PRIMARY KEY,
      length INTEGER NOT NULL,
      link BLOB NOT NULL,
      checked_at INTEGER NOT NULL
    ) WITHOUT ROWID`,
    `CREATE TABLE key_owners (
      handle TEXT NOT NULL,
      user_id TEXT NOT NULL,
      first INTEGER NOT NULL,
      last INTEGER NOT NULL,
      issued_at INTEGER NOT NULL,
      PRIMARY KEY (handle, user_id)
    ) WITHOUT ROWID`,
    `CREATE TABLE key_alerts (
      alert_id INTEGER PRIMARY KEY AUTOINCREMENT,
      code TEXT NOT NULL,
      subject TEXT NOT NULL,
      message TEXT NOT NULL,
      seen INTEGER NOT NULL,
      UNIQUE (code, subject)
    )`,
  ],
  ["ALTER TABLE buddies ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0", "ALTER TABLE buddies ADD COLUMN label BLOB"],
  [
    "ALTER TABLE account ADD COLUMN hidden_since INTEGER",
    "UPDATE account SET hidden_since = 1000 * CAST(strftime('%s', 'now') AS INTEGER) WHERE status = 'invisible'",
  ],
  [
    `CREATE TABLE network_keys (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      successions BLOB NOT NULL,
      cut_off INTEGER NOT NULL
    )`,
  ],
];
