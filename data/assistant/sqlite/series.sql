-- SPDX-License-Identifier: Apache-2.0
--
-- What is measured over time, for the recipe `assistant` (connection `series`).
-- Times are UTC as datetime() writes them. Prices are decimal digits kept as text, because a binary float would change them.

CREATE TABLE IF NOT EXISTS weather_data (
    time        TEXT NOT NULL,
    location    TEXT NOT NULL,
    temperature REAL,
    unit        TEXT CHECK (unit IN ('C', 'F')), -- NULL: as the user's preferences say
    humidity    REAL,                            -- percent
    conditions  TEXT,
    forecast    TEXT CHECK (forecast IS NULL OR json_valid(forecast)) -- [{"day", "summary", "low", "high"}]
);

CREATE INDEX IF NOT EXISTS idx_weather_location_time ON weather_data (location, time DESC);

CREATE TABLE IF NOT EXISTS financial_data (
    time           TEXT NOT NULL,
    symbol         TEXT NOT NULL,
    price          TEXT,
    volume         INTEGER,
    change_percent REAL
);

CREATE INDEX IF NOT EXISTS idx_financial_symbol_time ON financial_data (symbol, time DESC);

CREATE TABLE IF NOT EXISTS smart_home_states (
    time        TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    device_id   TEXT NOT NULL,
    device_name TEXT,
    device_type TEXT,
    state       TEXT CHECK (state IS NULL OR json_valid(state))
);

CREATE INDEX IF NOT EXISTS idx_smart_home_user_time_device ON smart_home_states (user_id, time DESC, device_id);
