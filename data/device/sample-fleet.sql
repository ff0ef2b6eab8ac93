-- SPDX-License-Identifier: Apache-2.0
--
-- A sample fleet for the recipe `device`: a till that lost its way after a failed update, its quiet neighbour, and another shop. All
-- times count from the moment this runs; running it again renews the sample's rows and touches no others. It runs on SQLite as it is, and
-- on PostgreSQL after data/postgres/sample-times.sql, which teaches it datetime() and date().

DELETE FROM user_activities WHERE user_id IN (9001, 9002);
DELETE FROM users WHERE id IN (9001, 9002);
DELETE FROM push_notification_logs WHERE device_id IN (9001, 9002, 9003);
DELETE FROM device_state_history WHERE device_id IN (9001, 9002, 9003);
DELETE FROM api_request_logs WHERE device_id IN (9001, 9002, 9003) OR site_id IN (901, 902);
DELETE FROM audit_logs WHERE device_id IN (9001, 9002, 9003) OR site_id IN (901, 902);
DELETE FROM configuration_history WHERE device_id IN (9001, 9002, 9003) OR site_id IN (901, 902);
DELETE FROM error_logs WHERE device_id IN (9001, 9002, 9003);
DELETE FROM job_outcomes WHERE device_id IN (9001, 9002, 9003) OR site_id IN (901, 902);
DELETE FROM health_checks WHERE device_id IN (9001, 9002, 9003);
DELETE FROM devices WHERE id IN (9001, 9002, 9003);
DELETE FROM site_operating_schedules WHERE site_id IN (901, 902);
DELETE FROM sites WHERE id IN (901, 902);

INSERT INTO sites (id, code, name, time_zone) VALUES
    (901, 'KRK-01', 'Kazimierz Bar & Shop', 'Europe/Warsaw'),
    (902, 'LIS-04', 'Campo de Ourique', 'Europe/Lisbon');

-- A bar that closes after midnight, with a break on weekdays and closed on Mondays.
INSERT INTO site_operating_schedules (id, site_id, weekday, open_time, close_time, is_closed) VALUES
    (9001, 901, 1, NULL, NULL, TRUE),
    (9002, 901, 2, '11:00:00', '15:00:00', FALSE), (9003, 901, 2, '17:00:00', '01:00:00', FALSE),
    (9004, 901, 3, '11:00:00', '15:00:00', FALSE), (9005, 901, 3, '17:00:00', '01:00:00', FALSE),
    (9006, 901, 4, '11:00:00', '15:00:00', FALSE), (9007, 901, 4, '17:00:00', '01:00:00', FALSE),
    (9008, 901, 5, '11:00:00', '15:00:00', FALSE), (9009, 901, 5, '17:00:00', '03:00:00', FALSE),
    (9010, 901, 6, '11:00:00', '03:00:00', FALSE),
    (9011, 901, 7, '11:00:00', '23:00:00', FALSE),
    (9012, 902, 1, '09:00:00', '19:00:00', FALSE), (9013, 902, 2, '09:00:00', '19:00:00', FALSE),
    (9014, 902, 3, '09:00:00', '19:00:00', FALSE), (9015, 902, 4, '09:00:00', '19:00:00', FALSE),
    (9016, 902, 5, '09:00:00', '19:00:00', FALSE), (9017, 902, 6, '09:00:00', '13:00:00', FALSE);

INSERT INTO devices (id, public_id, site_id, name, type, model, serial_number, firmware_version, os_version, ip_address, status, last_seen) VALUES
    (9001, '7d9f4c3e-5b1a-4e86-9f0d-2c6a81b4e573', 901, 'Till 3', 'point of sale', 'PX-7', 'PX7-221904', '2.4.0', 'Android 11', '10.20.1.13', 'offline', datetime('now', '-4 minutes')),
    (9002, 'b1c5e7a2-0f64-4d39-8a7e-93d2f5c80e16', 901, 'Till 1', 'point of sale', 'PX-7', 'PX7-221871', '2.4.1', 'Android 11', '10.20.1.11', 'online', datetime('now', '-1 minutes')),
    (9003, '3e8a6d10-c2f7-4b95-b6d4-7f1e0a59c428', 902, 'Kiosk A', 'kiosk', 'KS-2', 'KS2-004512', '1.9.3', 'Linux 5.15', '10.44.2.20', 'online', datetime('now', '-2 minutes'));

-- A check every ten minutes for a day. Till 3 was well until five hours ago; since then every third check fails and the others are slow.
WITH RECURSIVE steps (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM steps WHERE n < 143)
INSERT INTO health_checks (device_id, time, is_healthy, latency_ms, detail)
SELECT 9001, datetime('now', '-' || (n * 10 + 4) || ' minutes'), n >= 30 OR n % 3 <> 0,
       CASE WHEN n >= 30 THEN 21 + n % 7 WHEN n % 3 = 0 THEN NULL ELSE 640 + n * 31 % 450 END,
       CASE WHEN n < 30 AND n % 3 = 0 THEN 'no answer within 5 s' END
FROM steps;
WITH RECURSIVE steps (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM steps WHERE n < 143)
INSERT INTO health_checks (device_id, time, is_healthy, latency_ms, detail)
SELECT 9002, datetime('now', '-' || (n * 10 + 1) || ' minutes'), TRUE, 19 + n % 6, NULL FROM steps;
WITH RECURSIVE steps (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM steps WHERE n < 143)
INSERT INTO health_checks (device_id, time, is_healthy, latency_ms, detail)
SELECT 9003, datetime('now', '-' || (n * 10 + 2) || ' minutes'), TRUE, 34 + n % 9, NULL FROM steps;

INSERT INTO job_outcomes (job_id, device_id, site_id, time, type, status, error_message, duration_ms) VALUES
    ('job-48213', 9001, 901, datetime('now', '-302 minutes'), 'firmware_update', 'failed', 'Update to 2.4.1 rolled back: checksum mismatch in system.img (expected 9f31…, got 0b77…)', 412600),
    ('job-48214', 9002, 901, datetime('now', '-298 minutes'), 'firmware_update', 'succeeded', NULL, 388100),
    ('job-48230', 9001, 901, datetime('now', '-187 minutes'), 'log_upload', 'timed_out', 'Device closed the connection after 3 of 11 MB', 300000),
    ('job-48190', NULL, 901, datetime('now', '-9 hours'), 'price_list_sync', 'failed', 'Upstream answered 503 for 12 minutes', 731000),
    ('job-48101', 9001, 901, datetime('now', '-3 days'), 'restart', 'failed', 'Older than a day', 1000),
    ('job-48255', 9003, 902, datetime('now', '-6 hours'), 'content_update', 'failed', 'Not enough space on /data: 212 MB needed, 180 MB free', 9400);

INSERT INTO error_logs (device_id, time, severity, category, code, message, stack_trace) VALUES
    (9001, datetime('now', '-302 minutes'), 'error', 'firmware', 'FW-1207', 'Update to 2.4.1 failed: checksum mismatch in system.img, rolled back to 2.4.0', 'UpdateVerifier.verify(UpdateVerifier.java:118) at OtaService.apply(OtaService.java:402)'),
    (9001, datetime('now', '-296 minutes'), 'warning', 'network', 'NET-3301', 'Wi-Fi supplicant restarted with default regulatory domain 00, channels 12 and 13 disabled', NULL),
    (9001, datetime('now', '-291 minutes'), 'error', 'mqtt', 'MQTT-1011', 'Connection lost: keep-alive timeout, reconnecting', 'MqttClient.ping(MqttClient.java:77)'),
    (9001, datetime('now', '-233 minutes'), 'error', 'mqtt', 'MQTT-1011', 'Connection lost: keep-alive timeout, reconnecting', 'MqttClient.ping(MqttClient.java:77)'),
    (9001, datetime('now', '-121 minutes'), 'error', 'mqtt', 'MQTT-1011', 'Connection lost: keep-alive timeout, reconnecting', 'MqttClient.ping(MqttClient.java:77)'),
    (9001, datetime('now', '-48 minutes'), 'error', 'mqtt', 'MQTT-1011', 'Connection lost: keep-alive timeout, reconnecting', 'MqttClient.ping(MqttClient.java:77)'),
    (9001, datetime('now', '-31 minutes'), 'error', 'mqtt', 'MQTT-1011', 'Connection lost: keep-alive timeout, reconnecting', 'MqttClient.ping(MqttClient.java:77)'),
    (9001, datetime('now', '-14 minutes'), 'error', 'mqtt', 'MQTT-1011', 'Connection lost: keep-alive timeout, reconnecting', 'MqttClient.ping(MqttClient.java:77)'),
    (9001, datetime('now', '-47 minutes'), 'warning', 'network', 'NET-3304', 'Wi-Fi signal weak: -83 dBm on channel 11, roaming to no other access point', NULL),
    (9001, datetime('now', '-46 minutes'), 'error', 'sync', 'SYNC-2002', 'POST /api/v1/sync failed: 504 Gateway Timeout, token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0aWxsLTMifQ.c2lnbmF0dXJlLW9mLXRoZS1zYW1wbGU', NULL),
    (9001, datetime('now', '-12 minutes'), 'warning', 'printer', 'PRN-0402', 'Receipt printer: paper low', NULL),
    (9001, datetime('now', '-9 minutes'), 'info', 'kiosk', 'APP-0007', 'Idle screen shown', NULL),
    (9001, datetime('now', '-26 hours'), 'warning', 'cash', 'CSH-0110', 'Cash drawer left open for 10 minutes', NULL),
    (9001, datetime('now', '-2 days'), 'warning', 'license', 'LIC-0021', 'License expires in 30 days', NULL),
    (9001, datetime('now', '-3 days'), 'error', 'scanner', 'USB-0502', 'Barcode scanner disconnected from USB port 2', NULL),
    (9001, datetime('now', '-5 days'), 'warning', 'time', 'NTP-0009', 'Clock drift of 94 s against the time server', NULL),
    (9002, datetime('now', '-40 minutes'), 'warning', 'printer', 'PRN-0402', 'Receipt printer: paper low', NULL),
    (9003, datetime('now', '-6 hours'), 'error', 'storage', 'DSK-0911', 'Disk usage at 97 % on /data', NULL);

INSERT INTO configuration_history (device_id, site_id, time, parameter, changed_by, change_type, old_value, new_value) VALUES
    (9001, 901, datetime('now', '-294 minutes'), 'wifi.country', 'firmware', 'delete', 'PL', NULL),
    (9001, 901, datetime('now', '-293 minutes'), 'mqtt.keepalive_s', 'firmware', 'rollback', '60', '15'),
    (NULL, 901, datetime('now', '-2 days'), 'mqtt.password', 'sam', 'update', 'hunter2-old', 'V3ry-s3cret-new'),
    (9001, 901, datetime('now', '-6 days'), 'display.brightness', 'anna', 'update', '80', '60'),
    (NULL, 901, datetime('now', '-8 days'), 'sync.interval_s', 'sam', 'update', '300', '120'),
    (9001, 901, datetime('now', '-20 days'), 'printer.model', 'anna', 'create', NULL, 'TM-m30'),
    (9003, 902, datetime('now', '-1 days'), 'content.channel', 'rui', 'update', 'stable', 'autumn');

INSERT INTO audit_logs (device_id, site_id, time, event_type, description) VALUES
    (9001, 901, datetime('now', '-305 minutes'), 'job_started', 'Firmware update to 2.4.1 started by schedule'),
    (9001, 901, datetime('now', '-297 minutes'), 'reboot', 'System rebooted after rollback to 2.4.0'),
    (9001, 901, datetime('now', '-55 minutes'), 'reboot', 'System rebooted by staff (power button)'),
    (9001, 901, datetime('now', '-52 minutes'), 'login', 'Cashier 12 logged in'),
    (NULL, 901, datetime('now', '-30 hours'), 'access_point', 'Access point AP-2 moved to the store room'),
    (9001, 901, datetime('now', '-4 days'), 'login', 'Cashier 7 logged in'),
    (9003, 902, datetime('now', '-6 hours'), 'job_started', 'Content update started by rui');

INSERT INTO api_request_logs (device_id, site_id, time, method, endpoint, status_code, response_time_ms) VALUES
    (9001, 901, datetime('now', '-229 minutes'), 'POST', '/api/v1/sync', 504, 30002),
    (9001, 901, datetime('now', '-118 minutes'), 'POST', '/api/v1/sync', 504, 30001),
    (9001, 901, datetime('now', '-46 minutes'), 'POST', '/api/v1/sync', 504, 30002),
    (9001, 901, datetime('now', '-45 minutes'), 'GET', '/api/v1/prices?token=s3cr3t-q-8871', 401, 38),
    (9001, 901, datetime('now', '-20 minutes'), 'GET', '/api/v1/ping', 200, 812),
    (9001, 901, datetime('now', '-11 minutes'), 'POST', '/api/v1/events', 408, 15004),
    (NULL, 901, datetime('now', '-9 hours'), 'GET', '/api/v1/price-lists/latest', 503, 1204),
    (9003, 902, datetime('now', '-6 hours'), 'PUT', '/api/v1/content', 507, 95);

INSERT INTO device_state_history (device_id, time, previous_state, new_state, reason) VALUES
    (9001, datetime('now', '-304 minutes'), 'online', 'updating', 'firmware update to 2.4.1'),
    (9001, datetime('now', '-296 minutes'), 'updating', 'online', 'rolled back to 2.4.0'),
    (9001, datetime('now', '-291 minutes'), 'online', 'offline', 'keep-alive timeout'),
    (9001, datetime('now', '-284 minutes'), 'offline', 'online', 'reconnected'),
    (9001, datetime('now', '-233 minutes'), 'online', 'offline', 'keep-alive timeout'),
    (9001, datetime('now', '-224 minutes'), 'offline', 'online', 'reconnected'),
    (9001, datetime('now', '-121 minutes'), 'online', 'offline', 'keep-alive timeout'),
    (9001, datetime('now', '-55 minutes'), 'offline', 'online', 'reconnected after reboot'),
    (9001, datetime('now', '-48 minutes'), 'online', 'offline', 'keep-alive timeout'),
    (9001, datetime('now', '-40 minutes'), 'offline', 'online', 'reconnected'),
    (9001, datetime('now', '-31 minutes'), 'online', 'offline', 'keep-alive timeout'),
    (9001, datetime('now', '-25 minutes'), 'offline', 'online', 'reconnected'),
    (9001, datetime('now', '-14 minutes'), 'online', 'offline', 'keep-alive timeout'),
    (9002, datetime('now', '-304 minutes'), 'online', 'updating', 'firmware update to 2.4.1'),
    (9002, datetime('now', '-297 minutes'), 'updating', 'online', 'updated to 2.4.1');

INSERT INTO push_notification_logs (device_id, time, provider, status, error_message) VALUES
    (9001, datetime('now', '-3 days'), 'FCM', 'sent', NULL),
    (9001, datetime('now', '-30 hours'), 'FCM', 'sent', NULL),
    (9001, datetime('now', '-230 minutes'), 'FCM', 'failed', 'registration token is not registered'),
    (9001, datetime('now', '-120 minutes'), 'FCM', 'failed', 'registration token is not registered'),
    (9001, datetime('now', '-47 minutes'), 'FCM', 'failed', 'registration token is not registered'),
    (9002, datetime('now', '-2 hours'), 'FCM', 'sent', NULL);

INSERT INTO users (id, username, full_name, role, status, last_login) VALUES
    (9001, 'sam', 'Sam Okoro', 'support engineer', 'active', datetime('now', '-35 minutes')),
    (9002, 'anna', 'Anna Wrona', 'shop manager', 'active', datetime('now', '-2 days'));

INSERT INTO user_activities (user_id, time, activity_type, target_url) VALUES
    (9001, datetime('now', '-34 minutes'), 'page_view', '/sites/KRK-01'),
    (9001, datetime('now', '-33 minutes'), 'page_view', '/devices/7d9f4c3e-5b1a-4e86-9f0d-2c6a81b4e573/logs'),
    (9001, datetime('now', '-28 minutes'), 'restart_requested', '/devices/7d9f4c3e-5b1a-4e86-9f0d-2c6a81b4e573'),
    (9001, datetime('now', '-8 days'), 'page_view', '/reports/weekly'),
    (9002, datetime('now', '-2 days'), 'page_view', '/sites/KRK-01/hours');
