-- SPDX-License-Identifier: Apache-2.0
--
-- The first schema. Times are microseconds since 1970 UTC; JSON is text; `row` is the order of insertion and is never
-- used again, also after a delete. Every question names the tenant first, and so does every index.

CREATE TABLE precis_schema (
    version INTEGER PRIMARY KEY,
    applied_at INTEGER NOT NULL
) STRICT;

-- One row: the number of the last change. A writer raises it and stamps the rows it changes, so that
-- "what changed since N" is one range of an index.
CREATE TABLE change_counter (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO change_counter (one, value) VALUES (1, 0);

-- A deleted row stays as an empty stub, so that its deletion is found by `change` as well.
CREATE TABLE knowledge (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    content TEXT NOT NULL,
    source TEXT NOT NULL DEFAULT '',
    tags TEXT NOT NULL DEFAULT '[]',
    metadata TEXT NOT NULL DEFAULT '',
    importance REAL NOT NULL DEFAULT 0.5,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    change INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX knowledge_by_change ON knowledge (tenant, user_id, change);
CREATE INDEX knowledge_by_time ON knowledge (tenant, user_id, created_at, row);

-- What a row said before it was changed.
CREATE TABLE knowledge_history (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    content TEXT NOT NULL,
    source TEXT NOT NULL DEFAULT '',
    tags TEXT NOT NULL DEFAULT '[]',
    metadata TEXT NOT NULL DEFAULT '',
    importance REAL NOT NULL,
    replaced_at INTEGER NOT NULL
) STRICT;
CREATE INDEX knowledge_history_by_id ON knowledge_history (tenant, id, row);

CREATE TABLE conversations (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    role TEXT NOT NULL,
    content TEXT NOT NULL,
    language TEXT NOT NULL DEFAULT '',
    intent TEXT NOT NULL DEFAULT '',
    metadata TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX conversations_by_session ON conversations (tenant, user_id, session_id, row);
CREATE INDEX conversations_by_user ON conversations (tenant, user_id, row);

CREATE TABLE preferences (
    tenant TEXT NOT NULL,
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    category TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, user_id, key)
) STRICT;

-- `hash` is the BLAKE2b-256 of the secret in hexadecimal; the secret itself is nowhere. 0 stands for "never".
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    tenant TEXT NOT NULL,
    scopes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL DEFAULT 0,
    revoked_at INTEGER NOT NULL DEFAULT 0
) STRICT;
