-- SPDX-License-Identifier: Apache-2.0
--
-- The sample user's knowledge, from data/assistant/sample-memory.json, in knowledge_base; running it again renews it.
--
--     psql "$MAIN_URL" -v memory="$(cat data/assistant/sample-memory.json)" -f data/postgres/sample-memory.sql
--
-- Then data/postgres/embed.sh knowledge_base, which computes the vectors.

DELETE FROM knowledge_base WHERE metadata ->> 'sample' = 'true';

INSERT INTO knowledge_base (user_id, content, metadata, created_at)
SELECT memory ->> 'user_id', item ->> 'content', item - 'content' - 'days_ago' || '{"sample": true}',
       now() - (item ->> 'days_ago')::REAL * INTERVAL '1 day'
FROM (SELECT CAST(:'memory' AS JSONB) AS memory) AS file, jsonb_array_elements(memory -> 'knowledge') AS item;
