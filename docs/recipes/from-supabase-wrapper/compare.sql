-- Compares the rows of the old wrapper's tables with those of the tables that from-supabase-wrapper.sql has made in the
-- schema clerk_next.
--
--   psql -v old=clerk_server -f docs/recipes/from-supabase-wrapper/compare.sql
--
-- Each table is read once from either side. Tables that Clerk lists only below a parent, such as the subscriptions of
-- users, cannot be read as a whole and are left out.

\if :{?old}
\else
  \set old clerk_server
\endif
\set ON_ERROR_STOP on

SELECT format('WITH old AS MATERIALIZED (SELECT * FROM %1$s), new AS MATERIALIZED (SELECT * FROM clerk_next.%2$I) '
              'SELECT %2$L AS "table", (SELECT count(*) FROM old) AS old, (SELECT count(*) FROM new) AS new, '
              '(SELECT count(*) FROM (SELECT * FROM old EXCEPT ALL SELECT * FROM new) x) AS only_old, '
              '(SELECT count(*) FROM (SELECT * FROM new EXCEPT ALL SELECT * FROM old) x) AS only_new',
              t.ftrelid::regclass, c.relname)
  FROM pg_foreign_table t
  JOIN pg_foreign_server s ON s.oid = t.ftserver
  JOIN pg_class c ON c.oid = t.ftrelid
  JOIN pg_options_to_table(t.ftoptions) o ON o.option_name = 'object'
  JOIN clerk_fdw.objects() known ON o.option_value IN (known.object) OR o.option_value = ANY (known.aliases)
 WHERE s.srvname = :'old' AND known.parent = '{}'
 ORDER BY c.relname
\gexec
