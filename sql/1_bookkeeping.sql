-- The extension's own tables: mirrors, the pages of syncs, their log, webhooks and their secrets.
--
-- Nobody has any privilege in clerk_fdw_internal. Users call functions and query views in the schema clerk_fdw. These
-- check what the caller may do, and then access the tables with the rights of the extension's owner.
--
-- Every name in the install script is qualified, operators included: CREATE EXTENSION runs it with a search_path that
-- contains a schema in which other roles may have created functions and operators of the same names.

CREATE SCHEMA clerk_fdw;
COMMENT ON SCHEMA clerk_fdw IS 'what clerk_fdw offers beside its foreign tables: functions to call and views to look at';
CREATE SCHEMA clerk_fdw_internal;
COMMENT ON SCHEMA clerk_fdw_internal IS 'what clerk_fdw keeps for itself; nobody but its owner has rights in here';

CREATE TABLE clerk_fdw_internal.mirror (
  number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name pg_catalog.name NOT NULL UNIQUE,
  server pg_catalog.oid,
  server_name pg_catalog.name NOT NULL,
  owner pg_catalog.oid,
  owner_name pg_catalog.name NOT NULL,
  made_schema boolean NOT NULL,
  deletes pg_catalog.text NOT NULL
    CHECK (deletes OPERATOR(pg_catalog.=) ANY (ARRAY['soft', 'hard']::pg_catalog.text[])),
  full_every interval NOT NULL CHECK (full_every OPERATOR(pg_catalog.>) '0'::interval),
  keep_webhook_bodies boolean NOT NULL DEFAULT false,
  instance_id pg_catalog.text,
  schedule pg_catalog.text,
  next_run pg_catalog.timestamptz,
  failed_starts integer NOT NULL DEFAULT 0,
  created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE clerk_fdw_internal.mirror IS 'the mirrors, each named after the schema of its tables';
COMMENT ON COLUMN clerk_fdw_internal.mirror.number IS 'what everything else refers to, and what its sync''s lock is called';
COMMENT ON COLUMN clerk_fdw_internal.mirror.server IS 'the foreign server that it reads from';
COMMENT ON COLUMN clerk_fdw_internal.mirror.server_name IS 'its name, by which a restored dump finds it again';
COMMENT ON COLUMN clerk_fdw_internal.mirror.owner IS 'the role that it belongs to';
COMMENT ON COLUMN clerk_fdw_internal.mirror.owner_name IS 'its name, by which a restored dump finds it again';
COMMENT ON COLUMN clerk_fdw_internal.mirror.made_schema IS 'whether the schema came with the mirror, and goes with it';
COMMENT ON COLUMN clerk_fdw_internal.mirror.deletes IS 'soft: deleted objects get deleted_at; hard: their rows go';
COMMENT ON COLUMN clerk_fdw_internal.mirror.full_every IS 'how often everything is read, whatever changed';
COMMENT ON COLUMN clerk_fdw_internal.mirror.keep_webhook_bodies IS 'whether the bodies of applied webhooks are kept';
COMMENT ON COLUMN clerk_fdw_internal.mirror.instance_id IS 'the Clerk instance that it was first read from';
COMMENT ON COLUMN clerk_fdw_internal.mirror.schedule IS 'when it is synced by itself, in the five fields of cron, in UTC';
COMMENT ON COLUMN clerk_fdw_internal.mirror.next_run IS 'when clerk_fdw''s own worker syncs it next';
COMMENT ON COLUMN clerk_fdw_internal.mirror.failed_starts IS 'how often in a row the worker could not start its sync';

-- An oid means nothing in the database into which a dump is restored. So a row that is inserted gets the oids that its
-- names have in this database. If a name does not exist, the oid is null, and the mirror cannot be used until
-- clerk_fdw.alter_mirror has changed it.
CREATE FUNCTION clerk_fdw_internal.find_by_name() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.server := (SELECT s.oid FROM pg_foreign_server s WHERE s.srvname = NEW.server_name);
  NEW.owner := (SELECT r.oid FROM pg_roles r WHERE r.rolname = NEW.owner_name);
  RETURN NEW;
END $$;
COMMENT ON FUNCTION clerk_fdw_internal.find_by_name() IS 'finds the server and the owner of a mirror by their names';
CREATE TRIGGER find_by_name BEFORE INSERT ON clerk_fdw_internal.mirror
  FOR EACH ROW EXECUTE FUNCTION clerk_fdw_internal.find_by_name();

CREATE TABLE clerk_fdw_internal.mirror_table (
  mirror integer,
  object pg_catalog.text,
  relation pg_catalog.regclass NOT NULL UNIQUE,
  columns pg_catalog.jsonb,
  row_security boolean NOT NULL DEFAULT false,
  visible pg_catalog.regclass,
  known_until bigint,
  full_at pg_catalog.timestamptz,
  success_at pg_catalog.timestamptz,
  drift bigint,
  pass_started_at pg_catalog.timestamptz,
  pass_known_until bigint,
  pass_expected bigint,
  PRIMARY KEY (mirror, object)
);
COMMENT ON TABLE clerk_fdw_internal.mirror_table IS 'the tables of each mirror, and how far each is in step';
COMMENT ON COLUMN clerk_fdw_internal.mirror_table.object IS 'the object of the catalogue that the table holds';
COMMENT ON COLUMN clerk_fdw_internal.mirror_table.columns IS
  'for a table that was there before: what each of its columns takes, as an expression over the object''s columns';
COMMENT ON COLUMN clerk_fdw_internal.mirror_table.row_security IS 'whether clerk_fdw switched row security on';
COMMENT ON COLUMN clerk_fdw_internal.mirror_table.visible IS 'the view of clerk_fdw.enable_row_security';
COMMENT ON COLUMN clerk_fdw_internal.mirror_table.known_until IS
  'all changes up to this time are known, in Unix milliseconds of Clerk''s clock';
COMMENT ON COLUMN clerk_fdw_internal.mirror_table.full_at IS 'when everything was last read to the end';
COMMENT ON COLUMN clerk_fdw_internal.mirror_table.success_at IS 'when the last sync of this table that succeeded began';
COMMENT ON COLUMN clerk_fdw_internal.mirror_table.drift IS
  'Clerk''s count minus the table''s at the last comparison';
COMMENT ON COLUMN clerk_fdw_internal.mirror_table.pass_started_at IS 'when the full pass that is under way began';
COMMENT ON COLUMN clerk_fdw_internal.mirror_table.pass_known_until IS 'what known_until will be when it is done';
COMMENT ON COLUMN clerk_fdw_internal.mirror_table.pass_expected IS 'how many objects Clerk counted when it began';

CREATE TABLE clerk_fdw_internal.row_count (
  mirror integer,
  object pg_catalog.text,
  day bigint,
  slot bigint GENERATED ALWAYS AS IDENTITY,
  live bigint NOT NULL,
  deleted bigint NOT NULL,
  PRIMARY KEY (mirror, object, day, slot)
) WITH (fillfactor = 50);
COMMENT ON TABLE clerk_fdw_internal.row_count IS
  'how many rows of each table came from Clerk, by the day of creation: the sum of as many numbers as transactions have changed it at once';
COMMENT ON COLUMN clerk_fdw_internal.row_count.day IS 'the day on which the objects were created, since 1970; 0 where the table does not tell';
COMMENT ON COLUMN clerk_fdw_internal.row_count.live IS 'those that are not deleted';
COMMENT ON COLUMN clerk_fdw_internal.row_count.deleted IS 'those that have deleted_at';

CREATE TABLE clerk_fdw_internal.sync_page (
  mirror integer,
  object pg_catalog.text,
  number bigint GENERATED ALWAYS AS IDENTITY,
  checkpoint pg_catalog.jsonb,
  ids pg_catalog.text[] NOT NULL,
  PRIMARY KEY (mirror, object, number)
);
COMMENT ON TABLE clerk_fdw_internal.sync_page IS
  'the pages of full passes that are under way: where they go on, and what Clerk has';
COMMENT ON COLUMN clerk_fdw_internal.sync_page.checkpoint IS 'how much of the list is read with this page';
COMMENT ON COLUMN clerk_fdw_internal.sync_page.ids IS 'the objects on this page';

CREATE TABLE clerk_fdw_internal.sync_run (
  run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  mirror integer NOT NULL,
  mode pg_catalog.text NOT NULL,
  dry_run boolean NOT NULL,
  force boolean NOT NULL,
  started_by pg_catalog.name NOT NULL,
  pid integer,
  state pg_catalog.text NOT NULL,
  started_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  ended_at pg_catalog.timestamptz,
  message pg_catalog.text
);
CREATE INDEX ON clerk_fdw_internal.sync_run (mirror, started_at);
COMMENT ON TABLE clerk_fdw_internal.sync_run IS 'every sync; clerk_fdw.sync_runs shows it object by object';

CREATE TABLE clerk_fdw_internal.sync_run_object (
  run bigint,
  object pg_catalog.text,
  mode pg_catalog.text NOT NULL,
  state pg_catalog.text NOT NULL DEFAULT 'running',
  started_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  ended_at pg_catalog.timestamptz,
  expected bigint,
  pages bigint NOT NULL DEFAULT 0,
  requests bigint NOT NULL DEFAULT 0,
  rows_read bigint NOT NULL DEFAULT 0,
  inserted bigint NOT NULL DEFAULT 0,
  updated bigint NOT NULL DEFAULT 0,
  unchanged bigint NOT NULL DEFAULT 0,
  deleted bigint NOT NULL DEFAULT 0,
  errors bigint NOT NULL DEFAULT 0,
  message pg_catalog.text,
  PRIMARY KEY (run, object)
);
COMMENT ON TABLE clerk_fdw_internal.sync_run_object IS 'what every sync did to each object''s table';

CREATE TABLE clerk_fdw_internal.sync_error (
  error bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run bigint,
  mirror integer NOT NULL,
  object pg_catalog.text NOT NULL,
  object_id pg_catalog.text NOT NULL,
  reason pg_catalog.text NOT NULL,
  sqlstate pg_catalog.text NOT NULL,
  occurred_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  resolved_at pg_catalog.timestamptz
);
CREATE UNIQUE INDEX sync_error_open ON clerk_fdw_internal.sync_error (mirror, object, object_id) WHERE resolved_at IS NULL;
CREATE INDEX ON clerk_fdw_internal.sync_error (mirror, occurred_at);
COMMENT ON TABLE clerk_fdw_internal.sync_error IS
  'objects that a mirror''s table did not take, one entry each until it does; clerk_fdw.sync_errors shows it';

CREATE TABLE clerk_fdw_internal.webhook_secret (
  mirror integer,
  id bigint GENERATED ALWAYS AS IDENTITY,
  secret pg_catalog.text,
  vault_name pg_catalog.text,
  added_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (mirror, id),
  CHECK ((secret IS NULL) OPERATOR(pg_catalog.<>) (vault_name IS NULL))
);
COMMENT ON TABLE clerk_fdw_internal.webhook_secret IS
  'the signing secrets of each mirror''s webhooks; several at once while one is being replaced';
COMMENT ON COLUMN clerk_fdw_internal.webhook_secret.secret IS 'the secret itself: whsec_ followed by base64';
COMMENT ON COLUMN clerk_fdw_internal.webhook_secret.vault_name IS 'or its name in Vault, read with the rights of the mirror''s owner';

CREATE TABLE clerk_fdw_internal.webhook_event (
  mirror integer,
  id pg_catalog.text,
  type pg_catalog.text NOT NULL,
  object pg_catalog.text,
  object_id pg_catalog.text,
  happened_at pg_catalog.timestamptz NOT NULL,
  received_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  revalidate boolean NOT NULL DEFAULT false,
  outcome pg_catalog.text NOT NULL,
  reason pg_catalog.text,
  body pg_catalog.text,
  PRIMARY KEY (mirror, id)
);
CREATE INDEX ON clerk_fdw_internal.webhook_event (mirror, received_at);
CREATE INDEX ON clerk_fdw_internal.webhook_event (mirror, received_at) WHERE outcome OPERATOR(pg_catalog.=) 'failed'::pg_catalog.text;
COMMENT ON TABLE clerk_fdw_internal.webhook_event IS
  'every webhook that was verified, by its id; clerk_fdw.webhook_events shows it';
COMMENT ON COLUMN clerk_fdw_internal.webhook_event.id IS 'the header svix-id, the same in every attempt to deliver the event';
COMMENT ON COLUMN clerk_fdw_internal.webhook_event.revalidate IS 'whether Clerk is to be asked for the object';
COMMENT ON COLUMN clerk_fdw_internal.webhook_event.body IS 'kept while the event has failed, and if the mirror keeps bodies';

CREATE TABLE clerk_fdw_internal.tombstone (
  mirror integer,
  object pg_catalog.text,
  id pg_catalog.text,
  deleted_at pg_catalog.timestamptz NOT NULL,
  recorded_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (mirror, object, id)
);
CREATE INDEX ON clerk_fdw_internal.tombstone (mirror, recorded_at);
COMMENT ON TABLE clerk_fdw_internal.tombstone IS 'objects that are known to be deleted, so that nothing older brings them back';
COMMENT ON COLUMN clerk_fdw_internal.tombstone.deleted_at IS 'when Clerk deleted it, or when it was found to be gone';

CREATE SEQUENCE clerk_fdw_internal.webhook_refusals MINVALUE 0;
SELECT pg_catalog.setval('clerk_fdw_internal.webhook_refusals'::pg_catalog.regclass, 0);
COMMENT ON SEQUENCE clerk_fdw_internal.webhook_refusals IS
  'last_value is the number of deliveries that were refused; a sequence, because the refusal undoes all that it writes';

-- What belongs to a mirror, or to a run, is deleted with it. These are no foreign keys, because the tables are there before
-- their rows are restored from a dump, and pg_restore with several jobs restores the rows in any order.
CREATE FUNCTION clerk_fdw_internal.delete_dependents() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'mirror' THEN
    DELETE FROM clerk_fdw_internal.mirror_table WHERE mirror = OLD.number;
    DELETE FROM clerk_fdw_internal.row_count WHERE mirror = OLD.number;
    DELETE FROM clerk_fdw_internal.sync_page WHERE mirror = OLD.number;
    DELETE FROM clerk_fdw_internal.sync_run WHERE mirror = OLD.number;
    DELETE FROM clerk_fdw_internal.sync_error WHERE mirror = OLD.number;
    DELETE FROM clerk_fdw_internal.webhook_secret WHERE mirror = OLD.number;
    DELETE FROM clerk_fdw_internal.webhook_event WHERE mirror = OLD.number;
    DELETE FROM clerk_fdw_internal.tombstone WHERE mirror = OLD.number;
  ELSE
    DELETE FROM clerk_fdw_internal.sync_run_object WHERE run = OLD.run;
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION clerk_fdw_internal.delete_dependents() IS 'deletes what belongs to a mirror or to a run of a sync';
CREATE TRIGGER delete_dependents AFTER DELETE ON clerk_fdw_internal.mirror
  FOR EACH ROW EXECUTE FUNCTION clerk_fdw_internal.delete_dependents();
CREATE TRIGGER delete_dependents AFTER DELETE ON clerk_fdw_internal.sync_run
  FOR EACH ROW EXECUTE FUNCTION clerk_fdw_internal.delete_dependents();

SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.mirror'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.mirror_number_seq'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.mirror_table'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.row_count'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.row_count_slot_seq'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.sync_page'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.sync_page_number_seq'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.sync_run'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.sync_run_run_seq'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.sync_run_object'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.sync_error'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.sync_error_error_seq'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.webhook_secret'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.webhook_secret_id_seq'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.webhook_event'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.tombstone'::pg_catalog.regclass, '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.webhook_refusals'::pg_catalog.regclass, '');

-- The mirrors that the current role may see: its own, those of roles that it is a member of, and for a superuser all of
-- them, even those whose owner has been dropped.
CREATE VIEW clerk_fdw_internal.visible_mirror WITH (security_barrier) AS
  SELECT m.number, m.name, coalesce(s.srvname, m.server_name) AS server, coalesce(r.rolname, m.owner_name) AS owner,
         m.instance_id, m.schedule, m.next_run
    FROM clerk_fdw_internal.mirror m
    LEFT JOIN pg_catalog.pg_foreign_server s ON s.oid OPERATOR(pg_catalog.=) m.server
    LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) m.owner
   WHERE pg_catalog.pg_has_role(coalesce(m.owner, 0::pg_catalog.oid), 'USAGE'::pg_catalog.text);
COMMENT ON VIEW clerk_fdw_internal.visible_mirror IS 'the mirrors that the current role may see';

-- The lock of a running sync is of a kind that no SQL command takes: see src/mirror/lock.rs.
CREATE VIEW clerk_fdw_internal.syncing AS
  SELECT DISTINCT l.objid::bigint AS mirror
    FROM pg_catalog.pg_locks l
   WHERE l.locktype OPERATOR(pg_catalog.=) 'object'::pg_catalog.text
     AND l.classid OPERATOR(pg_catalog.=) 'clerk_fdw_internal.mirror'::pg_catalog.regclass::pg_catalog.oid
     AND l.granted AND l.mode OPERATOR(pg_catalog.=) 'ExclusiveLock'::pg_catalog.text
     AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database d
                                             WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database());
COMMENT ON VIEW clerk_fdw_internal.syncing IS 'the mirrors of which a sync is running now';
