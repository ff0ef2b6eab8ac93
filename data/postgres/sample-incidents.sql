-- SPDX-License-Identifier: Apache-2.0
--
-- The sample's past cases, from data/device/sample-incidents.jsonl, in incidents; running it again renews them.
--
--     psql "$INCIDENTS_URL" -v incidents="$(cat data/device/sample-incidents.jsonl)" -f data/postgres/sample-incidents.sql
--
-- Then data/postgres/embed.sh incidents, which computes the vectors.

INSERT INTO incidents (id, content, tags, created_at)
SELECT item ->> 'id', item ->> 'content', item -> 'tags', now() - (item ->> 'days_ago')::REAL * INTERVAL '1 day'
FROM (SELECT CAST(line AS JSONB) AS item FROM regexp_split_to_table(:'incidents', '\n') AS line WHERE line <> '') AS lines
ON CONFLICT (id) DO UPDATE SET content = excluded.content, tags = excluded.tags, created_at = excluded.created_at, embedding = NULL;
