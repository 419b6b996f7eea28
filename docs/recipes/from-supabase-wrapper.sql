-- Prepares the move from Supabase's Clerk wrapper to clerk_fdw: lists what is there, and makes the same foreign tables on
-- clerk_fdw, in the schema clerk_next. Nothing that exists is changed. docs/recipes/from-supabase-wrapper.md has the
-- steps that follow.
--
--   psql -v old=clerk_server -f docs/recipes/from-supabase-wrapper.sql
--
-- Run it as a superuser, after CREATE EXTENSION clerk_fdw. The variable old names the old wrapper's server.

\if :{?old}
\else
  \set old clerk_server
\endif
\set ON_ERROR_STOP on

-- 1. What is there: the tables, what refers to them, and the other servers of the same wrapper.
SELECT t.ftrelid::regclass AS old_table, o.option_value AS object
  FROM pg_foreign_table t
  JOIN pg_foreign_server s ON s.oid = t.ftserver
  JOIN pg_options_to_table(t.ftoptions) o ON o.option_name = 'object'
 WHERE s.srvname = :'old'
 ORDER BY t.ftrelid::regclass::text COLLATE "C";

SELECT DISTINCT d.refobjid::regclass AS old_table,
       coalesce(pg_describe_object('pg_class'::regclass, r.ev_class, 0), pg_describe_object(d.classid, d.objid, 0)) AS referring
  FROM pg_depend d
  JOIN pg_foreign_table t ON t.ftrelid = d.refobjid
  JOIN pg_foreign_server s ON s.oid = t.ftserver
  LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
 WHERE d.refclassid = 'pg_class'::regclass AND d.deptype = 'n' AND s.srvname = :'old'
 ORDER BY 1, 2;

SELECT w.fdwname AS wrapper, w.fdwhandler::regproc AS handler, w.fdwvalidator::regproc AS validator,
       ARRAY(SELECT other.srvname FROM pg_foreign_server other
              WHERE other.srvfdw = w.oid AND other.srvname <> s.srvname ORDER BY 1) AS other_servers
  FROM pg_foreign_server s
  JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
 WHERE s.srvname = :'old';

-- 2. A server beside the old one, with the same key, and the same tables on it. If the key is an option of the
-- server, the statement contains it, and has no place in the log.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SELECT format('CREATE SERVER clerk_next FOREIGN DATA WRAPPER clerk_fdw')
       || coalesce(' OPTIONS (' || string_agg(format('%I %L', o.option_name, o.option_value), ', ') || ')', '')
  FROM pg_foreign_server s
  LEFT JOIN pg_options_to_table(s.srvoptions) o
         ON o.option_name IN ('api_url', 'api_key', 'api_key_id', 'api_key_name')
 WHERE s.srvname = :'old'
\gexec
RESET log_statement;
RESET log_min_error_statement;

CREATE SCHEMA clerk_next;

SELECT format('CREATE FOREIGN TABLE clerk_next.%I (%s) SERVER clerk_next OPTIONS (%s)', c.relname,
         (SELECT string_agg(
                   format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
                   || coalesce(' OPTIONS (' || (SELECT string_agg(format('%I %L', o.option_name, o.option_value), ', ')
                                                  FROM pg_options_to_table(a.attfdwoptions) o) || ')', ''),
                   ', ' ORDER BY a.attnum)
            FROM pg_attribute a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
         (SELECT string_agg(format('%I %L', o.option_name, o.option_value), ', ')
            FROM pg_options_to_table(t.ftoptions) o))
  FROM pg_foreign_table t
  JOIN pg_foreign_server s ON s.oid = t.ftserver
  JOIN pg_class c ON c.oid = t.ftrelid
 WHERE s.srvname = :'old'
 ORDER BY c.relname
\gexec
