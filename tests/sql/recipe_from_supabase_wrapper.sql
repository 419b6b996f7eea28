--
-- docs/recipes/from-supabase-wrapper: the tables of Supabase's wrapper are switched to clerk_fdw.
--
-- That wrapper cannot be installed here. What stands in for it is a wrapper of the same name, servers with the same
-- options and the same tables; so that its tables have rows to compare, clerk_fdw reads them too.
--
\set VERBOSITY terse
-- For the psql that runs the recipe.
\setenv PGDATABASE :DBNAME
\setenv PSQLRC /dev/null
SET client_min_messages = warning;
CREATE EXTENSION clerk_fdw;
CREATE FOREIGN DATA WRAPPER wasm_wrapper HANDLER clerk_fdw_handler NO VALIDATOR;
CREATE SERVER clerk_server FOREIGN DATA WRAPPER wasm_wrapper OPTIONS (
  fdw_package_url 'https://example.com/clerk_fdw.wasm', fdw_package_name 'supabase:clerk-fdw',
  fdw_package_version '0.2.2', fdw_package_checksum '0123456789abcdef',
  api_key_id '6f8f9d3e-0b1c-4c3e-9a54-0123456789ab');
CREATE SCHEMA clerk;
CREATE FOREIGN TABLE clerk.users (
  id text, external_id text, username text, first_name text, last_name text, created_at timestamp, updated_at timestamp, attrs jsonb)
  SERVER clerk_server OPTIONS (object 'users', rowid_column 'id');
CREATE FOREIGN TABLE clerk.organizations (
  id text, name text, slug text, created_at timestamp, updated_at timestamp, attrs jsonb)
  SERVER clerk_server OPTIONS (object 'organizations', rowid_column 'id');
CREATE FOREIGN TABLE clerk.billing_plans (id text, name text, created_at timestamp, updated_at timestamp, attrs jsonb)
  SERVER clerk_server OPTIONS (object 'billing/plans', rowid_column 'id');
CREATE FOREIGN TABLE clerk.user_billing_subscriptions (user_id text, attrs jsonb)
  SERVER clerk_server OPTIONS (object 'users/billing/subscription', rowid_column 'user_id');

-- Vault has the key, and the simulated Clerk's address is nothing that the old server knew: both servers get it here.
CREATE SCHEMA vault;
CREATE TABLE vault.secrets (id uuid PRIMARY KEY, name text, secret text);
CREATE VIEW vault.decrypted_secrets AS SELECT id, name, secret AS decrypted_secret FROM vault.secrets;
INSERT INTO vault.secrets VALUES ('6f8f9d3e-0b1c-4c3e-9a54-0123456789ab', 'clerk', 'sk_test_simulator');
\set ECHO none
\set url `echo "$CLERK_SIM_URL"`
ALTER SERVER clerk_server OPTIONS (ADD api_url :'url', ADD rate_limit '100000');
\set ECHO all

-- What an application has built on the tables.
CREATE ROLE recipe_reader;
GRANT USAGE ON SCHEMA clerk TO recipe_reader;
GRANT SELECT ON clerk.users TO recipe_reader;
GRANT SELECT (id, name) ON clerk.organizations TO recipe_reader WITH GRANT OPTION;
CREATE VIEW clerk.newest WITH (security_invoker = true, security_barrier = true) AS
  SELECT id, first_name, created_at FROM clerk.users WHERE created_at > '2024-01-01';
CREATE VIEW public.newest_names AS SELECT first_name FROM clerk.newest;
GRANT SELECT ON clerk.newest TO recipe_reader;
COMMENT ON VIEW clerk.newest IS 'who came lately';
CREATE MATERIALIZED VIEW public.organization_names AS SELECT id, name FROM clerk.organizations;
CREATE UNIQUE INDEX ON public.organization_names (id);
SELECT (SELECT count(*) FROM clerk.newest) AS newest, (SELECT count(*) FROM public.organization_names) AS organizations;

--
-- The recipe prepares, and changes nothing.
--
\! cd .. && psql -v old=clerk_server -f docs/recipes/from-supabase-wrapper.sql
SELECT option_name, option_value LIKE '6f8f9d3e-%' AS same_key FROM pg_foreign_server, pg_options_to_table(srvoptions)
  WHERE srvname = 'clerk_next' AND option_name <> 'api_url' ORDER BY 1;
ALTER SERVER clerk_next OPTIONS (ADD rate_limit '100000');
SELECT ok, error FROM clerk_fdw.check_server('clerk_next');

-- The comparison has to find a difference where there is one.
\! cd .. && psql -v old=clerk_server -f docs/recipes/from-supabase-wrapper/compare.sql
ALTER FOREIGN TABLE clerk.organizations ALTER slug OPTIONS (ADD path 'name');
\! cd .. && psql -v old=clerk_server -f docs/recipes/from-supabase-wrapper/compare.sql
ALTER FOREIGN TABLE clerk.organizations ALTER slug OPTIONS (DROP path);

--
-- In place. Without a handler the old tables cannot be read, as where the old wrapper's library is missing.
--
ALTER FOREIGN DATA WRAPPER wasm_wrapper NO HANDLER;
CREATE SERVER other_server FOREIGN DATA WRAPPER wasm_wrapper;
SELECT count(*) FROM clerk.users;
\! cd .. && psql -v old=clerk_server -f docs/recipes/from-supabase-wrapper/in-place.sql
SELECT fdwhandler FROM pg_foreign_data_wrapper WHERE fdwname = 'wasm_wrapper';
DROP SERVER other_server;
SET client_min_messages = error;
\! cd .. && psql -v old=clerk_server -f docs/recipes/from-supabase-wrapper/in-place.sql
SELECT fdwhandler::regproc, fdwvalidator::regproc FROM pg_foreign_data_wrapper WHERE fdwname = 'wasm_wrapper';
SELECT has_table_privilege('recipe_reader', 'clerk.users', 'SELECT') AS may_read,
       obj_description('clerk.newest'::regclass, 'pg_class') AS comment,
       (SELECT count(*) FROM clerk.users) AS users;
SELECT (SELECT count(*) FROM clerk.newest) AS newest, (SELECT count(*) FROM public.newest_names) AS names,
       (SELECT count(*) FROM public.organization_names) AS organizations;
REFRESH MATERIALIZED VIEW CONCURRENTLY public.organization_names;

-- Back again is one statement, as long as the server still has the options of the old wrapper.
ALTER FOREIGN DATA WRAPPER wasm_wrapper NO HANDLER NO VALIDATOR;
SELECT count(*) FROM clerk.users;
ALTER FOREIGN DATA WRAPPER wasm_wrapper HANDLER clerk_fdw_handler VALIDATOR clerk_fdw_validator;

-- The options of the old wrapper are in the way of any other change until they are dropped.
ALTER SERVER clerk_server OPTIONS (ADD timeout_ms '20000');
ALTER SERVER clerk_server OPTIONS (
  DROP fdw_package_url, DROP fdw_package_name, DROP fdw_package_version, DROP fdw_package_checksum);
ALTER SERVER clerk_server OPTIONS (ADD timeout_ms '20000');
DROP SCHEMA clerk_next CASCADE;
DROP SERVER clerk_next;
SELECT count(*) FROM clerk.users WHERE created_at > '2024-01-01';

--
-- Beside: another server shares the wrapper. Once more from the beginning, with the old server as it was.
--
SET client_min_messages = error;
ALTER FOREIGN DATA WRAPPER wasm_wrapper HANDLER clerk_fdw_handler NO VALIDATOR;
CREATE SERVER other_server FOREIGN DATA WRAPPER wasm_wrapper;
ALTER SERVER clerk_server OPTIONS (DROP timeout_ms);
\! cd .. && psql -v old=clerk_server -f docs/recipes/from-supabase-wrapper.sql
ALTER SERVER clerk_next OPTIONS (ADD rate_limit '100000');
-- Materialized views cannot be replaced; that is said before anything has changed.
\! cd .. && psql -v old=clerk_server -f docs/recipes/from-supabase-wrapper/beside.sql
SELECT to_regnamespace('clerk_old');
DROP MATERIALIZED VIEW public.organization_names;
\! cd .. && psql -v old=clerk_server -f docs/recipes/from-supabase-wrapper/beside.sql
SELECT t.ftrelid::regclass AS foreign_table, s.srvname AS server
  FROM pg_foreign_table t JOIN pg_foreign_server s ON s.oid = t.ftserver ORDER BY t.ftrelid::regclass::text COLLATE "C";
SELECT pg_get_viewdef('clerk.newest'::regclass) LIKE '% FROM clerk.users%' AS reads_the_new, reloptions, relacl IS NOT NULL AS has_grants,
       obj_description('clerk.newest'::regclass, 'pg_class') AS comment
  FROM pg_class WHERE oid = 'clerk.newest'::regclass;
SELECT has_table_privilege('recipe_reader', 'clerk.users', 'SELECT') AS users,
       has_column_privilege('recipe_reader', 'clerk.organizations', 'name', 'SELECT WITH GRANT OPTION') AS names,
       has_column_privilege('recipe_reader', 'clerk.organizations', 'attrs', 'SELECT') AS attrs;
-- Nothing reads the old tables any more: they can go without CASCADE.
DROP FOREIGN TABLE clerk_old.users, clerk_old.organizations, clerk_old.billing_plans, clerk_old.user_billing_subscriptions;
SELECT (SELECT count(*) FROM clerk.newest) AS newest, (SELECT count(*) FROM public.newest_names) AS names;

DROP SERVER clerk_server;
DROP SERVER other_server;
DROP FOREIGN DATA WRAPPER wasm_wrapper;
DROP EXTENSION clerk_fdw CASCADE;
DROP SCHEMA clerk, clerk_next, clerk_old, vault CASCADE;
DROP ROLE recipe_reader;
