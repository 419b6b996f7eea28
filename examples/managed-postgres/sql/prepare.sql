-- Creates the tables and columns that the managed database lacks. A table that no subscription fills any more is emptied,
-- because it is copied anew.
BEGIN;
DO $$
DECLARE
  t record;
  c record;
  mark text := current_setting('clerk.mark');
  relation regclass;
  list text;
BEGIN
  FOR t IN SELECT * FROM jsonb_to_recordset(current_setting('clerk.tables')::jsonb)
             AS d(schema text, name text, row_security bool, columns jsonb, key text[], indexes jsonb) LOOP
    relation := to_regclass(format('%I.%I', t.schema, t.name));
    IF relation IS NULL THEN
      IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = t.schema) THEN
        EXECUTE format('CREATE SCHEMA %I', t.schema);
      END IF;
      SELECT string_agg(format('%I %s', x.name, format_type(x.type::regtype, x.typmod)), ', ') INTO list
        FROM jsonb_to_recordset(t.columns) AS x(name text, type text, typmod int);
      EXECUTE format('CREATE TABLE %I.%I (%s, PRIMARY KEY (%s))', t.schema, t.name, list,
                     (SELECT string_agg(quote_ident(k), ', ') FROM unnest(t.key) k));
      EXECUTE format('COMMENT ON TABLE %I.%I IS %L', t.schema, t.name, mark);
      IF t.row_security THEN
        EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', t.schema, t.name);
      END IF;
      FOR list IN SELECT (SELECT string_agg(quote_ident(k), ', ') FROM jsonb_array_elements_text(i) k)
                    FROM jsonb_array_elements(t.indexes) i LOOP
        EXECUTE format('CREATE INDEX ON %I.%I (%s)', t.schema, t.name, list);
      END LOOP;
      RAISE NOTICE 'made the table %.%', t.schema, t.name;
      CONTINUE;
    ELSIF obj_description(relation, 'pg_class') IS DISTINCT FROM mark THEN
      RAISE EXCEPTION 'the managed database has a table % that is none of this script''s', relation
        USING HINT = 'Rename it, or give the mirror another schema: replicated tables have the same name at both ends.';
    ELSIF NOT EXISTS (SELECT FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
                       WHERE r.srrelid = relation AND s.subname = current_setting('clerk.name')) THEN
      EXECUTE format('TRUNCATE %s', relation);
      RAISE NOTICE 'emptied the table %, which is copied anew', relation;
    END IF;
    FOR c IN SELECT x.name, format_type(x.type::regtype, x.typmod) AS type, format_type(a.atttypid, a.atttypmod) AS here
               FROM jsonb_to_recordset(t.columns) AS x(name text, type text, typmod int)
               LEFT JOIN pg_attribute a ON a.attrelid = relation AND a.attname = x.name AND NOT a.attisdropped LOOP
      IF c.here IS NULL THEN
        EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', relation, c.name, c.type);
        RAISE NOTICE 'added the column % to %', c.name, relation;
      ELSIF c.here <> c.type THEN
        RAISE WARNING 'the column % of % is % here and % in the mirror', c.name, relation, c.here, c.type
          USING HINT = format('ALTER TABLE %s ALTER COLUMN %I TYPE %s;', relation, c.name, c.type);
      END IF;
    END LOOP;
  END LOOP;
END $$;
COMMIT;
