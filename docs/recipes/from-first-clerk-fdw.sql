-- Moves a database from the first clerk_fdw (0.2, 0.3) to this one. The new extension's files have to be installed already.
-- Servers, keys, user mappings, foreign tables, views and grants stay as they are. docs/recipes/from-first-clerk-fdw.md
-- explains each step.
--
--   psql -f docs/recipes/from-first-clerk-fdw.sql
--
-- Run it as a superuser, and open new connections afterwards: those that have used the old extension still have its
-- library in memory.

\set ON_ERROR_STOP on
BEGIN;

-- Dropping the new extension would take its mirrors' bookkeeping along.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'clerk_fdw' AND extversion LIKE '0.%') THEN
    RAISE EXCEPTION 'this database does not have clerk_fdw 0.x';
  END IF;
END $$;

-- The wrappers that use the old extension's functions, by whatever name they were created.
CREATE TEMPORARY TABLE wrappers ON COMMIT DROP AS
  SELECT w.fdwname AS name
    FROM pg_foreign_data_wrapper w
    JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = w.fdwhandler AND d.deptype = 'e'
    JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
   WHERE e.extname = 'clerk_fdw';

-- A wrapper without functions depends on nothing, so that the extension can be dropped without CASCADE.
SELECT format('ALTER FOREIGN DATA WRAPPER %I NO HANDLER NO VALIDATOR', w.name) FROM wrappers w
\gexec
DROP EXTENSION clerk_fdw;

-- The new extension brings a wrapper of its own that is called clerk_fdw.
SELECT 'ALTER FOREIGN DATA WRAPPER clerk_fdw RENAME TO clerk_fdw_first' FROM wrappers w WHERE w.name = 'clerk_fdw'
\gexec
CREATE EXTENSION clerk_fdw;
SELECT format('ALTER FOREIGN DATA WRAPPER %I HANDLER %s VALIDATOR %s',
              CASE w.name WHEN 'clerk_fdw' THEN 'clerk_fdw_first' ELSE w.name END,
              own.fdwhandler::regproc, own.fdwvalidator::regproc)
  FROM wrappers w, pg_foreign_data_wrapper own
 WHERE own.fdwname = 'clerk_fdw'
\gexec

-- The new extension checks the options that are there. If it does not know one, this is an error, and everything stays as
-- it was.
SELECT count(clerk_fdw_validator(x.options, x.catalog)) AS objects_checked
  FROM pg_foreign_data_wrapper own
  JOIN pg_foreign_data_wrapper w ON w.fdwhandler = own.fdwhandler
  JOIN pg_foreign_server s ON s.srvfdw = w.oid
 CROSS JOIN LATERAL (
       SELECT s.srvoptions AS options, 'pg_foreign_server'::regclass::oid AS catalog
        UNION ALL
       SELECT m.umoptions, 'pg_user_mapping'::regclass FROM pg_user_mapping m WHERE m.umserver = s.oid
        UNION ALL
       SELECT t.ftoptions, 'pg_foreign_table'::regclass FROM pg_foreign_table t WHERE t.ftserver = s.oid) x
 WHERE own.fdwname = 'clerk_fdw' AND x.options IS NOT NULL;
COMMIT;
