--
-- IMPORT FOREIGN SCHEMA: which tables it makes, where, for whom, and what it refuses. It asks nothing of Clerk, so that
-- the server below needs neither a key nor a Clerk to talk to.
--
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw;
CREATE SCHEMA import;

CREATE VIEW imported AS
  SELECT n.nspname COLLATE "C" AS schema, c.relname COLLATE "C" AS "table", s.srvname AS server, t.ftoptions AS options,
         (SELECT count(*) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) AS columns,
         (SELECT count(*) FROM pg_description WHERE objoid = c.oid AND classoid = 'pg_class'::regclass) AS comments,
         pg_get_userbyid(c.relowner) = current_user AS mine
  FROM pg_foreign_table t JOIN pg_class c ON c.oid = t.ftrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_foreign_server s ON s.oid = t.ftserver
  ORDER BY 1, 2;

-- Everything: each table with a comment on itself and on each of its columns.
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO import;
TABLE imported;

-- Not twice.
\set SHOW_CONTEXT never
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO import;
SET client_min_messages = warning;
DROP SCHEMA import CASCADE;
RESET client_min_messages;
CREATE SCHEMA import;
IMPORT FOREIGN SCHEMA clerk LIMIT TO (users, organization_memberships) FROM SERVER clerk INTO import;

-- A part of it fails as a whole: organizations is new here and must not stay.
IMPORT FOREIGN SCHEMA clerk LIMIT TO (organizations, users) FROM SERVER clerk INTO import;
SELECT "table" FROM imported;
DROP FOREIGN TABLE import.users, import.organization_memberships;

-- Some.
IMPORT FOREIGN SCHEMA clerk LIMIT TO (users, organization_memberships, users) FROM SERVER clerk INTO import;
SELECT "table" FROM imported;
DROP FOREIGN TABLE import.users, import.organization_memberships;

-- All but some; what is not there need not be left out.
IMPORT FOREIGN SCHEMA clerk EXCEPT (users, no_such_object) FROM SERVER clerk INTO import;
SELECT count(*), bool_or("table" = 'users') AS has_users FROM imported;
SET client_min_messages = warning;
DROP SCHEMA import CASCADE;
RESET client_min_messages;
CREATE SCHEMA import;

-- What cannot be, and then nothing is made.
IMPORT FOREIGN SCHEMA clerk LIMIT TO (users, organisations) FROM SERVER clerk INTO import;
IMPORT FOREIGN SCHEMA clerk LIMIT TO ("Users") FROM SERVER clerk INTO import;
IMPORT FOREIGN SCHEMA public FROM SERVER clerk INTO import;
IMPORT FOREIGN SCHEMA "Clerk" FROM SERVER clerk INTO import;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO no_such_schema;
IMPORT FOREIGN SCHEMA clerk FROM SERVER no_such_server INTO import;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO import OPTIONS (strict 'true');
TABLE imported;

-- Names that need quotes.
CREATE SCHEMA "It's ""quoted"", isn't it; --";
CREATE SERVER "Über \ 'Clerk'" FOREIGN DATA WRAPPER clerk_fdw;
IMPORT FOREIGN SCHEMA clerk LIMIT TO (users) FROM SERVER "Über \ 'Clerk'" INTO "It's ""quoted"", isn't it; --";
SELECT schema, "table", server = 'Über \ ''Clerk''' AS server, columns, comments FROM imported;

-- Whatever the search path and however strings are written.
SET standard_conforming_strings = off;
SET search_path = pg_catalog;
IMPORT FOREIGN SCHEMA clerk LIMIT TO (users) FROM SERVER clerk INTO import;
RESET search_path;
RESET standard_conforming_strings;
SELECT schema, "table", comments FROM imported;
DROP FOREIGN TABLE import.users;

-- In a transaction that rolls back, nothing remains; in one that may not write, nothing is made.
BEGIN;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO import;
SELECT count(*) FROM imported WHERE schema = 'import';
ROLLBACK;
SELECT count(*) FROM imported WHERE schema = 'import';
START TRANSACTION READ ONLY;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO import;
ROLLBACK;

-- A role without any rights, then with each of those that it needs.
CREATE ROLE regress_clerk_importer;
GRANT SELECT ON imported TO regress_clerk_importer;
SET ROLE regress_clerk_importer;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO import;
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER clerk TO regress_clerk_importer;
SET ROLE regress_clerk_importer;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO import;
RESET ROLE;
GRANT USAGE, CREATE ON SCHEMA import TO regress_clerk_importer;
SET ROLE regress_clerk_importer;
IMPORT FOREIGN SCHEMA clerk LIMIT TO (users, organizations) FROM SERVER clerk INTO import;
SELECT "table", mine, comments FROM imported WHERE schema = 'import';
RESET ROLE;

-- Event triggers see the tables.
DROP SCHEMA import CASCADE;
CREATE SCHEMA import;
CREATE FUNCTION tell() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM pg_event_trigger_ddl_commands() WHERE command_tag = 'CREATE FOREIGN TABLE' AND object_identity = 'import.organizations';
  IF found THEN RAISE NOTICE 'a foreign table was made'; END IF;
END $$;
CREATE EVENT TRIGGER tell ON ddl_command_end EXECUTE FUNCTION tell();
IMPORT FOREIGN SCHEMA clerk LIMIT TO (organizations) FROM SERVER clerk INTO import;
DROP EVENT TRIGGER tell;

SET client_min_messages = warning;
DROP FUNCTION tell;
DROP VIEW imported;
DROP EXTENSION clerk_fdw CASCADE;
DROP SCHEMA import, "It's ""quoted"", isn't it; --" CASCADE;
DROP ROLE regress_clerk_importer;
