-- Prints everything that the catalog says about the extension clerk_fdw in this database, as sorted lines of
-- "kind | what | which fact | the fact", without a number that could differ between two databases.
-- bin/check-upgrade compares the lines of an updated database with those of a new one.
\set QUIET on
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
SET search_path = pg_catalog, pg_temp;
SET client_min_messages = warning;

CREATE TEMP TABLE facts (kind text, what text, fact text, value text);

CREATE TEMP TABLE extension AS
  SELECT * FROM pg_extension WHERE extname = 'clerk_fdw';

CREATE TEMP TABLE member AS
  SELECT d.classid, d.objid, i.type, i.identity
    FROM pg_depend d JOIN extension e ON d.refobjid = e.oid, pg_identify_object(d.classid, d.objid, 0) i
   WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e';

-- A relation of the extension's schemas that is no member would go unnoticed otherwise. Indexes never are members.
CREATE TEMP TABLE relation AS
  SELECT c.oid::regclass::text AS name, c.*, EXISTS (SELECT FROM member m WHERE m.objid = c.oid) AS is_member
    FROM (SELECT * FROM pg_class WHERE relkind NOT IN ('t', 'c')) c
   WHERE c.oid IN (SELECT objid FROM member WHERE classid = 'pg_class'::regclass)
      OR c.relnamespace IN (SELECT objid FROM member WHERE classid = 'pg_namespace'::regclass)
      OR c.oid IN (SELECT i.indexrelid FROM pg_index i JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = i.indrelid);

-- What is not compared below must not pass for equal.
DO $$
DECLARE
  strange text;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_temp.extension) THEN RAISE EXCEPTION 'this database has no extension clerk_fdw'; END IF;
  SELECT string_agg(what, ', ') INTO strange FROM (
    SELECT type || ' ' || identity FROM pg_temp.member
     WHERE classid <> ALL ('{pg_class,pg_event_trigger,pg_foreign_data_wrapper,pg_namespace,pg_proc,pg_type}'::regclass[])
    UNION ALL
    SELECT 'aggregate ' || p.oid::regprocedure FROM pg_proc p JOIN pg_temp.member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
     WHERE p.prokind = 'a'
    UNION ALL
    SELECT format('%s (relkind %s)', name, relkind) FROM pg_temp.relation WHERE relkind NOT IN ('r', 'v', 'm', 'i', 'S')
    UNION ALL
    SELECT 'statistics ' || s.stxname FROM pg_statistic_ext s JOIN pg_temp.relation r ON r.oid = s.stxrelid
    UNION ALL
    SELECT 'type ' || t.oid::regtype FROM pg_type t JOIN pg_temp.member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
     WHERE t.typtype NOT IN ('e', 'd') AND t.typcategory <> 'A' AND t.typrelid = 0
  ) AS found (what);
  IF strange IS NOT NULL THEN RAISE EXCEPTION 'catalog.sql does not compare: %', strange; END IF;
END $$;

-- Everything that can have an owner, privileges and a comment.
CREATE TEMP TABLE object AS
  SELECT classid, objid, 0 AS objsubid, type AS kind, identity AS what FROM member
  UNION SELECT 'pg_extension'::regclass, oid, 0, 'extension', 'clerk_fdw' FROM extension
  UNION SELECT 'pg_class'::regclass, r.oid, 0, i.type, i.identity FROM relation r, pg_identify_object('pg_class'::regclass, r.oid, 0) i
  UNION SELECT 'pg_class'::regclass, r.oid, a.attnum, 'column', r.name || '.' || a.attname
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
   WHERE r.relkind <> 'i'
  UNION SELECT 'pg_constraint'::regclass, c.oid, 0, 'constraint', c.conname || ' on ' || r.name
    FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
  UNION SELECT 'pg_trigger'::regclass, t.oid, 0, 'trigger', t.tgname || ' on ' || r.name
    FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
  UNION SELECT 'pg_rewrite'::regclass, w.oid, 0, 'rule', w.rulename || ' on ' || r.name
    FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class
  UNION SELECT 'pg_policy'::regclass, p.oid, 0, 'policy', p.polname || ' on ' || r.name
    FROM pg_policy p JOIN relation r ON r.oid = p.polrelid;

INSERT INTO facts
  SELECT kind, what, 'there', 'yes' FROM object
  UNION ALL SELECT type, identity, 'member', 'yes' FROM member
  UNION ALL
  SELECT o.kind, o.what, 'comment', d.description FROM object o JOIN pg_description d USING (objsubid)
   WHERE d.classoid = o.classid AND d.objoid = o.objid
  UNION ALL
  SELECT o.kind, o.what, 'security label of ' || l.provider, l.label FROM object o JOIN pg_seclabel l USING (objsubid)
   WHERE l.classoid = o.classid AND l.objoid = o.objid
  UNION ALL
  SELECT o.kind, o.what, 'privileges at its creation', (SELECT string_agg(a::text, ' ' ORDER BY a::text COLLATE "C") FROM unnest(p.initprivs) a)
    FROM object o JOIN pg_init_privs p USING (objsubid) WHERE p.classoid = o.classid AND p.objoid = o.objid
  UNION ALL
  SELECT o.kind, o.what, 'owner', pg_get_userbyid(x.owner)
    FROM object o JOIN (
      SELECT 'pg_proc'::regclass, oid, proowner FROM pg_proc
      UNION ALL SELECT 'pg_class'::regclass, oid, relowner FROM pg_class
      UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner FROM pg_namespace
      UNION ALL SELECT 'pg_type'::regclass, oid, typowner FROM pg_type
      UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, fdwowner FROM pg_foreign_data_wrapper
      UNION ALL SELECT 'pg_event_trigger'::regclass, oid, evtowner FROM pg_event_trigger
      UNION ALL SELECT 'pg_extension'::regclass, oid, extowner FROM pg_extension
    ) x (classid, objid, owner) USING (classid, objid)
   WHERE o.objsubid = 0
  UNION ALL
  -- An empty list and none at all mean different things.
  SELECT o.kind, o.what, 'privileges', coalesce((SELECT coalesce(string_agg(a::text, ' ' ORDER BY a::text COLLATE "C"), 'none') FROM unnest(x.acl) a
                                                 HAVING x.acl IS NOT NULL), 'the usual')
    FROM object o JOIN (
      SELECT 'pg_proc'::regclass, oid, 0, proacl FROM pg_proc
      UNION ALL SELECT 'pg_class'::regclass, oid, 0, relacl FROM pg_class
      UNION ALL SELECT 'pg_class'::regclass, attrelid, attnum, attacl FROM pg_attribute
      UNION ALL SELECT 'pg_namespace'::regclass, oid, 0, nspacl FROM pg_namespace
      UNION ALL SELECT 'pg_type'::regclass, oid, 0, typacl FROM pg_type
      UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, 0, fdwacl FROM pg_foreign_data_wrapper
    ) x (classid, objid, objsubid, acl) USING (classid, objid, objsubid);

INSERT INTO facts
  SELECT 'extension', 'clerk_fdw', 'schema', extnamespace::regnamespace::text FROM extension
  UNION ALL SELECT 'extension', 'clerk_fdw', 'relocatable', extrelocatable::text FROM extension
  UNION ALL
  SELECT 'extension', 'clerk_fdw', 'rows in a dump', format('of %s %s', t.oid::regclass, t.condition)
    FROM extension, unnest(extconfig, extcondition) AS t (oid, condition);

-- Functions: everything but who may call them.
INSERT INTO facts
  SELECT m.type, m.identity, 'definition', pg_get_functiondef(m.objid) FROM member m WHERE m.classid = 'pg_proc'::regclass;

INSERT INTO facts
  SELECT 'relation', name, f.fact, f.value
    FROM relation r, LATERAL (VALUES
      ('kind', relkind::text), ('persistence', relpersistence::text), ('options', reloptions::text), ('is a member', is_member::text),
      ('row security', concat_ws(' ', relrowsecurity, relforcerowsecurity)), ('replica identity', relreplident::text),
      ('access method', (SELECT amname::text FROM pg_am WHERE oid = r.relam)),
      ('tablespace', reltablespace::text), ('type', nullif(reloftype, 0)::regtype::text),
      ('parents', (SELECT string_agg(inhparent::regclass::text, ' ' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = r.oid)),
      ('definition', CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid, true) END),
      ('index', CASE WHEN relkind = 'i' THEN pg_get_indexdef(r.oid) END),
      ('index state', (SELECT concat_ws(' ', indisvalid, indisready, indisclustered, indisreplident) FROM pg_index WHERE indexrelid = r.oid)),
      ('sequence', (SELECT format('%s from %s by %s between %s and %s cache %s cycle %s', seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle)
                      FROM pg_sequence WHERE seqrelid = r.oid)),
      ('sequence of', (SELECT string_agg(pg_describe_object(refclassid, refobjid, refobjsubid) || ' ' || deptype::text, ', ' ORDER BY deptype)
                         FROM pg_depend WHERE r.relkind = 'S' AND classid = 'pg_class'::regclass AND objid = r.oid AND deptype IN ('a', 'i')))
    ) f (fact, value);

-- Columns, with their place: what SELECT * gives, and rows of the table's type, depends on it. Since the minor releases of
-- November 2026 (15.20) Postgres keeps a version of each column among its options, pg_attver: the position in the WAL at
-- which it was made, which is another one in each database.
INSERT INTO facts
  SELECT 'column', name || '.' || attname, f.fact, f.value
    FROM (SELECT r.name, a.*, row_number() OVER (PARTITION BY r.oid ORDER BY attnum) AS place, pg_get_expr(d.adbin, d.adrelid, true) AS expression
            FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
            LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
           WHERE r.relkind NOT IN ('i', 'S')) c,
    LATERAL (VALUES
      ('place', place::text), ('type', format_type(atttypid, atttypmod)), ('not null', attnotnull::text), ('default', expression),
      ('identity', attidentity::text), ('generated', attgenerated::text), ('storage', attstorage::text || attcompression::text),
      ('collation', nullif(attcollation, 0)::regcollation::text), ('statistics', nullif(attstattarget, -1)::text),
      ('options', (SELECT array_agg(option)::text FROM unnest(attoptions) option WHERE option NOT LIKE 'pg\_attver=%'))
    ) f (fact, value);

INSERT INTO facts
  SELECT 'constraint', conname || ' on ' || r.name, 'definition', pg_get_constraintdef(c.oid, true) || CASE WHEN convalidated THEN '' ELSE ' NOT VALIDATED' END
    FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
  UNION ALL
  SELECT 'trigger', tgname || ' on ' || r.name, 'definition', pg_get_triggerdef(t.oid, true) || ' enabled ' || tgenabled::text
    FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT tgisinternal
  UNION ALL
  SELECT 'rule', rulename || ' on ' || r.name, 'definition', pg_get_ruledef(w.oid, true) || ' enabled ' || ev_enabled::text
    FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class WHERE rulename <> '_RETURN'
  UNION ALL
  SELECT 'policy', polname || ' on ' || r.name, 'definition', format('%s %s to %s using %s check %s', polcmd, polpermissive, polroles::regrole[],
      pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
  UNION ALL
  SELECT 'event trigger', evtname, 'definition', format('on %s calls %s for %s enabled %s', evtevent, evtfoid::regprocedure, evttags, evtenabled)
    FROM pg_event_trigger t JOIN member m ON m.classid = 'pg_event_trigger'::regclass AND m.objid = t.oid
  UNION ALL
  SELECT 'foreign-data wrapper', fdwname, 'definition', format('handler %s validator %s options %s', fdwhandler::regprocedure, fdwvalidator::regprocedure, fdwoptions)
    FROM pg_foreign_data_wrapper w JOIN member m ON m.classid = 'pg_foreign_data_wrapper'::regclass AND m.objid = w.oid
  UNION ALL
  SELECT 'type', t.oid::regtype::text, 'values', (SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid)
    FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid WHERE typtype = 'e'
  UNION ALL
  SELECT 'type', t.oid::regtype::text, 'domain', format('%s default %s not null %s collation %s %s', format_type(typbasetype, typtypmod), typdefault, typnotnull,
      nullif(typcollation, 0)::regcollation, (SELECT string_agg(pg_get_constraintdef(oid), ' ' ORDER BY conname) FROM pg_constraint WHERE contypid = t.oid))
    FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid WHERE typtype = 'd';

-- The lines of a value after its first are indented.
SELECT format('%s | %s | %s | %s', kind, what, fact, replace(value, E'\n', E'\n    '))
  FROM facts WHERE value IS NOT NULL AND value <> ''
 ORDER BY kind COLLATE "C", what COLLATE "C", fact COLLATE "C", value COLLATE "C";
