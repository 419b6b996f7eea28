--
-- INSERT, UPDATE, DELETE and COPY change Clerk's data.
--
\set url `echo "$CLERK_SIM_URL"`
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000');
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;

-- Not before somebody has said so.
INSERT INTO clerk.organizations (name) VALUES ('Acme');
DELETE FROM clerk.users;
SELECT pg_relation_is_updatable('clerk.users', false), pg_relation_is_updatable('clerk.billing_plans', false);
ALTER SERVER clerk OPTIONS (ADD updatable 'true');
SELECT pg_relation_is_updatable('clerk.users', false), pg_relation_is_updatable('clerk.billing_plans', false);
ALTER FOREIGN TABLE clerk.users OPTIONS (ADD updatable 'false');
DELETE FROM clerk.users;
ALTER FOREIGN TABLE clerk.users OPTIONS (DROP updatable);

--
-- INSERT
--
-- RETURNING shows what Clerk has made of a row.
INSERT INTO clerk.users (first_name, email, public_metadata) VALUES ('Ada', 'ada@modify.example', '{"plan": "free", "seats": 1}')
  RETURNING user_id AS ada, first_name, email, banned, password_enabled, public_metadata \gset
\echo :first_name :email :banned :password_enabled :public_metadata
INSERT INTO clerk.organizations (name, slug, created_by) VALUES ('Acme', 'acme-modify', :'ada')
  RETURNING name, slug, members_count, starts_with(organization_id, 'org_') AS has_id;
SELECT role FROM clerk.organization_memberships WHERE user_id = :'ada';
-- What only Clerk takes and never shows is given in attrs. Columns win.
INSERT INTO clerk.users (email, attrs) VALUES ('eva@modify.example', '{"password": "correct horse", "first_name": "Eva"}')
  RETURNING first_name, email, password_enabled, attrs ? 'password' AS shows_password;
-- A part of a user.
INSERT INTO clerk.user_email_addresses (user_id, email_address) VALUES (:'ada', 'ada2@modify.example')
  RETURNING email_address, is_primary;
-- Nothing is sent that Clerk would not take.
INSERT INTO clerk.organizations (slug) VALUES ('nameless');
INSERT INTO clerk.organizations (name, members_count) VALUES ('Acme', 7);
INSERT INTO clerk.organizations (attrs) VALUES ('{"name": "Acme", "colour": "red"}');
INSERT INTO clerk.organizations (attrs) VALUES ('{"name": 7}');
INSERT INTO clerk.jwt_templates (name, claims, lifetime) VALUES ('short', '{}', 1);
-- Several rows, also by COPY.
INSERT INTO clerk.organizations (name, slug) VALUES ('Bell', 'bell-modify'), ('Cent', 'cent-modify');
COPY clerk.organizations (name, slug) FROM STDIN;
Dime	dime-modify
Edge	edge-modify
\.
SELECT name, slug FROM clerk.organizations WHERE slug LIKE '%-modify' ORDER BY slug COLLATE "C";

--
-- ON CONFLICT
--
INSERT INTO clerk.organizations (name, slug) VALUES ('Other', 'acme-modify'), ('Fern', 'fern-modify')
  ON CONFLICT DO NOTHING RETURNING name;
INSERT INTO clerk.organizations AS o (name, slug) VALUES ('Acme & Co.', 'acme-modify')
  ON CONFLICT (slug) DO UPDATE SET name = excluded.name || ', once ' || o.name RETURNING name;
INSERT INTO clerk.organizations (name) VALUES ('Acme') ON CONFLICT (name) DO NOTHING;
INSERT INTO clerk.machines (name) VALUES ('Loom') ON CONFLICT DO NOTHING;

--
-- UPDATE
--
EXPLAIN (COSTS OFF) UPDATE clerk.organizations SET name = 'Acme' WHERE slug = 'acme-modify';
UPDATE clerk.organizations SET name = 'Acme' WHERE slug = 'acme-modify' RETURNING name;
-- Metadata is merged, so that only what differs is sent.
UPDATE clerk.users SET public_metadata = public_metadata || '{"plan": "pro"}' WHERE user_id = :'ada' RETURNING public_metadata;
UPDATE clerk.users SET public_metadata = '{"plan": "pro"}' WHERE user_id = :'ada' RETURNING public_metadata;
-- Several requests stand behind one row.
UPDATE clerk.users SET last_name = 'Lovelace', banned = true, locked = true WHERE user_id = :'ada' RETURNING last_name, banned, locked;
UPDATE clerk.users SET banned = false, locked = false WHERE user_id = :'ada' RETURNING last_name, banned, locked;
-- What Clerk cannot change.
UPDATE clerk.users SET email = 'other@modify.example' WHERE user_id = :'ada';
UPDATE clerk.organizations SET members_count = 8 WHERE slug = 'acme-modify';
UPDATE clerk.invitations SET email_address = 'other@modify.example';

--
-- What a rollback does not reach
--
BEGIN;
UPDATE clerk.organizations SET name = 'Rolled back' WHERE slug = 'bell-modify';
DELETE FROM clerk.organizations WHERE slug = 'cent-modify';
ROLLBACK;
SELECT name, slug FROM clerk.organizations WHERE slug IN ('bell-modify', 'cent-modify');
-- Of a statement that fails, the rows before stay, of which a warning tells.
\set VERBOSITY sqlstate
SET client_min_messages = error;
INSERT INTO clerk.organizations (name, slug) VALUES ('Gold', 'gold-modify'), ('Acme', 'Not A Slug') RETURNING name;
RESET client_min_messages;
\set VERBOSITY default
SELECT count(*) FROM clerk.organizations WHERE slug = 'gold-modify';

--
-- DELETE
--
DELETE FROM clerk.user_email_addresses WHERE email_address = 'ada2@modify.example' RETURNING email_address;
DELETE FROM clerk.organization_memberships WHERE user_id = :'ada' RETURNING role;
WITH deleted AS (DELETE FROM clerk.organizations WHERE slug LIKE '%-modify' RETURNING slug)
  SELECT slug FROM deleted ORDER BY slug COLLATE "C";
WITH deleted AS (DELETE FROM clerk.users WHERE email IN ('ada@modify.example', 'eva@modify.example') RETURNING email)
  SELECT email FROM deleted ORDER BY email COLLATE "C";
DELETE FROM clerk.users WHERE user_id = :'ada';
TRUNCATE clerk.users;

SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
DROP SCHEMA clerk;
