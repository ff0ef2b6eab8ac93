-- SPDX-License-Identifier: Apache-2.0
--
-- Sample people and plans for the recipe `assistant`. All times count from the moment this runs; running it again renews the rows of
-- the sample users and touches no others. It runs on SQLite as it is, and on PostgreSQL after data/postgres/sample-times.sql, which teaches
-- it datetime() and date().

DELETE FROM user_watchlist WHERE user_id IN ('demo', 'jordan');
DELETE FROM calendar_events WHERE user_id IN ('demo', 'jordan');
DELETE FROM tasks WHERE user_id IN ('demo', 'jordan');
DELETE FROM users WHERE id IN ('demo', 'jordan');

INSERT INTO users (id, name, email, preferences, timezone, location) VALUES
    ('demo', 'Maya Lindqvist', 'maya.lindqvist@example.org',
     '{"temperature_unit":"C","tone":"concise","diet":"vegetarian","work_hours":"09:00-17:30"}',
     'Europe/Stockholm', 'Stockholm'),
    ('jordan', 'Jordan Ellis', 'jordan.ellis@example.org',
     '{"temperature_unit":"F","tone":"detailed","units":"imperial"}',
     'America/Chicago', 'Chicago');

-- Days count from today, hours are UTC; Stockholm is one or two hours ahead.
WITH events (id, user_id, title, description, day, start, minutes, location) AS (
    VALUES
        ('evt-101', 'demo', 'Team stand-up', 'Yesterday, today, what is in the way.', '-1', 8 * 60, 15, 'Video call'),
        ('evt-102', 'demo', 'Physiotherapy', 'Left knee, fourth of six sessions.', '-1', 15 * 60, 45, 'Rehab Odenplan'),
        ('evt-104', 'demo', 'Team stand-up', 'Yesterday, today, what is in the way.', '+1', 8 * 60, 15, 'Video call'),
        ('evt-105', 'demo', 'Design review: offline sync', 'Decide between operation log and state merge. Read the draft before.', '+1', 9 * 60, 60, 'Room Vinga'),
        ('evt-106', 'demo', 'Lunch with Karin', NULL, '+1', 11 * 60, 60, 'Hermans'),
        ('evt-107', 'demo', 'Pick up Elsa from football', 'She plays until half past five.', '+1', 16 * 60 + 20, 40, 'Stadshagens IP'),
        ('evt-108', 'demo', 'Team stand-up', 'Yesterday, today, what is in the way.', '+2', 8 * 60, 15, 'Video call'),
        ('evt-109', 'demo', 'Interview: backend engineer', 'Second round with Tomasz Wilk; you lead the systems part.', '+2', 12 * 60, 90, 'Room Marstrand'),
        ('evt-110', 'demo', 'Choir rehearsal', 'Bring the Lauridsen score.', '+2', 17 * 60 + 30, 120, 'Sofia kyrka'),
        ('evt-111', 'demo', 'Dentist', 'Yearly check-up.', '+3', 7 * 60, 30, 'Folktandvården Eastman'),
        ('evt-112', 'demo', 'Quarterly planning', 'Bring the capacity figures for the next quarter.', '+3', 12 * 60, 180, 'Room Vinga'),
        ('evt-113', 'demo', 'One-to-one with Henrik', 'Talk about the move to the platform group.', '+4', 9 * 60, 30, 'Video call'),
        ('evt-114', 'demo', 'Release 4.2 go/no-go', 'Crash rate, open blockers, roll-out plan.', '+4', 13 * 60, 45, 'Video call'),
        ('evt-115', 'demo', 'Train to Gothenburg', 'Seat 42 in car 3, quiet compartment.', '+5', 6 * 60 + 10, 185, 'Stockholm C'),
        ('evt-116', 'demo', 'Grandmother''s 90th birthday', 'Cake is ordered; speech is yours.', '+5', 13 * 60, 240, 'Gothenburg'),
        ('evt-117', 'demo', 'Train to Stockholm', NULL, '+6', 14 * 60 + 5, 190, 'Göteborg C'),
        ('evt-118', 'demo', 'Parents'' evening', 'Class 5B, with Ms Holm.', '+9', 17 * 60, 90, 'Adolf Fredriks skola'),
        ('evt-119', 'demo', 'Winter tyres', 'Leave the car before eight.', '+12', 6 * 60 + 45, 60, 'Vianor Solna'),
        ('evt-201', 'jordan', 'Gym', NULL, '+1', 12 * 60, 60, 'West Loop'),
        ('evt-202', 'jordan', 'Sales forecast', 'Numbers by region.', '+1', 16 * 60, 60, 'Room 12'),
        ('evt-203', 'jordan', 'Flight to Denver', 'Gate closes 20 minutes before.', '+3', 21 * 60, 150, 'ORD'),
        ('evt-204', 'jordan', 'Book club', 'Chapters 9 to 14.', '+4', 24 * 60, 120, 'Logan Square')
)
INSERT INTO calendar_events (id, user_id, title, description, start_time, end_time, location)
SELECT id, user_id, title, description,
       datetime('now', 'start of day', day || ' days', start || ' minutes'),
       datetime('now', 'start of day', day || ' days', (start + minutes) || ' minutes'),
       location
FROM events;

-- One that is under way whenever this is read, and one that is about to begin.
INSERT INTO calendar_events (id, user_id, title, description, start_time, end_time, location) VALUES
    ('evt-103', 'demo', 'Focus time', 'No meetings: finish the sync draft.', datetime('now', '-30 minutes'), datetime('now', '+90 minutes'), NULL),
    ('evt-120', 'demo', 'Call the insurance', 'Claim 88-2041, ask for Mr Berg.', datetime('now', '+3 hours'), datetime('now', '+3 hours', '+20 minutes'), 'Phone');

-- due: days from today as a date alone, '' for none.
WITH plans (id, user_id, title, description, priority, due, status) AS (
    VALUES
        ('tsk-01', 'demo', 'Fix data loss when the phone sleeps during sync', 'Three reports since Monday. Reproduces on Android 14 with battery saver on.', 'urgent', '0', 'in_progress'),
        ('tsk-02', 'demo', 'Pay the electricity bill', 'Autogiro failed, reference 7712 0045 1.', 'urgent', '+1', 'pending'),
        ('tsk-03', 'demo', 'Send comments on the sync draft', 'Henrik wants them before the review.', 'high', '+1', 'in_progress'),
        ('tsk-04', 'demo', 'Prepare systems questions for Tomasz', 'Queues, backpressure, one past incident.', 'high', '+2', 'pending'),
        ('tsk-05', 'demo', 'Write the birthday speech', 'Five minutes. Ask Uncle Lars about the sailing story.', 'high', '+4', 'pending'),
        ('tsk-06', 'demo', 'Collect capacity figures for planning', NULL, 'high', '+3', 'pending'),
        ('tsk-07', 'demo', 'Renew the domain lindqvist.example', 'Expires at the end of the month.', 'high', '', 'pending'),
        ('tsk-08', 'demo', 'Review the battery telemetry change', 'Pull request 1187, two files.', 'medium', '+1', 'pending'),
        ('tsk-09', 'demo', 'Book the Airbnb in Lisbon', 'Second week of the spring holiday, four people.', 'medium', '+6', 'pending'),
        ('tsk-10', 'demo', 'Update the on-call handbook', 'The database page still names the old host.', 'medium', '+8', 'in_progress'),
        ('tsk-11', 'demo', 'Buy a new football bag for Elsa', NULL, 'medium', '', 'pending'),
        ('tsk-12', 'demo', 'Answer the landlord about the balcony', 'He proposes April or June.', 'medium', '-2', 'pending'),
        ('tsk-13', 'demo', 'Sort the photos from Öland', NULL, 'low', '', 'pending'),
        ('tsk-14', 'demo', 'Return library books', 'Two are reserved by others.', 'low', '+5', 'pending'),
        ('tsk-15', 'demo', 'Try the new sourdough recipe', NULL, 'low', '', 'pending'),
        ('tsk-16', 'demo', 'Order the birthday cake', 'Princess cake for 25.', 'high', '-1', 'completed'),
        ('tsk-17', 'demo', 'Migrate the wiki', 'Dropped: stays where it is.', 'urgent', '-3', 'cancelled'),
        ('tsk-18', 'demo', 'Send the travel receipts', NULL, 'medium', '-5', 'completed'),
        ('tsk-51', 'jordan', 'Send the forecast to Priya', NULL, 'urgent', '0', 'pending'),
        ('tsk-52', 'jordan', 'Change the furnace filter', NULL, 'low', '+9', 'pending'),
        ('tsk-53', 'jordan', 'File the expense report', NULL, 'medium', '-1', 'completed')
)
INSERT INTO tasks (id, user_id, title, description, priority, due_date, status)
SELECT id, user_id, title, description, priority, CASE WHEN due = '' THEN NULL ELSE date('now', due || ' days') END, status
FROM plans;

INSERT INTO user_watchlist (id, user_id, symbol, asset_type) VALUES
    ('wl-1', 'demo', 'BTC-USD', 'crypto'),
    ('wl-2', 'demo', 'ERIC', 'stock'),
    ('wl-3', 'demo', 'ETH-USD', 'crypto'),
    ('wl-4', 'demo', 'NVDA', 'stock'),
    ('wl-5', 'demo', 'SPOT', 'stock'),
    ('wl-6', 'jordan', 'AAPL', 'stock'),
    ('wl-7', 'jordan', 'ETH-USD', 'crypto'),
    ('wl-8', 'jordan', 'NVDA', 'stock');
