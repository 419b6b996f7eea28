-- Switches the old server's tables to clerk_fdw where they are, by changing the functions of the wrapper that the server
-- belongs to. Views, materialized views, grants and comments stay as they are.
--
--   psql -v old=clerk_server -f docs/recipes/from-supabase-wrapper/in-place.sql
--
-- It changes all servers of the wrapper, and therefore stops if there is another one.

\if :{?old}
\else
  \set old clerk_server
\endif
\set ON_ERROR_STOP on

BEGIN;
SELECT format('DO %L', format('BEGIN RAISE EXCEPTION USING MESSAGE = %L, HINT = %L; END',
         format('the wrapper "%s" has other servers too: %s', w.fdwname, string_agg(other.srvname, ', ' ORDER BY other.srvname)),
         'Use beside.sql instead.'))
  FROM pg_foreign_server s
  JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
  JOIN pg_foreign_server other ON other.srvfdw = s.srvfdw AND other.oid <> s.oid
 WHERE s.srvname = :'old'
 GROUP BY w.fdwname
\gexec
SELECT format('ALTER FOREIGN DATA WRAPPER %I HANDLER %s VALIDATOR %s', w.fdwname, own.fdwhandler::regproc, own.fdwvalidator::regproc)
  FROM pg_foreign_server s
  JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
  JOIN pg_foreign_data_wrapper own ON own.fdwname = 'clerk_fdw'
 WHERE s.srvname = :'old'
\gexec
COMMIT;
