-- Makes the role and the publication, or brings them up to date. The publication lists the columns, so that one that is new
-- in the mirror does not stop the subscriber, which has no such column yet.
BEGIN;
SELECT format('CREATE ROLE %I LOGIN REPLICATION BYPASSRLS', :'name'),
       format('COMMENT ON ROLE %I IS %L', :'name', 'Made by connect.sh of clerk_fdw.')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'name') \gexec
CREATE TEMP TABLE wanted AS
  SELECT to_regclass(format('%I.%I', t.schema, t.name)) AS relation, t.schema,
         ARRAY(SELECT x.name FROM jsonb_to_recordset(t.columns) AS x(name text)) AS columns
    FROM jsonb_to_recordset(current_setting('clerk.tables')::jsonb) AS t(schema text, name text, columns jsonb);
SELECT DISTINCT format('GRANT USAGE ON SCHEMA %I TO %I', schema, :'name') FROM pg_temp.wanted \gexec
SELECT format('GRANT SELECT ON %s TO %I', relation, :'name') FROM pg_temp.wanted \gexec
CREATE TEMP TABLE fresh AS
  SELECT w.relation, string_agg(format('%I IS NOT NULL', a.attname), ' OR ') AS condition
    FROM pg_temp.wanted w
    JOIN pg_publication_rel r ON r.prrelid = w.relation
    JOIN pg_publication p ON p.oid = r.prpubid AND p.pubname = :'name'
    JOIN pg_attribute a ON a.attrelid = w.relation AND a.attname = ANY (w.columns)
                       AND NOT a.attnum = ANY (r.prattrs::int2[])
   GROUP BY w.relation;
SELECT format(CASE WHEN EXISTS (SELECT FROM pg_publication WHERE pubname = :'name')
                   THEN 'ALTER PUBLICATION %I SET TABLE %s'
                   ELSE 'CREATE PUBLICATION %I FOR TABLE %s WITH (publish_via_partition_root = true)' END, :'name',
              string_agg(format('%s (%s)', relation, (SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) c)), ', '))
  FROM pg_temp.wanted \gexec
COMMIT;

-- Rows that have a value in a column which is published from now on are updated to what they are: so they are sent again, in
-- their order with all other changes. Code of the table's owner may run in an update, so it has the owner's rights.
SET session_replication_role = replica;
DO $$
DECLARE
  t record;
BEGIN
  FOR t IN SELECT f.relation, f.condition, c.relowner::regrole AS owner,
                  (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                      AND a.attgenerated = '' AND a.attidentity <> 'a' LIMIT 1) AS any_column
             FROM pg_temp.fresh f JOIN pg_class c ON c.oid = f.relation LOOP
    EXECUTE format('CREATE FUNCTION pg_temp.send() RETURNS void LANGUAGE plpgsql
                      SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L',
                   format('BEGIN SET CONSTRAINTS ALL IMMEDIATE; UPDATE %1$s SET %2$I = %2$I WHERE %3$s; END',
                          t.relation, t.any_column, t.condition));
    EXECUTE format('ALTER FUNCTION pg_temp.send() OWNER TO %s', t.owner);
    PERFORM pg_temp.send();
    DROP FUNCTION pg_temp.send();
  END LOOP;
END $$;
