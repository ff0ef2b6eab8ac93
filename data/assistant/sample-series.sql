-- SPDX-License-Identifier: Apache-2.0
--
-- Sample measurements for the recipe `assistant`: three days of weather, two of prices, one of device states. All times count from the
-- moment this runs; running it again renews the sample's rows and touches no others. It runs on SQLite as it is, and on PostgreSQL and
-- TimescaleDB after data/postgres/sample-times.sql, which teaches them datetime().

DELETE FROM weather_data WHERE location IN ('Stockholm', 'Gothenburg', 'Chicago');
DELETE FROM financial_data WHERE symbol IN ('AAPL', 'BTC-USD', 'ERIC', 'ETH-USD', 'NVDA', 'SPOT', 'TSLA');
DELETE FROM smart_home_states WHERE user_id IN ('demo', 'jordan');

-- A reading an hour, the newest ten minutes old; warmest in the afternoon.
WITH RECURSIVE hours (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM hours WHERE n < 71),
places (location, unit, mean, swing, humidity) AS (
    VALUES ('Stockholm', 'C', 4.5, 3.0, 78), ('Gothenburg', 'C', 6.5, 2.5, 82), ('Chicago', 'F', 0.0, 9.0, 61)
)
INSERT INTO weather_data (time, location, temperature, unit, humidity, conditions, forecast)
SELECT datetime('now', '-10 minutes', '-' || n || ' hours'), location,
       -- Chicago's newest reading is exactly 0 °F: zero is a temperature.
       CASE WHEN n = 0 THEN mean
            ELSE round(mean + swing * (12 - abs((n + 6) % 24 - 12)) / 12.0 + (n * 37 % 11 - 5) / 10.0, 1) END,
       unit, humidity + n * 13 % 9,
       CASE n * 7 % 5 WHEN 0 THEN 'light rain' WHEN 1 THEN 'overcast' WHEN 2 THEN 'partly cloudy' WHEN 3 THEN 'clear' ELSE 'mist' END,
       NULL
FROM hours, places;

UPDATE weather_data
SET forecast = '[{"day":"tonight","summary":"light rain","low":2,"high":5},{"day":"tomorrow","summary":"clearing up","low":1,"high":6},{"day":"the day after","summary":"clear and cold","low":-3,"high":2}]'
WHERE location = 'Stockholm' AND time >= datetime('now', '-1 hours');

UPDATE weather_data
SET conditions = 'light snow', forecast = '[{"day":"tonight","summary":"snow showers","low":-8,"high":3},{"day":"tomorrow","summary":"blowing snow","low":-4,"high":11}]'
WHERE location = 'Chicago' AND time >= datetime('now', '-1 hours');

-- A price every half hour, the newest two minutes old; drifts up to about one percent around its base. TSLA is on nobody's list.
WITH RECURSIVE steps (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM steps WHERE n < 47),
symbols (symbol, base, volume, seed) AS (
    VALUES ('AAPL', 231.4, 41200, 3), ('BTC-USD', 91842.5, 310, 7), ('ERIC', 8.21, 9800, 11),
           ('ETH-USD', 3120.75, 2900, 13), ('NVDA', 142.05, 98000, 19),
           ('SPOT', 474.9, 2100, 23), ('TSLA', 338.6, 67000, 29)
),
moves (n, symbol, base, volume, move) AS (
    SELECT n, symbol, base, volume, ((n + 3) * seed * 97 % 201 - 100) / 100.0 FROM steps, symbols
)
INSERT INTO financial_data (time, symbol, price, volume, change_percent)
SELECT datetime('now', '-2 minutes', '-' || (n * 30) || ' minutes'), symbol,
       round(base * (1 + move / 100), 2), volume + n * 17, round(move, 2)
FROM moves;

-- One price with all the digits a ledger keeps.
UPDATE financial_data SET price = '91842.50128755' WHERE symbol = 'BTC-USD' AND time >= datetime('now', '-10 minutes');

-- A state an hour for each device; what is written last is what holds.
WITH RECURSIVE hours (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM hours WHERE n < 23)
INSERT INTO smart_home_states (time, user_id, device_id, device_name, device_type, state)
SELECT datetime('now', '-' || n || ' hours'), 'demo', 'light-hall', 'Hall light', 'light', '{"on":false}' FROM hours;
WITH RECURSIVE hours (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM hours WHERE n < 23)
INSERT INTO smart_home_states (time, user_id, device_id, device_name, device_type, state)
SELECT datetime('now', '-' || n || ' hours'), 'demo', 'light-living', 'Living room lamp', 'light', '{"on":false,"brightness":0}' FROM hours;
WITH RECURSIVE hours (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM hours WHERE n < 23)
INSERT INTO smart_home_states (time, user_id, device_id, device_name, device_type, state)
SELECT datetime('now', '-' || n || ' hours'), 'demo', 'thermostat-1', 'Thermostat', 'thermostat', '{"mode":"eco","target":18,"current":18.4}' FROM hours;
WITH RECURSIVE hours (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM hours WHERE n < 23)
INSERT INTO smart_home_states (time, user_id, device_id, device_name, device_type, state)
SELECT datetime('now', '-' || n || ' hours'), 'demo', 'lock-front', 'Front door', 'lock', '{"locked":true}' FROM hours;
WITH RECURSIVE hours (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM hours WHERE n < 23)
INSERT INTO smart_home_states (time, user_id, device_id, device_name, device_type, state)
SELECT datetime('now', '-' || n || ' hours'), 'jordan', 'light-porch', 'Porch light', 'light', '{"on":true}' FROM hours;

INSERT INTO smart_home_states (time, user_id, device_id, device_name, device_type, state) VALUES
    (datetime('now', '-1 minutes'), 'demo', 'light-hall', 'Hall light', 'light', '{"on":false}'),
    (datetime('now', '-1 minutes'), 'demo', 'light-living', 'Living room lamp', 'light', '{"on":true,"brightness":40}'),
    (datetime('now', '-2 minutes'), 'demo', 'thermostat-1', 'Thermostat', 'thermostat', '{"mode":"heat","target":20.5,"current":19.8}'),
    (datetime('now', '-2 minutes'), 'demo', 'lock-front', 'Front door', 'lock', '{"locked":true}'),
    (datetime('now', '-3 minutes'), 'demo', 'washer-1', 'Washing machine', 'appliance', '{"phase":"rinse","minutes_left":24}'),
    (datetime('now', '-3 minutes'), 'demo', 'window-bed', 'Bedroom window', 'sensor', '{"open":true}'),
    (datetime('now', '-4 minutes'), 'demo', 'air-living', 'Air sensor', 'sensor', '{"co2_ppm":612,"humidity":41}'),
    -- Has not been heard of for hours: its age must show.
    (datetime('now', '-7 hours'), 'demo', 'bike-tracker', 'Bike tracker', 'tracker', '{"battery_percent":12,"place":"home"}'),
    (datetime('now', '-1 minutes'), 'jordan', 'light-porch', 'Porch light', 'light', '{"on":false}');
