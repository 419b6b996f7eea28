--
-- docs/recipes/prisma-drizzle: what the role of an ORM's migrations may do beside a mirror. bin/check-orm runs the ORMs.
--
\set url `echo "$CLERK_SIM_URL"`
\set VERBOSITY terse
SET timezone = 'UTC';
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000');
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
SELECT clerk_fdw.create_mirror('clerk', 'app');
CALL clerk_fdw.sync('app');

\i ../docs/recipes/prisma-drizzle.sql

SELECT user_id AS owner FROM app.users ORDER BY created_at, user_id LIMIT 1 \gset
SELECT user_id AS newest FROM app.users ORDER BY created_at DESC, user_id LIMIT 1 \gset
SET ROLE migrator;
-- What the ORMs write into their migrations
CREATE TABLE projects (
  id serial PRIMARY KEY,
  name text NOT NULL,
  owner_id text NOT NULL REFERENCES app.users (user_id) ON DELETE RESTRICT ON UPDATE CASCADE
);
INSERT INTO projects (name, owner_id) VALUES ('first', :'owner');
INSERT INTO projects (name, owner_id) VALUES ('second', 'user_nobody');
SELECT p.name, u.email IS NOT NULL AS has_email FROM projects p JOIN app.users u ON u.user_id = p.owner_id;
-- And what they must not
DROP TABLE app.users CASCADE;
DROP SCHEMA app CASCADE;
ALTER TABLE app.users ADD COLUMN nickname text;
UPDATE app.users SET email = 'mine@example.com';
SELECT count(*) FROM app.organizations;
SELECT private_metadata FROM app.users LIMIT 1;
RESET ROLE;

-- A user who has just signed up is not in the mirror yet; sync_user fetches them in the same transaction.
DELETE FROM app.users WHERE user_id = :'newest';
BEGIN;
SELECT clerk_fdw.sync_user('app', :'newest') ->> 'user_id' = :'newest' AS fetched;
INSERT INTO projects (name, owner_id) VALUES ('third', :'newest');
COMMIT;

-- Deleted users stay as rows, so that the foreign keys hold. Where deletes are hard, a referenced row is kept and reported.
SELECT clerk_fdw.alter_mirror('app', deletes => 'hard');
INSERT INTO app.users (user_id, created_at, synced_at) VALUES ('user_gone', '2024-01-01', now()), ('user_gone_too', '2024-01-01', now());
INSERT INTO projects (name, owner_id) VALUES ('fourth', 'user_gone');
CALL clerk_fdw.sync('app', 'full', '{users}');
-- 23001 since PostgreSQL 18, before it 23503.
SELECT object_id, sqlstate IN ('23001', '23503') AS is_referred_to FROM clerk_fdw.sync_errors;
SELECT count(*) AS kept FROM app.users WHERE user_id LIKE 'user_gone%';

DROP TABLE projects;
SELECT clerk_fdw.drop_mirror('app');
SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
DROP OWNED BY migrator;
DROP ROLE migrator;
