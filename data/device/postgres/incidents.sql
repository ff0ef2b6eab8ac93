-- SPDX-License-Identifier: Apache-2.0
--
-- Past cases for the recipe `device` (connection `incidents_sql`), with pgvector.
--
--     psql "$INCIDENTS_URL" -v ON_ERROR_STOP=1 -f data/device/postgres/incidents.sql
--
-- Rows without a vector are not found; data/postgres/embed.sh gives them one.

SET client_min_messages = warning;

CREATE EXTENSION IF NOT EXISTS vector;

-- The dimension is that of the embedding model: 256 for the built-in one. Change it here, with the model, and nowhere else.
CREATE TABLE IF NOT EXISTS incidents (
    id         TEXT PRIMARY KEY DEFAULT CAST(gen_random_uuid() AS TEXT),
    content    TEXT NOT NULL,
    tags       JSONB,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    embedding  vector(256)
);

CREATE INDEX IF NOT EXISTS idx_incidents_embedding ON incidents USING hnsw (embedding vector_cosine_ops);
