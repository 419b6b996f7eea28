--
-- Mirrors: tables that are kept in step with Clerk.
--
\set url `echo "$CLERK_SIM_URL"`
\set VERBOSITY terse
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000', page_size '100');
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');

--
-- Ordinary tables, made from the catalogue
--
SELECT clerk_fdw.create_mirror('clerk', 'clerk');
SELECT object, relation, rows, deleted, last_success, drift, errors, running FROM clerk_fdw.mirror_status ORDER BY object;
SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns
  WHERE table_schema = 'clerk' AND table_name = 'organizations' ORDER BY ordinal_position;
SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'clerk' ORDER BY tablename COLLATE "C", indexname COLLATE "C";
SELECT obj_description('clerk.users'::regclass, 'pg_class') AS comment,
       col_description('clerk.users'::regclass, 1) AS user_id;

--
-- The first sync reads everything, the next one what has changed: of organizations and memberships that cannot be told.
--
CALL clerk_fdw.sync('clerk');
CALL clerk_fdw.sync('clerk');
SELECT object, mode, dry_run, state, rows_read, inserted, updated, unchanged, deleted, errors, message
  FROM clerk_fdw.sync_runs ORDER BY run, object;
SELECT object, relation, server, rows, deleted, lag < interval '1 hour' AS is_recent, drift, errors, running, schedule
  FROM clerk_fdw.mirror_status ORDER BY object;
SELECT * FROM clerk_fdw.sync_progress;

-- They hold what the foreign tables show.
CREATE SCHEMA live;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO live;
SELECT count(*) AS differences
  FROM live.users l FULL JOIN clerk.users m USING (user_id)
  WHERE to_jsonb(l) IS DISTINCT FROM to_jsonb(m) - '{synced_at, deleted_at}'::text[];
SELECT count(*) AS differences
  FROM live.organizations l FULL JOIN clerk.organizations m USING (organization_id)
  WHERE to_jsonb(l) IS DISTINCT FROM to_jsonb(m) - '{synced_at, deleted_at}'::text[];
SELECT count(*) AS differences
  FROM live.organization_memberships l FULL JOIN clerk.organization_memberships m USING (membership_id)
  WHERE to_jsonb(l) IS DISTINCT FROM to_jsonb(m) - '{synced_at, deleted_at}'::text[];

--
-- What differs comes back. Three users look as if they had changed since, 20 are missing, and 10 are here that Clerk does
-- not have.
--
SELECT user_id AS oldest FROM clerk.users ORDER BY created_at LIMIT 1 \gset
UPDATE clerk.users SET email = 'changed@example.com'
  WHERE user_id IN (SELECT user_id FROM clerk.users ORDER BY created_at LIMIT 3);
DELETE FROM clerk.users WHERE user_id IN (SELECT user_id FROM clerk.users ORDER BY created_at OFFSET 600 LIMIT 20);
INSERT INTO clerk.users (user_id, created_at, synced_at)
  SELECT 'user_gone_' || n, (SELECT created_at FROM clerk.users ORDER BY created_at OFFSET 300 LIMIT 1), now()
    FROM generate_series(1, 10) n;

-- A dry run tells what a sync would do, and does nothing.
CALL clerk_fdw.sync('clerk', 'full', '{users}', dry_run => true);
SELECT count(*) FROM clerk.users;

-- What was changed, inserted or deleted here alone, an incremental sync cannot see.
CALL clerk_fdw.sync('clerk', 'incremental', '{users}');
SELECT count(*) FILTER (WHERE deleted_at IS NULL) AS users, count(deleted_at) AS deleted,
       count(*) FILTER (WHERE email = 'changed@example.com') AS changed_here FROM clerk.users;
CALL clerk_fdw.sync('clerk', 'full', '{users}');
SELECT count(*) AS changed_here FROM clerk.users WHERE email = 'changed@example.com';

-- Whoever is deleted in the mirror alone is alive again.
UPDATE clerk.users SET deleted_at = now(), synced_at = now() WHERE user_id = :'oldest';
CALL clerk_fdw.sync('clerk', 'full', '{users}');
SELECT deleted_at FROM clerk.users WHERE user_id = :'oldest';

--
-- So many deletions look like an accident.
--
INSERT INTO clerk.users (user_id, created_at, synced_at) SELECT 'user_many_' || n, now(), now() FROM generate_series(1, 400) n;
\set VERBOSITY default
CALL clerk_fdw.sync('clerk', 'full', '{users}');
\set VERBOSITY terse
SELECT object, mode, state, deleted, message FROM clerk_fdw.sync_runs ORDER BY run DESC LIMIT 1;
SELECT rows, deleted FROM clerk_fdw.mirror_status WHERE object = 'users';
CALL clerk_fdw.sync('clerk', 'full', '{users}', force => true);
SELECT rows, deleted FROM clerk_fdw.mirror_status WHERE object = 'users';

--
-- Single objects, in this transaction
--
UPDATE clerk.users SET email = 'changed@example.com' WHERE user_id = :'oldest';
BEGIN;
SELECT clerk_fdw.sync_object('clerk', 'users', :'oldest') ->> 'email' = live.email AS is_live
  FROM live.users live WHERE user_id = :'oldest';
ROLLBACK;
SELECT email FROM clerk.users WHERE user_id = :'oldest';
SELECT clerk_fdw.sync_object('clerk', 'users', 'user_nobody');
INSERT INTO clerk.users (user_id, synced_at) VALUES ('user_gone', now());
SELECT clerk_fdw.sync_object('clerk', 'users', 'user_gone') ->> 'deleted_at' IS NOT NULL AS is_deleted;
SELECT clerk_fdw.sync_object('clerk', 'organization_memberships', 'orgmem_nobody');

-- A user with everything that belongs to them.
SELECT user_id AS member FROM live.organization_memberships GROUP BY user_id HAVING count(*) > 1 ORDER BY min(created_at) LIMIT 1 \gset
DELETE FROM clerk.organization_memberships WHERE user_id = :'member';
DELETE FROM clerk.users WHERE user_id = :'member';
SELECT clerk_fdw.sync_user('clerk', :'member') ->> 'user_id' = :'member' AS is_there;
SELECT (SELECT count(*) FROM clerk.organization_memberships WHERE user_id = :'member')
     = (SELECT count(*) FROM live.organization_memberships WHERE user_id = :'member') AS all_memberships;

-- Where Clerk cannot be reached, the row as it is may do.
ALTER SERVER clerk OPTIONS (SET api_url 'http://127.0.0.1:1', ADD max_retries '0');
\set VERBOSITY sqlstate
SELECT clerk_fdw.sync_object('clerk', 'users', :'oldest');
\set VERBOSITY terse
SET client_min_messages = error;
SELECT clerk_fdw.sync_object('clerk', 'users', :'oldest', fallback => true) ->> 'user_id' = :'oldest' AS is_there;
RESET client_min_messages;
ALTER SERVER clerk OPTIONS (SET api_url :'url', DROP max_retries);

--
-- Tables that were there before. Values are expressions over the object's columns.
--
CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  clerk_id text UNIQUE,
  mail text,
  full_name text,
  plan text CHECK (plan <> 'pro'),
  note text
);
INSERT INTO customers (clerk_id, note) VALUES (:'oldest', 'kept'), (NULL, 'not Clerk''s');
SELECT clerk_fdw.create_mirror('clerk', 'crm', '{users}', tables => '{"users": "public.customers"}', columns => '{"users": {
  "clerk_id": "user_id", "mail": "lower(email)", "full_name": "concat_ws('' '', first_name, last_name)",
  "plan": "public_metadata ->> ''plan''"}}', deletes => 'hard');
SELECT column_name, data_type FROM information_schema.columns
  WHERE table_schema = 'public' AND table_name = 'customers' ORDER BY ordinal_position;

-- What the table does not take is left out, said, and tried again.
CALL clerk_fdw.sync('crm');
SELECT split_part(reason, ' (', 1) AS reason, sqlstate, count(*), count(DISTINCT object_id) = count(*) AS once, count(resolved_at) AS resolved
  FROM clerk_fdw.sync_errors GROUP BY 1, 2;
SELECT count(*) AS missing FROM live.users l
  WHERE NOT EXISTS (SELECT FROM customers c WHERE c.clerk_id = l.user_id)
    AND l.public_metadata ->> 'plan' IS DISTINCT FROM 'pro';
ALTER TABLE customers DROP CONSTRAINT customers_plan_check;
CALL clerk_fdw.sync('crm');
SELECT count(*) = count(resolved_at) AS all_resolved FROM clerk_fdw.sync_errors;
SELECT object, relation, rows, drift, errors FROM clerk_fdw.mirror_status WHERE mirror = 'crm';
SELECT note, count(*), count(clerk_id), count(clerk_synced_at) FROM customers GROUP BY 1 ORDER BY 1;

--
-- Without a schema, one that is named after the server and not in the way of its foreign tables
--
SELECT clerk_fdw.create_mirror('clerk', objects => '{organizations}');
SELECT relation FROM clerk_fdw.mirror_status WHERE mirror = 'clerk_mirror';
SELECT clerk_fdw.drop_mirror('clerk_mirror');

--
-- Mistakes
--
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT clerk_fdw.create_mirror('nowhere');
SELECT clerk_fdw.create_mirror('clerk', 'clerk');
SELECT clerk_fdw.create_mirror('clerk', 'x', '{users, customers}');
SELECT clerk_fdw.create_mirror('clerk', 'x', columns => '{"users": {"id": "user_id"}}');
SELECT clerk_fdw.create_mirror('clerk', 'x', deletes => 'never');
CREATE TABLE strangers (name text, mail text);
SELECT clerk_fdw.create_mirror('clerk', 'x', '{users}', '{"users": "public.strangers"}');
SELECT clerk_fdw.create_mirror('clerk', 'x', '{users}', '{"users": "public.strangers"}', '{"users": {"mail": "email"}}');
SELECT clerk_fdw.create_mirror('clerk', 'x', '{users}', '{"users": "public.strangers"}', '{"users": {"name": "user_id"}}');
SELECT clerk_fdw.create_mirror('clerk', 'x', '{users}', '{"users": "public.strangers"}', '{"users": {"who": "user_id"}}');
SELECT clerk_fdw.create_mirror('clerk', 'x', '{users}', '{"users": "live.users"}');
CALL clerk_fdw.sync('nothing');
CALL clerk_fdw.sync(NULL);
CALL clerk_fdw.sync('clerk', 'partial');
CALL clerk_fdw.sync('crm', objects => '{organizations}');
SELECT clerk_fdw.sync_user('nothing', 'user_1');
SELECT clerk_fdw.drop_mirror('nothing');
BEGIN;
CALL clerk_fdw.sync('clerk');
ROLLBACK;

--
-- A mirror goes with its tables, but for those that were there before and what else is in its schema.
--
SELECT clerk_fdw.drop_mirror('crm');
SELECT count(*) > 1200 AS kept FROM customers;
CREATE VIEW clerk.something AS SELECT 1 AS one;
SELECT clerk_fdw.drop_mirror('clerk');
SELECT to_regclass('clerk.users') IS NULL AS gone, to_regclass('clerk.something') AS stays;
SELECT count(*) FROM clerk_fdw.mirror_status;
SELECT clerk_fdw.create_mirror('clerk', 'kept', '{organizations}');
CALL clerk_fdw.sync('kept');
SELECT clerk_fdw.drop_mirror('kept', keep_tables => true);
SELECT count(*) FROM kept.organizations;

SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
DROP TABLE customers, strangers;
DROP SCHEMA live, kept, clerk CASCADE;
