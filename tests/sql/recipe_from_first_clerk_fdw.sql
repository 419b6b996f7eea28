--
-- docs/recipes/from-first-clerk-fdw: a database that has clerk_fdw 0.x gets this one, and keeps everything else.
--
-- The first clerk_fdw cannot be built any more. What stands in for it is this extension with that one's version, and
-- without the wrapper that it did not have.
--
\set VERBOSITY terse
-- For the psql that runs the recipe.
\setenv PGDATABASE :DBNAME
\setenv PSQLRC /dev/null
SET timezone = 'UTC';
CREATE EXTENSION clerk_fdw;
ALTER EXTENSION clerk_fdw DROP FOREIGN DATA WRAPPER clerk_fdw;
DROP FOREIGN DATA WRAPPER clerk_fdw;
UPDATE pg_extension SET extversion = '0.3.3' WHERE extname = 'clerk_fdw';

create foreign data wrapper clerk_wrapper
  handler clerk_fdw_handler
  validator clerk_fdw_validator;
create server my_clerk_server
  foreign data wrapper clerk_wrapper
  options (api_key 'sk_test_simulator');
create foreign table clerk_users (
  user_id text,
  first_name text,
  last_name text,
  email text,
  gender text,
  created_at bigint,
  updated_at bigint,
  last_sign_in_at bigint,
  phone_numbers bigint,
  username text,
  attrs jsonb
)
  server my_clerk_server
  options (
    object 'users'
  );
create foreign table clerk_organization_memberships (
  user_id text,
  organization_id text,
  role text
)
  server my_clerk_server
  options (
    object 'organization_memberships'
  );
\set ECHO none
\set url `echo "$CLERK_SIM_URL"`
ALTER SERVER my_clerk_server OPTIONS (ADD api_url :'url', ADD rate_limit '100000');
\set ECHO all

-- Somebody else has called the wrapper what the new extension calls its own.
CREATE FOREIGN DATA WRAPPER clerk_fdw HANDLER clerk_fdw_handler VALIDATOR clerk_fdw_validator;
CREATE SERVER second FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_key 'sk_test_simulator');

-- What an application has built on the tables.
CREATE ROLE recipe_reader;
CREATE USER MAPPING FOR recipe_reader SERVER my_clerk_server OPTIONS (api_key 'sk_test_simulator');
GRANT SELECT ON clerk_users TO recipe_reader;
CREATE VIEW newest AS SELECT email, created_at FROM clerk_users WHERE created_at > 1700000000000;
SELECT count(*) FROM newest;

-- There is no other way: no update, and no DROP EXTENSION that leaves the tables.
SELECT target FROM pg_extension_update_paths('clerk_fdw') WHERE source LIKE '0.%';
DROP EXTENSION clerk_fdw;

--
-- An option that the new extension does not know ends the move, and nothing has happened.
--
ALTER FOREIGN DATA WRAPPER clerk_wrapper NO VALIDATOR;
ALTER SERVER my_clerk_server OPTIONS (ADD colour 'blue');
\! cd .. && psql -f docs/recipes/from-first-clerk-fdw.sql
SELECT extversion FROM pg_extension WHERE extname = 'clerk_fdw';
SELECT count(*) FROM newest;
ALTER SERVER my_clerk_server OPTIONS (DROP colour);
ALTER FOREIGN DATA WRAPPER clerk_wrapper VALIDATOR clerk_fdw_validator;

--
-- The recipe
--
\! cd .. && psql -f docs/recipes/from-first-clerk-fdw.sql
SELECT extversion LIKE '0.%' AS is_old FROM pg_extension WHERE extname = 'clerk_fdw';
SELECT fdwname, fdwhandler::regproc, fdwvalidator::regproc FROM pg_foreign_data_wrapper ORDER BY 1;
SELECT srvname, fdwname FROM pg_foreign_server JOIN pg_foreign_data_wrapper w ON w.oid = srvfdw ORDER BY 1;
SELECT count(*) FROM newest;
SET ROLE recipe_reader;
SELECT count(*) FROM clerk_users;
RESET ROLE;
SELECT count(*) FROM clerk_organization_memberships;

-- What is new works with the old server.
SELECT clerk_fdw.create_mirror('my_clerk_server', 'recipe_mirror', '{organizations}');
CALL clerk_fdw.sync('recipe_mirror');

-- It is not done twice: that would drop the mirror.
\! cd .. && psql -f docs/recipes/from-first-clerk-fdw.sql
SELECT object, rows FROM clerk_fdw.mirror_status;

SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
DROP FOREIGN DATA WRAPPER IF EXISTS clerk_wrapper, clerk_fdw_first CASCADE;
DROP SCHEMA recipe_mirror CASCADE;
DROP ROLE recipe_reader;
