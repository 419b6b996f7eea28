-- Syncs: their log, how they are called, and what tells about them.

CREATE FUNCTION clerk_fdw.sync_lock() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 1668047467';
COMMENT ON FUNCTION clerk_fdw.sync_lock() IS 'the first key of the advisory lock that a sync holds; the second is the mirror''s number';

CREATE TABLE clerk_fdw.sync_run (
  run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  mirror name NOT NULL,
  owner name NOT NULL,
  mode text NOT NULL,
  dry_run boolean NOT NULL DEFAULT false,
  force boolean NOT NULL DEFAULT false,
  objects text[],
  started_by name NOT NULL DEFAULT session_user,
  pid integer,
  state text NOT NULL,
  cancel boolean NOT NULL DEFAULT false,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  message text
);
COMMENT ON TABLE clerk_fdw.sync_run IS 'every sync; clerk_fdw.sync_runs shows it object by object';

CREATE TABLE clerk_fdw.sync_run_object (
  run bigint REFERENCES clerk_fdw.sync_run ON DELETE CASCADE,
  object text,
  mode text NOT NULL,
  state text NOT NULL DEFAULT 'running',
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  expected bigint,
  pages bigint NOT NULL DEFAULT 0,
  requests bigint NOT NULL DEFAULT 0,
  rows_read bigint NOT NULL DEFAULT 0,
  inserted bigint NOT NULL DEFAULT 0,
  updated bigint NOT NULL DEFAULT 0,
  unchanged bigint NOT NULL DEFAULT 0,
  deleted bigint NOT NULL DEFAULT 0,
  errors bigint NOT NULL DEFAULT 0,
  message text,
  PRIMARY KEY (run, object)
);
COMMENT ON TABLE clerk_fdw.sync_run_object IS 'what every sync did to each object''s table';

CREATE TABLE clerk_fdw.sync_error (
  error bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run bigint,
  mirror name NOT NULL,
  owner name NOT NULL,
  object text NOT NULL,
  object_id text NOT NULL,
  reason text NOT NULL,
  sqlstate text NOT NULL,
  occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  resolved_at timestamptz
);
CREATE INDEX ON clerk_fdw.sync_error (mirror, object) WHERE resolved_at IS NULL;
COMMENT ON TABLE clerk_fdw.sync_error IS 'objects that a mirror''s table did not take; clerk_fdw.sync_errors shows it';

ALTER TABLE clerk_fdw.sync_run ENABLE ROW LEVEL SECURITY;
ALTER TABLE clerk_fdw.sync_run_object ENABLE ROW LEVEL SECURITY;
ALTER TABLE clerk_fdw.sync_error ENABLE ROW LEVEL SECURITY;
CREATE POLICY ours ON clerk_fdw.sync_run USING (clerk_fdw.is_ours(owner));
CREATE POLICY ours ON clerk_fdw.sync_run_object USING (run IN (SELECT r.run FROM clerk_fdw.sync_run r));
CREATE POLICY ours ON clerk_fdw.sync_error USING (clerk_fdw.is_ours(owner));

SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.sync_run', '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.sync_run_run_seq', '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.sync_run_object', '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.sync_error', '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.sync_error_error_seq', '');

CREATE FUNCTION clerk_fdw.is_syncing(mirror name) RETURNS boolean LANGUAGE sql STABLE
  AS $$ SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN clerk_fdw.mirror m ON l.objid::pg_catalog.int8 = m.number
                        WHERE m.mirror = is_syncing.mirror AND l.locktype = 'advisory' AND l.objsubid = 2
                          AND l.classid::pg_catalog.int8 = clerk_fdw.sync_lock() AND l.granted AND l.mode = 'ExclusiveLock'
                          AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                                             WHERE d.datname = pg_catalog.current_database())) $$;
COMMENT ON FUNCTION clerk_fdw.is_syncing(name) IS 'whether a sync of this mirror is running now';

CREATE VIEW clerk_fdw.sync_runs AS
  SELECT r.run, r.mirror, r.started_by, o.object, coalesce(o.mode, r.mode) AS mode, r.dry_run,
         coalesce(o.started_at, r.started_at) AS started_at,
         coalesce(o.ended_at, r.ended_at) AS ended_at,
         CASE WHEN coalesce(o.state, r.state) = 'running' AND NOT clerk_fdw.is_syncing(r.mirror) THEN 'interrupted'
              ELSE coalesce(o.state, r.state) END AS state,
         o.requests, o.rows_read, o.inserted, o.updated, o.unchanged, o.deleted, o.errors,
         coalesce(o.message, r.message) AS message
    FROM clerk_fdw.sync_run r LEFT JOIN clerk_fdw.sync_run_object o USING (run)
   WHERE clerk_fdw.is_ours(r.owner);
COMMENT ON VIEW clerk_fdw.sync_runs IS
  'the log of all syncs, a row for each object; kept for clerk_fdw.log_retention. state: starting, running, succeeded, failed, cancelled, interrupted (its backend died)';

CREATE VIEW clerk_fdw.sync_errors AS
  SELECT e.error, e.run, e.mirror, e.object, e.object_id, e.reason, e.sqlstate, e.occurred_at, e.resolved_at
    FROM clerk_fdw.sync_error e WHERE clerk_fdw.is_ours(e.owner);
COMMENT ON VIEW clerk_fdw.sync_errors IS
  'objects that a mirror''s table did not take, and why; the next sync tries them again and fills resolved_at';

CREATE VIEW clerk_fdw.sync_progress AS
  SELECT p.run, p.mirror, p.object, p.mode, p.pid, p.pages, p.rows_read, p.expected_rows, p.started_at,
         round(p.rows_read / nullif(p.seconds, 0), 1) AS rows_per_second,
         CASE WHEN p.rows_read > 0 AND p.expected_rows > p.rows_read
              THEN clock_timestamp() + make_interval(secs => (p.expected_rows - p.rows_read) * p.seconds / p.rows_read)
         END AS estimated_end
    FROM (SELECT r.run, r.mirror, o.object, o.mode, r.pid, o.pages, o.rows_read, o.expected AS expected_rows, o.started_at,
                 extract(epoch FROM clock_timestamp() - o.started_at) AS seconds
            FROM clerk_fdw.sync_run r JOIN clerk_fdw.sync_run_object o USING (run)
           WHERE o.state = 'running' AND r.state = 'running' AND clerk_fdw.is_ours(r.owner)
             AND clerk_fdw.is_syncing(r.mirror)) p;
COMMENT ON VIEW clerk_fdw.sync_progress IS 'the syncs that are running now, as of their last committed page';

-- Exact, and so as slow as count(*) is; of a table that is gone, NULL.
CREATE FUNCTION clerk_fdw.count_rows(relation regclass, columns jsonb, deleted boolean) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tombstone text := coalesce((SELECT m.key FROM jsonb_each_text(columns) m WHERE m.value = 'deleted_at'), 'deleted_at');
  synced text := coalesce((SELECT m.key FROM jsonb_each_text(columns) m WHERE m.value = 'synced_at'), 'synced_at');
  counted bigint;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = tombstone AND NOT a.attisdropped) THEN
    RETURN NULL;
  END IF;
  EXECUTE format('SELECT count(*) FROM %s WHERE (%I IS NOT NULL) = $1 AND %I IS NOT NULL', relation, tombstone, synced)
    INTO counted USING deleted;
  RETURN counted;
END $$;
COMMENT ON FUNCTION clerk_fdw.count_rows(regclass, jsonb, boolean) IS 'how many rows of a mirror''s table that came from Clerk are deleted, or are not';

CREATE VIEW clerk_fdw.mirror_status AS
  SELECT t.mirror, t.object, t.relation, m.server, m.owner,
         clerk_fdw.count_rows(t.relation, t.columns, false) AS rows,
         clerk_fdw.count_rows(t.relation, t.columns, true) AS deleted,
         t.success_at AS last_success, clock_timestamp() - t.success_at AS lag, t.full_at AS last_full, t.drift,
         (SELECT count(*) FROM clerk_fdw.sync_error e
           WHERE e.mirror = t.mirror AND e.object = t.object AND e.resolved_at IS NULL) AS errors,
         clerk_fdw.is_syncing(t.mirror) AS running, m.schedule,
         coalesce(m.next_run, clerk_fdw.next_run(m.schedule, now())) AS next_run, m.instance_id
    FROM clerk_fdw.mirror_table t JOIN clerk_fdw.mirror m USING (mirror)
   WHERE clerk_fdw.is_ours(m.owner);
COMMENT ON VIEW clerk_fdw.mirror_status IS
  'each table of each mirror: rows, deleted ones, when the last sync that succeeded began, how long ago that is, how many objects more Clerk had than the table when they were last compared, objects that the table did not take, and the next run';

CREATE PROCEDURE clerk_fdw.sync(
  mirror text, mode text DEFAULT NULL, objects text[] DEFAULT NULL, dry_run boolean DEFAULT false,
  force boolean DEFAULT false, wait boolean DEFAULT false
) LANGUAGE c AS 'MODULE_PATHNAME', 'sync_wrapper';
COMMENT ON PROCEDURE clerk_fdw.sync(text, text, text[], boolean, boolean, boolean) IS
  'brings a mirror in step with Clerk, committing as it goes. mode: full, incremental, or by default whichever is due; objects: only these; dry_run: tells what would change; force: deletes however many; wait: for a sync that is running, instead of an error';

CREATE FUNCTION clerk_fdw.sync_object(mirror text, object text, id text, fallback boolean DEFAULT false) RETURNS jsonb
  LANGUAGE c AS 'MODULE_PATHNAME', 'sync_object_wrapper';
COMMENT ON FUNCTION clerk_fdw.sync_object(text, text, text, boolean) IS
  'fetches one object from Clerk into its mirror, or deletes it there if Clerk has it no more, and returns its row; with fallback, the row as it is and a warning where Clerk cannot be reached';

CREATE FUNCTION clerk_fdw.sync_user(mirror text, user_id text, fallback boolean DEFAULT false) RETURNS jsonb
  LANGUAGE c AS 'MODULE_PATHNAME', 'sync_user_wrapper';
COMMENT ON FUNCTION clerk_fdw.sync_user(text, text, boolean) IS
  'fetches a user, the organizations they belong to and the memberships into the mirror, and returns the user''s row';
