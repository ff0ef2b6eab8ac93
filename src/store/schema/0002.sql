-- SPDX-License-Identifier: Apache-2.0
--
-- Whether a row is deleted stands in the index by time, so that a user's living rows are counted, and the newest of them
-- listed, without reading any.

DROP INDEX knowledge_by_time;
CREATE INDEX knowledge_by_time ON knowledge (tenant, user_id, is_deleted, created_at, row);
