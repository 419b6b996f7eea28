--
-- The whole way once: from CREATE EXTENSION to Clerk's users in an ordinary table.
--
\set url `echo "$CLERK_SIM_URL"`
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- The extension brings the wrapper along, ready to use.
CREATE EXTENSION clerk_fdw;
SELECT fdwname, fdwhandler::regproc AS handler, fdwvalidator::regproc AS validator, obj_description(oid, 'pg_foreign_data_wrapper')
  FROM pg_foreign_data_wrapper WHERE fdwname = 'clerk_fdw';

-- One server for each Clerk instance. Without api_url it is Clerk itself; here it is the simulated one, which answers as
-- many requests as one likes.
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000');
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;

--
-- What was imported
--
SELECT foreign_table_name, obj_description(format('clerk.%I', foreign_table_name)::regclass, 'pg_class') AS comment
  FROM information_schema.foreign_tables WHERE foreign_table_schema = 'clerk' ORDER BY foreign_table_name COLLATE "C";
SELECT attrelid::regclass AS foreign_table, attname AS column, format_type(atttypid, atttypmod) AS type
  FROM pg_attribute
  WHERE attrelid IN ('clerk.users'::regclass, 'clerk.organizations'::regclass, 'clerk.organization_memberships'::regclass)
    AND attnum > 0 AND NOT attisdropped
  ORDER BY attrelid::regclass::text COLLATE "C" DESC, attnum;

-- Each column says what it is; some examples.
SELECT attname AS column, col_description(attrelid, attnum) AS comment
  FROM pg_attribute
  WHERE attrelid = 'clerk.users'::regclass AND attname IN ('email', 'phone_number', 'last_sign_in_at', 'unsafe_metadata')
  ORDER BY attnum;

-- The same is in the extension's own catalogue, for every object and in the same order: no difference.
(SELECT c.relname, a.attname, replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz'),
        col_description(a.attrelid, a.attnum), row_number() OVER (PARTITION BY c.relname ORDER BY a.attnum)
   FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
   WHERE c.relnamespace = 'clerk'::regnamespace)
EXCEPT
SELECT object, column_name, data_type, description, row_number() OVER (PARTITION BY object ORDER BY number)
  FROM clerk_fdw.columns() WITH ORDINALITY AS columns (object, column_name, aliases, data_type, is_id, is_looked_up, description, visibility, number);
SELECT count(*) = (SELECT count(*) FROM information_schema.columns WHERE table_schema = 'clerk') AS complete
  FROM clerk_fdw.columns();

--
-- Everyday questions
--
SELECT (SELECT count(*) FROM clerk.users) AS users,
       (SELECT count(*) FROM clerk.organizations) AS organizations,
       (SELECT count(*) FROM clerk.organization_memberships) AS memberships;

-- The newest users.
SELECT email, created_at, last_sign_in_at FROM clerk.users ORDER BY created_at DESC LIMIT 3;

-- Who is this? By id it is one request.
SELECT user_id AS newest FROM clerk.users ORDER BY created_at DESC LIMIT 1 \gset
SELECT first_name, last_name, email, banned, two_factor_enabled, external_id, last_active_at
  FROM clerk.users WHERE user_id = :'newest';

-- How many signed up each year, and how many of them came back?
SELECT extract(year FROM created_at)::integer AS year, count(*), count(last_sign_in_at) AS signed_in
  FROM clerk.users GROUP BY 1 ORDER BY 1;

-- Who pays? The application keeps that in the public metadata.
SELECT coalesce(public_metadata->>'plan', 'none') AS plan, count(*) FROM clerk.users GROUP BY 1 ORDER BY 2 DESC;

-- The largest organizations and their admins. Clerk's own count of members says the same as the memberships.
SELECT o.members_count, count(*) AS counted, count(*) FILTER (WHERE m.role = 'org:admin') AS admins, o.name
  FROM clerk.organizations o JOIN clerk.organization_memberships m USING (organization_id)
  GROUP BY o.organization_id, o.name, o.members_count ORDER BY 1 DESC LIMIT 3;

-- Is anyone banned but still a member somewhere?
SELECT count(DISTINCT user_id) AS people, count(*) AS memberships
  FROM clerk.users JOIN clerk.organization_memberships USING (user_id) WHERE banned;

--
-- Into tables of one's own
--
CREATE TABLE users_copy AS SELECT * FROM clerk.users;
ALTER TABLE users_copy ADD PRIMARY KEY (user_id);
SELECT count(*) AS differences FROM clerk.users u FULL JOIN users_copy c USING (user_id) WHERE u IS DISTINCT FROM c;

-- A row that has changed here comes back, one that is missing comes again.
UPDATE users_copy SET email = 'changed@example.com' WHERE user_id = :'newest';
DELETE FROM users_copy WHERE user_id IN (SELECT user_id FROM users_copy ORDER BY created_at LIMIT 10);
INSERT INTO users_copy SELECT * FROM clerk.users
  ON CONFLICT (user_id) DO UPDATE SET email = excluded.email, attrs = excluded.attrs
  WHERE users_copy.updated_at <= excluded.updated_at AND users_copy.email IS DISTINCT FROM excluded.email;
SELECT count(*) AS differences FROM clerk.users u FULL JOIN users_copy c USING (user_id) WHERE u IS DISTINCT FROM c;

-- Clerk's organizations may stand beside an application's own tables in one query.
CREATE TABLE invoices (organization_id text, cents integer);
INSERT INTO invoices SELECT organization_id, 100 * members_count FROM clerk.organizations WHERE max_allowed_memberships = 0;
SELECT count(*) AS invoices, sum(cents) = 100 * sum(members_count) AS right_sum
  FROM invoices JOIN clerk.organizations USING (organization_id);

--
-- It all goes with the extension, but for the tables that are one's own.
--
SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
SELECT count(*) FROM pg_foreign_table;
SELECT count(*) FROM pg_foreign_server WHERE srvname = 'clerk';
SELECT to_regnamespace('clerk_fdw') IS NULL AS schema_gone, (SELECT count(*) FROM users_copy) AS copied;
DROP TABLE users_copy, invoices;
DROP SCHEMA clerk;
