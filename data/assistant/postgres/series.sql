-- SPDX-License-Identifier: Apache-2.0
--
-- What is measured over time, for the recipe `assistant` (connection `series`): hypertables of TimescaleDB, whose Apache edition is enough,
-- or plain tables where the extension is missing.
--
--     psql "$SERIES_URL" -v ON_ERROR_STOP=1 -c "CREATE EXTENSION IF NOT EXISTS timescaledb" -f data/assistant/postgres/series.sql

SET client_min_messages = warning;

CREATE TABLE IF NOT EXISTS weather_data (
    time        TIMESTAMPTZ NOT NULL,
    location    VARCHAR(255) NOT NULL,
    temperature DOUBLE PRECISION,
    unit        VARCHAR(1) CHECK (unit IN ('C', 'F')), -- NULL: as the user's preferences say
    humidity    DOUBLE PRECISION,                      -- percent
    conditions  VARCHAR(100),
    forecast    JSONB                                  -- [{"day", "summary", "low", "high"}]
);

CREATE INDEX IF NOT EXISTS idx_weather_location_time ON weather_data (location, time DESC);

CREATE TABLE IF NOT EXISTS financial_data (
    time           TIMESTAMPTZ NOT NULL,
    symbol         VARCHAR(20) NOT NULL,
    price          NUMERIC(28, 8),
    volume         BIGINT,
    change_percent DOUBLE PRECISION
);

CREATE INDEX IF NOT EXISTS idx_financial_symbol_time ON financial_data (symbol, time DESC);

CREATE TABLE IF NOT EXISTS smart_home_states (
    time        TIMESTAMPTZ NOT NULL,
    user_id     TEXT NOT NULL,
    device_id   VARCHAR(100) NOT NULL,
    device_name VARCHAR(255),
    device_type VARCHAR(50),
    state       JSONB
);

-- The newest time of each device is read from the index alone.
CREATE INDEX IF NOT EXISTS idx_smart_home_user_time_device ON smart_home_states (user_id, time DESC, device_id);

-- Where the extension is there: CREATE EXTENSION timescaledb before this. Without an index by time alone, which would be of no use here but
-- to plans that read what everybody's devices said.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable(name, 'time', create_default_indexes => FALSE, if_not_exists => TRUE, migrate_data => TRUE)
        FROM unnest(CAST(ARRAY['weather_data', 'financial_data', 'smart_home_states'] AS REGCLASS[])) AS name;
    END IF;
END $$;
