-- SPDX-License-Identifier: Apache-2.0
--
-- People and their plans, for the recipe `assistant` (connection `main`).
-- Times are UTC as datetime() writes them, 'YYYY-MM-DD HH:MM:SS', so that they compare as text; a due date may be a day alone.

CREATE TABLE IF NOT EXISTS users (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    email       TEXT NOT NULL UNIQUE,
    preferences TEXT CHECK (preferences IS NULL OR json_valid(preferences)), -- temperature_unit: "C" or "F"
    timezone    TEXT, -- IANA name
    location    TEXT,
    created_at  TEXT NOT NULL DEFAULT (datetime('now')),
    updated_at  TEXT NOT NULL DEFAULT (datetime('now'))
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS calendar_events (
    id          TEXT PRIMARY KEY,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title       TEXT NOT NULL,
    description TEXT,
    start_time  TEXT NOT NULL,
    end_time    TEXT NOT NULL,
    location    TEXT,
    created_at  TEXT NOT NULL DEFAULT (datetime('now')),
    updated_at  TEXT NOT NULL DEFAULT (datetime('now'))
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idx_calendar_events_user_time ON calendar_events (user_id, start_time);

CREATE TABLE IF NOT EXISTS tasks (
    id          TEXT PRIMARY KEY,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title       TEXT NOT NULL,
    description TEXT,
    priority    TEXT CHECK (priority IN ('low', 'medium', 'high', 'urgent')),
    due_date    TEXT,
    status      TEXT CHECK (status IN ('pending', 'in_progress', 'completed', 'cancelled')),
    created_at  TEXT NOT NULL DEFAULT (datetime('now')),
    updated_at  TEXT NOT NULL DEFAULT (datetime('now'))
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idx_tasks_user_status ON tasks (user_id, status);

CREATE TABLE IF NOT EXISTS user_watchlist (
    id         TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    symbol     TEXT NOT NULL,
    asset_type TEXT CHECK (asset_type IN ('stock', 'crypto', 'forex')),
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    UNIQUE (user_id, symbol)
) WITHOUT ROWID;
