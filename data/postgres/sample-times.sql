-- SPDX-License-Identifier: Apache-2.0
--
-- datetime() and date() as SQLite has them, as far as the sample data uses them, so that one text of samples fills both:
-- datetime('now', '-30 minutes'), date('now', '+1 days'), datetime('now', 'start of day', '+8 hours'). Run before a sample in the same session;
-- DROP SCHEMA precis_sample CASCADE removes them afterwards.

SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS precis_sample;

CREATE OR REPLACE FUNCTION precis_sample.datetime(base TEXT, VARIADIC changes TEXT[]) RETURNS TIMESTAMPTZ LANGUAGE plpgsql STABLE AS $$
DECLARE
    moment TIMESTAMP := date_trunc('second', CAST(base AS TIMESTAMPTZ) AT TIME ZONE 'UTC');
    change TEXT;
BEGIN
    FOREACH change IN ARRAY changes LOOP
        moment := CASE WHEN change = 'start of day' THEN date_trunc('day', moment) ELSE moment + CAST(change AS INTERVAL) END;
    END LOOP;
    RETURN moment AT TIME ZONE 'UTC';
END $$;

CREATE OR REPLACE FUNCTION precis_sample.date(base TEXT, VARIADIC changes TEXT[]) RETURNS DATE LANGUAGE sql STABLE AS $$
    SELECT CAST(precis_sample.datetime(base, VARIADIC changes) AT TIME ZONE 'UTC' AS DATE)
$$;

DO $$ BEGIN PERFORM set_config('search_path', current_setting('search_path') || ', precis_sample', FALSE); END $$;
