-- SPDX-License-Identifier: Apache-2.0
--
-- The database of the recipe `device` on the PostgreSQL of docker-compose.yml, when that one begins: its own, as both recipes have a table
-- `users`. The schemas lie beside this file there.

CREATE DATABASE fleet;
\connect fleet
\ir device/fleet.sql
\ir device/incidents.sql
