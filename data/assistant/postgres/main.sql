-- SPDX-License-Identifier: Apache-2.0
--
-- People, their plans and what is known, for the recipe `assistant` (connections `main` and `knowledge`), with pgvector.
--
--     psql "$MAIN_URL" -v ON_ERROR_STOP=1 -f data/assistant/postgres/main.sql
--
-- A user's id is any text; what is not given becomes a UUID.

SET client_min_messages = warning;

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE IF NOT EXISTS users (
    id          TEXT PRIMARY KEY DEFAULT CAST(gen_random_uuid() AS TEXT) CHECK (octet_length(id) <= 256),
    name        VARCHAR(255) NOT NULL,
    email       VARCHAR(255) NOT NULL UNIQUE,
    preferences JSONB,       -- temperature_unit: "C" or "F"
    timezone    VARCHAR(50), -- IANA name
    location    VARCHAR(255),
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS calendar_events (
    id          TEXT PRIMARY KEY DEFAULT CAST(gen_random_uuid() AS TEXT),
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title       VARCHAR(500) NOT NULL,
    description TEXT,
    start_time  TIMESTAMPTZ NOT NULL,
    end_time    TIMESTAMPTZ NOT NULL,
    location    VARCHAR(500),
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_calendar_events_user_time ON calendar_events (user_id, start_time);

-- A due date is a day, the same everywhere. Where tasks are due at an hour make it TIMESTAMPTZ: the recipe runs unchanged.
CREATE TABLE IF NOT EXISTS tasks (
    id          TEXT PRIMARY KEY DEFAULT CAST(gen_random_uuid() AS TEXT),
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title       VARCHAR(500) NOT NULL,
    description TEXT,
    priority    VARCHAR(20) CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
    due_date    DATE,
    status      VARCHAR(20) CHECK (status IN ('pending', 'in_progress', 'completed', 'cancelled')),
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_tasks_user_status ON tasks (user_id, status);

-- The dimension is that of the embedding model: 256 for the built-in one. Change it here, with the model, and nowhere else.
CREATE TABLE IF NOT EXISTS knowledge_base (
    id         TEXT PRIMARY KEY DEFAULT CAST(gen_random_uuid() AS TEXT),
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    content    TEXT NOT NULL,
    metadata   JSONB,
    embedding  vector(256),
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- HNSW needs no training and may be built over an empty table. Rows of one user alone are compared exactly, by idx_knowledge_base_user.
CREATE INDEX IF NOT EXISTS idx_knowledge_base_embedding ON knowledge_base USING hnsw (embedding vector_cosine_ops);
CREATE INDEX IF NOT EXISTS idx_knowledge_base_user ON knowledge_base (user_id);

CREATE TABLE IF NOT EXISTS user_watchlist (
    id         TEXT PRIMARY KEY DEFAULT CAST(gen_random_uuid() AS TEXT),
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    symbol     VARCHAR(20) NOT NULL,
    asset_type VARCHAR(20) CHECK (asset_type IN ('stock', 'crypto', 'forex')),
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (user_id, symbol)
);
