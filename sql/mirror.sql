-- Mirrors: what they are made of, and how they are made and dropped. How they are kept in step is in sync.sql.
--
-- Everything runs with the rights of the caller or of a mirror's owner; no function here lends its own. The tables
-- are guarded by row security: a role sees and changes the rows of the mirrors that belong to it, or to a role whose
-- member it is. Nothing is granted to PUBLIC.

CREATE FUNCTION clerk_fdw.is_ours(owner name) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT EXISTS (SELECT FROM pg_catalog.pg_roles r
                        WHERE r.rolname OPERATOR(pg_catalog.=) owner AND pg_catalog.pg_has_role(r.oid, 'USAGE')) $$;
COMMENT ON FUNCTION clerk_fdw.is_ours(name) IS 'whether the current role has the rights of this role';

CREATE TABLE clerk_fdw.mirror (
  mirror name PRIMARY KEY,
  number integer GENERATED ALWAYS AS IDENTITY UNIQUE,
  server name NOT NULL,
  owner name NOT NULL DEFAULT current_user,
  made_schema boolean NOT NULL,
  deletes text NOT NULL CHECK (deletes IN ('soft', 'hard')),
  full_every interval NOT NULL CHECK (full_every > interval '0'),
  instance_id text,
  schedule text,
  next_run timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE clerk_fdw.mirror IS 'the mirrors, each in a schema of its own';
COMMENT ON COLUMN clerk_fdw.mirror.mirror IS 'the schema';
COMMENT ON COLUMN clerk_fdw.mirror.number IS 'what the lock of a running sync is called';
COMMENT ON COLUMN clerk_fdw.mirror.server IS 'the foreign server that it reads from';
COMMENT ON COLUMN clerk_fdw.mirror.owner IS 'the role that it belongs to and with whose rights it is synced';
COMMENT ON COLUMN clerk_fdw.mirror.made_schema IS 'whether the schema came with the mirror, and goes with it';
COMMENT ON COLUMN clerk_fdw.mirror.deletes IS 'soft: deleted objects get deleted_at; hard: their rows go';
COMMENT ON COLUMN clerk_fdw.mirror.full_every IS 'how often everything is read, whatever changed';
COMMENT ON COLUMN clerk_fdw.mirror.instance_id IS 'the Clerk instance that it was first read from';
COMMENT ON COLUMN clerk_fdw.mirror.schedule IS 'when it is synced by itself, in the five fields of cron, in UTC';
COMMENT ON COLUMN clerk_fdw.mirror.next_run IS 'when clerk_fdw''s own worker syncs it next';

CREATE TABLE clerk_fdw.mirror_table (
  mirror name REFERENCES clerk_fdw.mirror ON UPDATE CASCADE ON DELETE CASCADE,
  object text,
  relation regclass NOT NULL UNIQUE,
  columns jsonb,
  known_until bigint,
  full_at timestamptz,
  success_at timestamptz,
  drift bigint,
  pass_started_at timestamptz,
  pass_known_until bigint,
  pass_expected bigint,
  PRIMARY KEY (mirror, object)
);
COMMENT ON TABLE clerk_fdw.mirror_table IS 'the tables of each mirror, and how far each is in step';
COMMENT ON COLUMN clerk_fdw.mirror_table.object IS 'the object of the catalogue that the table holds';
COMMENT ON COLUMN clerk_fdw.mirror_table.columns IS
  'for a table that was there before: what each of its columns takes, as an expression over the object''s columns';
COMMENT ON COLUMN clerk_fdw.mirror_table.known_until IS
  'all changes up to this time are known, in Unix milliseconds of Clerk''s clock';
COMMENT ON COLUMN clerk_fdw.mirror_table.full_at IS 'when everything was last read to the end';
COMMENT ON COLUMN clerk_fdw.mirror_table.success_at IS 'when the last sync of this table that succeeded began';
COMMENT ON COLUMN clerk_fdw.mirror_table.drift IS
  'how many objects more than the table Clerk had when they were last compared';
COMMENT ON COLUMN clerk_fdw.mirror_table.pass_started_at IS 'when the reading of everything began that is under way';
COMMENT ON COLUMN clerk_fdw.mirror_table.pass_known_until IS 'what known_until will be when it is done';
COMMENT ON COLUMN clerk_fdw.mirror_table.pass_expected IS 'how many objects Clerk counted when it began';

CREATE TABLE clerk_fdw.sync_page (
  mirror name,
  object text,
  number bigint GENERATED ALWAYS AS IDENTITY,
  mark jsonb,
  ids text[] NOT NULL,
  PRIMARY KEY (mirror, object, number),
  FOREIGN KEY (mirror, object) REFERENCES clerk_fdw.mirror_table ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE clerk_fdw.sync_page IS
  'the pages of readings that are under way: where they go on, and what Clerk has';
COMMENT ON COLUMN clerk_fdw.sync_page.mark IS 'how much of the list is read with this page';
COMMENT ON COLUMN clerk_fdw.sync_page.ids IS 'the objects on this page';

ALTER TABLE clerk_fdw.mirror ENABLE ROW LEVEL SECURITY;
ALTER TABLE clerk_fdw.mirror_table ENABLE ROW LEVEL SECURITY;
ALTER TABLE clerk_fdw.sync_page ENABLE ROW LEVEL SECURITY;
CREATE POLICY ours ON clerk_fdw.mirror USING (clerk_fdw.is_ours(owner));
CREATE POLICY ours ON clerk_fdw.mirror_table USING (mirror IN (SELECT m.mirror FROM clerk_fdw.mirror m));
CREATE POLICY ours ON clerk_fdw.sync_page USING (mirror IN (SELECT m.mirror FROM clerk_fdw.mirror m));

SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.mirror', '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.mirror_number_seq', '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.mirror_table', '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.sync_page', '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.sync_page_number_seq', '');

-- What a table that was there before takes: the user's map, checked; the three columns that every sync needs are added
-- to the table where nothing of the map serves.
CREATE FUNCTION clerk_fdw.map_table(object text, relation regclass, given jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  map jsonb := given;
  id text := (SELECT c.column_name FROM clerk_fdw.columns() c WHERE c.object = map_table.object AND c.is_id);
  key text;
  needed record;
  unknown text;
BEGIN
  IF (SELECT relkind FROM pg_class WHERE oid = relation) NOT IN ('r', 'p') THEN
    RAISE EXCEPTION '% is not a table', relation USING ERRCODE = 'wrong_object_type';
  END IF;
  IF map IS NULL THEN
    -- By name: clerk_id, and whatever is called as the object's columns are. A column "id" is the table's own.
    SELECT jsonb_object_agg(a.attname, c.column_name) INTO map
      FROM clerk_fdw.columns() c
      JOIN pg_attribute a ON a.attname = c.column_name OR (c.is_id AND a.attname = 'clerk_id')
     WHERE c.object = map_table.object AND a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
       AND a.attgenerated = '';
  END IF;
  IF jsonb_typeof(map) IS DISTINCT FROM 'object' THEN
    RAISE EXCEPTION 'no column of % is named as a column of %', relation, object
      USING ERRCODE = 'invalid_parameter_value',
            HINT = format('Say what its columns take: columns => ''{"%s": {"clerk_id": "%s"}}''.', object, id);
  END IF;
  SELECT string_agg(quote_ident(m.key), ', ') INTO unknown FROM jsonb_each_text(map) m
   WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = m.key AND a.attnum > 0
                        AND NOT a.attisdropped AND a.attgenerated = '');
  IF unknown IS NOT NULL THEN
    RAISE EXCEPTION '% has no column %', relation, unknown USING ERRCODE = 'undefined_column';
  END IF;
  SELECT m.key INTO key FROM jsonb_each_text(map) m WHERE m.value = id;
  IF key IS NULL THEN
    RAISE EXCEPTION 'no column of % takes %', relation, id
      USING ERRCODE = 'invalid_parameter_value', HINT = format('Map a column to it: {"clerk_id": "%s"}.', id);
  END IF;
  IF NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                  WHERE i.indrelid = relation AND i.indisunique AND i.indimmediate AND i.indisvalid
                    AND i.indnkeyatts = 1 AND i.indpred IS NULL AND a.attname = key) THEN
    RAISE EXCEPTION 'column % of % is not unique', quote_ident(key), relation
      USING ERRCODE = 'invalid_parameter_value',
            HINT = format('CREATE UNIQUE INDEX ON %s (%I);', relation, key);
  END IF;
  FOR needed IN SELECT * FROM (VALUES ('updated_at'), ('synced_at'), ('deleted_at')) AS n(name)
                 WHERE NOT EXISTS (SELECT FROM jsonb_each_text(map) m WHERE m.value = n.name) LOOP
    map := map || jsonb_build_object('clerk_' || needed.name, needed.name);
    CONTINUE WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND NOT a.attisdropped
                                                       AND a.attname = 'clerk_' || needed.name);
    EXECUTE format('ALTER TABLE %s ADD COLUMN %I timestamptz', relation, 'clerk_' || needed.name);
    RAISE NOTICE 'column clerk_% was added to %', needed.name, relation;
  END LOOP;
  RETURN map;
END $$;
COMMENT ON FUNCTION clerk_fdw.map_table(text, regclass, jsonb) IS 'checks and completes the column map of a table';

-- The table for one object, as the catalogue has it.
CREATE FUNCTION clerk_fdw.make_table(schema text, object text) RETURNS regclass LANGUAGE plpgsql AS $$
DECLARE
  name text := format('%I.%I', schema, object);
  id text := (SELECT c.column_name FROM clerk_fdw.columns() c WHERE c.object = make_table.object AND c.is_id);
  command text;
BEGIN
  SELECT format('CREATE TABLE %s (%s, synced_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz, '
                'PRIMARY KEY (%I))', name, string_agg(format('%I %s', c.column_name, c.data_type), ', '), id)
    INTO command FROM clerk_fdw.columns() c WHERE c.object = make_table.object;
  EXECUTE command;
  FOR command IN SELECT format('CREATE INDEX ON %s (%I)', name, c.column_name) FROM clerk_fdw.columns() c
                  WHERE c.object = make_table.object AND c.is_looked_up AND NOT c.is_id LOOP
    EXECUTE command;
  END LOOP;
  FOR command IN SELECT format('COMMENT ON COLUMN %s.%I IS %L', name, c.column_name, c.description)
                   FROM clerk_fdw.columns() c WHERE c.object = make_table.object LOOP
    EXECUTE command;
  END LOOP;
  EXECUTE format('COMMENT ON COLUMN %s.synced_at IS %L', name, 'When the row last took Clerk''s state.');
  EXECUTE format('COMMENT ON COLUMN %s.deleted_at IS %L', name, 'When Clerk was found not to have it any more.');
  EXECUTE format('COMMENT ON TABLE %s IS %L', name, 'Kept in step with Clerk by clerk_fdw.sync.');
  RETURN name::regclass;
END $$;
COMMENT ON FUNCTION clerk_fdw.make_table(text, text) IS 'makes the table of a mirror for one object';

CREATE FUNCTION clerk_fdw.create_mirror(
  server text, schema text DEFAULT NULL, objects text[] DEFAULT NULL, tables jsonb DEFAULT '{}',
  columns jsonb DEFAULT '{}', deletes text DEFAULT 'soft', full_every interval DEFAULT '1 day'
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  wanted text := coalesce(create_mirror.schema, create_mirror.server);
  known text[] := ARRAY(SELECT DISTINCT c.object FROM clerk_fdw.columns() c ORDER BY c.object);
  chosen text[] := coalesce(objects, known);
  makes_schema boolean := to_regnamespace(quote_ident(wanted)) IS NULL;
  wrong text;
  object text;
  existing regclass;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_foreign_server s WHERE s.srvname = create_mirror.server) THEN
    RAISE EXCEPTION 'server "%" does not exist', server USING ERRCODE = 'undefined_object';
  END IF;
  IF NOT has_server_privilege(server, 'USAGE') THEN
    RAISE EXCEPTION 'permission denied for foreign server %', server USING ERRCODE = 'insufficient_privilege';
  END IF;
  SELECT string_agg(format('"%s"', o.name), ', ') INTO wrong
    FROM (SELECT unnest(chosen) UNION SELECT jsonb_object_keys(tables) UNION SELECT jsonb_object_keys(columns)) o(name)
   WHERE o.name <> ALL (known) OR o.name IS NULL;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'Clerk has no object %', wrong
      USING ERRCODE = 'invalid_parameter_value', HINT = format('Objects: %s.', array_to_string(known, ', '));
  END IF;
  SELECT string_agg(format('"%s"', c.name), ', ') INTO wrong
    FROM jsonb_object_keys(columns) c(name) WHERE NOT tables ? c.name;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'columns are given for %, but no table', wrong USING ERRCODE = 'invalid_parameter_value',
      HINT = 'Columns are mapped for tables that are there already: name the table in tables.';
  END IF;
  IF deletes NOT IN ('soft', 'hard') THEN
    RAISE EXCEPTION 'deletes is "%", neither soft nor hard', deletes USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF EXISTS (SELECT FROM clerk_fdw.mirror m WHERE m.mirror = wanted) THEN
    RAISE EXCEPTION 'mirror "%" already exists', wanted USING ERRCODE = 'duplicate_object';
  END IF;
  IF makes_schema THEN
    EXECUTE format('CREATE SCHEMA %I', wanted);
  END IF;
  INSERT INTO clerk_fdw.mirror (mirror, server, made_schema, deletes, full_every)
    VALUES (wanted, server, makes_schema, deletes, full_every);
  FOREACH object IN ARRAY ARRAY(SELECT DISTINCT unnest(chosen || ARRAY(SELECT jsonb_object_keys(tables)))) LOOP
    IF tables ? object THEN
      existing := (tables ->> object)::regclass;
      IF EXISTS (SELECT FROM clerk_fdw.mirror_table t WHERE t.relation = existing) THEN
        RAISE EXCEPTION '% is in a mirror already', existing USING ERRCODE = 'duplicate_object';
      END IF;
      INSERT INTO clerk_fdw.mirror_table (mirror, object, relation, columns)
        VALUES (wanted, object, existing, clerk_fdw.map_table(object, existing, columns -> object));
    ELSE
      INSERT INTO clerk_fdw.mirror_table (mirror, object, relation)
        VALUES (wanted, object, clerk_fdw.make_table(wanted, object));
    END IF;
  END LOOP;
  RETURN wanted;
END $$;
COMMENT ON FUNCTION clerk_fdw.create_mirror(text, text, text[], jsonb, jsonb, text, interval) IS
  'makes the tables of a mirror of a server in a schema, and returns its name: the objects (all by default), tables that are there already by object, what their columns take, soft or hard deletes, and how often everything is read';

CREATE FUNCTION clerk_fdw.drop_mirror(mirror text, keep_tables boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  dropped clerk_fdw.mirror;
  made record;
BEGIN
  SELECT * INTO dropped FROM clerk_fdw.mirror m WHERE m.mirror = drop_mirror.mirror FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'mirror "%" does not exist', mirror USING ERRCODE = 'undefined_object';
  END IF;
  IF NOT pg_try_advisory_xact_lock(clerk_fdw.sync_lock(), dropped.number) THEN
    RAISE EXCEPTION 'mirror "%" is being synced', mirror
      USING ERRCODE = 'object_in_use', HINT = 'See clerk_fdw.sync_progress, and clerk_fdw.cancel_sync.';
  END IF;
  IF dropped.schedule IS NOT NULL THEN
    PERFORM clerk_fdw.unschedule_sync(mirror);
  END IF;
  FOR made IN SELECT t.relation FROM clerk_fdw.mirror_table t JOIN pg_class c ON c.oid = t.relation
               WHERE t.mirror = drop_mirror.mirror AND t.columns IS NULL AND NOT keep_tables LOOP
    EXECUTE format('DROP TABLE %s', made.relation);
  END LOOP;
  DELETE FROM clerk_fdw.mirror m WHERE m.mirror = drop_mirror.mirror;
  -- What else lives in the schema is not ours to drop.
  IF dropped.made_schema AND to_regnamespace(quote_ident(mirror)) IS NOT NULL
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_namespace'::regclass AND d.deptype = 'n'
                        AND d.refobjid = to_regnamespace(quote_ident(mirror))) THEN
    EXECUTE format('DROP SCHEMA %I', mirror);
  END IF;
END $$;
COMMENT ON FUNCTION clerk_fdw.drop_mirror(text, boolean) IS
  'drops a mirror with the tables that came with it, unless they are to be kept; tables that were there before stay';
