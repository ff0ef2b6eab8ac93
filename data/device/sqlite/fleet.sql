-- SPDX-License-Identifier: Apache-2.0
--
-- Devices, their sites and what happened to them, for the recipe `device` (connection `fleet`).
-- Times are UTC as datetime() writes them, 'YYYY-MM-DD HH:MM:SS', so that they compare as text. Devices are known to the outside by a
-- UUID; all that grows names them by their whole number, so that a look-up is one walk down an index.

CREATE TABLE IF NOT EXISTS sites (
    id        INTEGER PRIMARY KEY,
    code      TEXT NOT NULL UNIQUE,
    name      TEXT NOT NULL,
    time_zone TEXT -- IANA name; NULL: UTC
);

-- Several openings a day are several rows. What closes at or before the hour at which it opens closes the next day; 00:00 to 00:00 is
-- a whole day. A day without a row is closed, too.
CREATE TABLE IF NOT EXISTS site_operating_schedules (
    id         INTEGER PRIMARY KEY,
    site_id    INTEGER NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    weekday    INTEGER NOT NULL CHECK (weekday BETWEEN 1 AND 7), -- 1 Monday
    open_time  TEXT, -- HH:MM:SS by the site's clock
    close_time TEXT,
    is_closed  INTEGER NOT NULL DEFAULT 0,
    CHECK (is_closed OR (open_time IS NOT NULL AND close_time IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS idx_site_operating_schedules_site ON site_operating_schedules (site_id, weekday);

CREATE TABLE IF NOT EXISTS devices (
    id               INTEGER PRIMARY KEY,
    public_id        TEXT NOT NULL UNIQUE, -- a UUID in small letters
    site_id          INTEGER REFERENCES sites (id),
    name             TEXT NOT NULL,
    type             TEXT,
    model            TEXT,
    serial_number    TEXT,
    firmware_version TEXT,
    os_version       TEXT,
    ip_address       TEXT,
    status           TEXT,
    last_seen        TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS idx_devices_public_id ON devices (CAST(public_id AS TEXT));
CREATE INDEX IF NOT EXISTS idx_devices_site ON devices (site_id);

CREATE TABLE IF NOT EXISTS health_checks (
    id         INTEGER PRIMARY KEY,
    device_id  INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    time       TEXT NOT NULL,
    is_healthy INTEGER NOT NULL,
    latency_ms REAL, -- NULL: no answer
    detail     TEXT
);
CREATE INDEX IF NOT EXISTS idx_health_checks_device_time ON health_checks (device_id, time DESC);

-- device_id NULL: an operation on a whole site.
CREATE TABLE IF NOT EXISTS job_outcomes (
    id            INTEGER PRIMARY KEY,
    job_id        TEXT NOT NULL,
    device_id     INTEGER REFERENCES devices (id) ON DELETE CASCADE,
    site_id       INTEGER REFERENCES sites (id),
    time          TEXT NOT NULL, -- of the outcome
    type          TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('succeeded', 'failed', 'timed_out', 'cancelled')),
    error_message TEXT,
    duration_ms   INTEGER
);
CREATE INDEX IF NOT EXISTS idx_job_outcomes_device_time ON job_outcomes (device_id, time DESC);
CREATE INDEX IF NOT EXISTS idx_job_outcomes_site_time ON job_outcomes (site_id, time DESC);
CREATE INDEX IF NOT EXISTS idx_job_outcomes_time ON job_outcomes (time DESC);

CREATE TABLE IF NOT EXISTS error_logs (
    id          INTEGER PRIMARY KEY,
    device_id   INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    time        TEXT NOT NULL,
    severity    TEXT NOT NULL CHECK (severity IN ('debug', 'info', 'warning', 'error', 'critical')),
    category    TEXT,
    code        TEXT,
    message     TEXT NOT NULL,
    stack_trace TEXT
);
CREATE INDEX IF NOT EXISTS idx_error_logs_device_time ON error_logs (device_id, time DESC);
CREATE INDEX IF NOT EXISTS idx_error_logs_time ON error_logs (time DESC);

-- device_id NULL: of a whole site.
CREATE TABLE IF NOT EXISTS configuration_history (
    id          INTEGER PRIMARY KEY,
    device_id   INTEGER REFERENCES devices (id) ON DELETE CASCADE,
    site_id     INTEGER REFERENCES sites (id),
    time        TEXT NOT NULL,
    parameter   TEXT NOT NULL,
    changed_by  TEXT,
    change_type TEXT, -- create, update, delete, rollback
    old_value   TEXT,
    new_value   TEXT
);
CREATE INDEX IF NOT EXISTS idx_configuration_history_device_time ON configuration_history (device_id, time DESC);
CREATE INDEX IF NOT EXISTS idx_configuration_history_site_time ON configuration_history (site_id, time DESC);
CREATE INDEX IF NOT EXISTS idx_configuration_history_time ON configuration_history (time DESC);

CREATE TABLE IF NOT EXISTS audit_logs (
    id          INTEGER PRIMARY KEY,
    device_id   INTEGER REFERENCES devices (id) ON DELETE CASCADE,
    site_id     INTEGER REFERENCES sites (id),
    time        TEXT NOT NULL,
    event_type  TEXT NOT NULL,
    description TEXT
);
CREATE INDEX IF NOT EXISTS idx_audit_logs_device_time ON audit_logs (device_id, time DESC);
CREATE INDEX IF NOT EXISTS idx_audit_logs_site_time ON audit_logs (site_id, time DESC);
CREATE INDEX IF NOT EXISTS idx_audit_logs_time ON audit_logs (time DESC);

CREATE TABLE IF NOT EXISTS api_request_logs (
    id               INTEGER PRIMARY KEY,
    device_id        INTEGER REFERENCES devices (id) ON DELETE CASCADE,
    site_id          INTEGER REFERENCES sites (id),
    time             TEXT NOT NULL,
    method           TEXT NOT NULL,
    endpoint         TEXT NOT NULL,
    status_code      INTEGER NOT NULL,
    response_time_ms INTEGER
);
CREATE INDEX IF NOT EXISTS idx_api_request_logs_device_time ON api_request_logs (device_id, time DESC);
CREATE INDEX IF NOT EXISTS idx_api_request_logs_site_time ON api_request_logs (site_id, time DESC);
CREATE INDEX IF NOT EXISTS idx_api_request_logs_time ON api_request_logs (time DESC);

CREATE TABLE IF NOT EXISTS device_state_history (
    id             INTEGER PRIMARY KEY,
    device_id      INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    time           TEXT NOT NULL,
    previous_state TEXT,
    new_state      TEXT NOT NULL,
    reason         TEXT
);
CREATE INDEX IF NOT EXISTS idx_device_state_history_device_time ON device_state_history (device_id, time DESC);
CREATE INDEX IF NOT EXISTS idx_device_state_history_time ON device_state_history (time DESC);

CREATE TABLE IF NOT EXISTS push_notification_logs (
    id            INTEGER PRIMARY KEY,
    device_id     INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    time          TEXT NOT NULL,
    provider      TEXT NOT NULL, -- FCM, APNs, ...
    status        TEXT NOT NULL CHECK (status IN ('sent', 'failed')),
    error_message TEXT
);
CREATE INDEX IF NOT EXISTS idx_push_notification_logs_device_time ON push_notification_logs (device_id, time DESC);
CREATE INDEX IF NOT EXISTS idx_push_notification_logs_time ON push_notification_logs (time DESC);

-- A user is asked for by number or by name, so no name is a number.
CREATE TABLE IF NOT EXISTS users (
    id         INTEGER PRIMARY KEY,
    username   TEXT NOT NULL UNIQUE CHECK (username GLOB '*[^0-9]*'),
    full_name  TEXT,
    role       TEXT,
    status     TEXT,
    last_login TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS idx_users_id_text ON users (CAST(id AS TEXT));

CREATE TABLE IF NOT EXISTS user_activities (
    id            INTEGER PRIMARY KEY,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    time          TEXT NOT NULL,
    activity_type TEXT NOT NULL, -- page_view, ...
    target_url    TEXT
);
CREATE INDEX IF NOT EXISTS idx_user_activities_user_time ON user_activities (user_id, time DESC);
