-- Switches to clerk_fdw where other servers use the old wrapper too. The tables of the schema clerk_next, which
-- from-supabase-wrapper.sql has made and compared, take the places of the old ones, and the views that read the old
-- tables are replaced by the same views over the new ones. All of it is one transaction.
--
--   psql -v old=clerk_server -f docs/recipes/from-supabase-wrapper/beside.sql
--
-- The old tables are moved to the schema clerk_old.

\if :{?old}
\else
  \set old clerk_server
\endif
\set ON_ERROR_STOP on

BEGIN;
-- With nothing else in the path, every name below is printed with its schema.
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE TEMPORARY TABLE moving ON COMMIT DROP AS
  SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relowner::regrole AS owner, c.relacl AS privileges
    FROM pg_foreign_table t
    JOIN pg_foreign_server s ON s.oid = t.ftserver
    JOIN pg_class c ON c.oid = t.ftrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE s.srvname = :'old';

CREATE TEMPORARY TABLE referring ON COMMIT DROP AS
  SELECT DISTINCT d.classid, d.objid, v.oid AS view, v.relkind, r.rulename
    FROM pg_depend d
    JOIN moving m ON m.oid = d.refobjid
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_class v ON v.oid = r.ev_class
   WHERE d.refclassid = 'pg_class'::regclass AND d.deptype = 'n' AND v.oid IS DISTINCT FROM d.refobjid;

-- Only views can be replaced. Materialized views, functions with BEGIN ATOMIC and the like have to be dropped first.
DO $$
DECLARE
  others text := (SELECT string_agg(pg_describe_object(r.classid, r.objid, 0), ', ' ORDER BY 1) FROM pg_temp.referring r
                   WHERE r.relkind IS DISTINCT FROM 'v' OR r.rulename <> '_RETURN');
BEGIN
  IF others IS NOT NULL THEN
    RAISE EXCEPTION 'these refer to the old tables and cannot be replaced in place: %', others
      USING HINT = 'Drop them first, and create them again afterwards.';
  END IF;
END $$;

CREATE TEMPORARY TABLE views ON COMMIT DROP AS
  SELECT format('CREATE OR REPLACE VIEW %s', v.oid::regclass)
         || coalesce(' WITH (' || array_to_string(v.reloptions, ', ') || ')', '')
         || ' AS ' || pg_get_viewdef(v.oid) AS statement
    FROM pg_class v WHERE v.oid IN (SELECT r.view FROM pg_temp.referring r);

-- The new tables get the owners and privileges of the old ones, and their places.
CREATE SCHEMA clerk_old;
SELECT s.statement
  FROM moving m, unnest(ARRAY[
         format('ALTER FOREIGN TABLE %I.%I SET SCHEMA clerk_old', m.schema, m.name),
         format('ALTER FOREIGN TABLE clerk_next.%I SET SCHEMA %I', m.name, m.schema),
         format('ALTER FOREIGN TABLE %I.%I OWNER TO %s', m.schema, m.name, m.owner)]) WITH ORDINALITY AS s (statement, step)
 ORDER BY m.name, s.step
\gexec
SELECT format('GRANT %s%s ON %I.%I TO %s%s', a.privilege_type, g.columns, m.schema, m.name,
              CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM moving m
 CROSS JOIN LATERAL (SELECT '' AS columns, m.privileges
                      UNION ALL
                     SELECT format(' (%I)', c.attname), c.attacl FROM pg_attribute c
                      WHERE c.attrelid = m.oid AND c.attacl IS NOT NULL) g
 CROSS JOIN LATERAL aclexplode(g.privileges) a
 WHERE a.grantee <> m.owner
 ORDER BY 1
\gexec
SELECT statement FROM views ORDER BY statement
\gexec
COMMIT;
