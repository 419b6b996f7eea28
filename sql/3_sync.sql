-- Functions that sync a mirror now, in the background or on a schedule, and views that report on syncs.

-- The procedure has no SET search_path clause, because Postgres does not let a procedure with such a clause commit. The
-- code of the procedure sets the search_path in each of its transactions instead.
CREATE PROCEDURE clerk_fdw.sync(
  mirror pg_catalog.text, mode pg_catalog.text DEFAULT NULL, objects pg_catalog.text[] DEFAULT NULL,
  dry_run boolean DEFAULT false, force boolean DEFAULT false, wait boolean DEFAULT false
) LANGUAGE c AS 'MODULE_PATHNAME', 'sync_wrapper';
COMMENT ON PROCEDURE clerk_fdw.sync(pg_catalog.text, pg_catalog.text, pg_catalog.text[], boolean, boolean, boolean) IS
'Brings a mirror in sync with Clerk, and tells in a NOTICE for each table what has changed. It commits page by page, so an interrupted sync continues where it was. Failed webhooks are retried first.

mirror: The mirror''s name.
mode: full reads everything and finds all deletions, incremental reads what has changed. Null is whichever is due.
objects: Only these of the mirror''s objects; null is all.
dry_run: Only tells what would change.
force: Deletes rows however many they are. Without it, a sync that would delete more than 20 % and more than 50 rows of a table deletes none and fails.
wait: Waits for a sync of the mirror that is running, instead of an error.

Errors: 2D000 inside a transaction block or a function, 42704 if there is no such mirror, 55006 while it is being synced, 55000 for a key of another Clerk instance or for too many deletions, and those of a query on a foreign table. Objects that a table refuses do not end the sync: clerk_fdw.sync_errors lists them.';

CREATE FUNCTION clerk_fdw.sync_object(
  mirror pg_catalog.text, object pg_catalog.text, id pg_catalog.text, fallback boolean DEFAULT false
) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'sync_object_wrapper';
COMMENT ON FUNCTION clerk_fdw.sync_object(pg_catalog.text, pg_catalog.text, pg_catalog.text, boolean) IS
'Fetches one object from Clerk into a mirror, in the current transaction, and returns its row. If Clerk does not have it, it is deleted in the mirror, and the result is null or the row with deleted_at. Use it right after a change that must not wait for the webhook.

mirror: The mirror''s name.
object: The object, such as users.
id: The object''s id.
fallback: If Clerk cannot be reached, raises a WARNING instead of an error and returns the row as it is.

Errors: 42P01 if the mirror has no table for the object, 22023 if Clerk cannot find the object by its id, 08006 if Clerk cannot be reached.';

CREATE FUNCTION clerk_fdw.sync_user(
  mirror pg_catalog.text, user_id pg_catalog.text, fallback boolean DEFAULT false
) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'sync_user_wrapper';
COMMENT ON FUNCTION clerk_fdw.sync_user(pg_catalog.text, pg_catalog.text, boolean) IS
'Fetches a user into a mirror, with the user''s organizations, memberships and the parts of the user that the mirror contains, in the current transaction. Returns the user''s row.

mirror: The mirror''s name.
user_id: The user''s id.
fallback: If Clerk cannot be reached, raises a WARNING instead of an error and returns the row as it is.

Errors: 42P01 if the mirror has no table of users, 08006 if Clerk cannot be reached.';

CREATE FUNCTION clerk_fdw.start_sync(
  mirror pg_catalog.text, mode pg_catalog.text DEFAULT NULL, objects pg_catalog.text[] DEFAULT NULL,
  dry_run boolean DEFAULT false, force boolean DEFAULT false
) RETURNS bigint LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'start_sync_wrapper';
COMMENT ON FUNCTION clerk_fdw.start_sync(pg_catalog.text, pg_catalog.text, pg_catalog.text[], boolean, boolean) IS
'Starts a sync in a background worker when the transaction commits, and returns the number of its run in clerk_fdw.sync_runs. It waits for a sync of the mirror that is running.

mirror: The mirror''s name.
mode: As in clerk_fdw.sync.
objects: As in clerk_fdw.sync.
dry_run: As in clerk_fdw.sync.
force: As in clerk_fdw.sync.

Errors: 42704 if there is no such mirror, 53400 if no background worker is free.';

CREATE FUNCTION clerk_fdw.cancel_sync(run bigint) RETURNS boolean
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'cancel_sync_wrapper';
COMMENT ON FUNCTION clerk_fdw.cancel_sync(bigint) IS
'Cancels a sync that is running or about to start, whoever started it. Returns false if it has ended already. Pages that it has committed stay.

run: The number of the run in clerk_fdw.sync_runs.

Errors: 42704 if there is no such run of a mirror that belongs to the caller.';

CREATE FUNCTION clerk_fdw.has_scheduler() RETURNS boolean
  LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'has_scheduler_wrapper';
COMMENT ON FUNCTION clerk_fdw.has_scheduler() IS
'Whether shared_preload_libraries contains clerk_fdw, so that its own worker runs schedules. It is not needed where pg_cron is installed.';

CREATE FUNCTION clerk_fdw.next_run(schedule pg_catalog.text, after pg_catalog.timestamptz) RETURNS pg_catalog.timestamptz
  LANGUAGE c IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'next_run_wrapper';
COMMENT ON FUNCTION clerk_fdw.next_run(pg_catalog.text, pg_catalog.timestamptz) IS
'The first time after another at which a schedule is due.

schedule: The five fields of cron (minute, hour, day of the month, month, day of the week), in UTC.
after: The other time.

Errors: 22023 if the schedule cannot be read.';

CREATE FUNCTION clerk_fdw.schedule_sync(mirror pg_catalog.text, schedule pg_catalog.text) RETURNS pg_catalog.text
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'schedule_sync_wrapper';
COMMENT ON FUNCTION clerk_fdw.schedule_sync(pg_catalog.text, pg_catalog.text) IS
'Puts a mirror on a schedule, in place of the one that it has. Returns what runs it: pg_cron, if that extension is in this database, else clerk_fdw for the extension''s own worker.

mirror: The mirror''s name.
schedule: The five fields of cron (minute, hour, day of the month, month, day of the week), in UTC: */5 * * * * is every five minutes.

Errors: 55000 if neither pg_cron is installed nor clerk_fdw preloaded, 22023 if the schedule cannot be read, 42704 if there is no such mirror.';

CREATE FUNCTION clerk_fdw.unschedule_sync(mirror pg_catalog.text) RETURNS void
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'unschedule_sync_wrapper';
COMMENT ON FUNCTION clerk_fdw.unschedule_sync(pg_catalog.text) IS
'Removes a mirror''s schedule.

mirror: The mirror''s name.

Errors: 42704 if there is no such mirror or it belongs to another role.';

CREATE VIEW clerk_fdw.sync_runs WITH (security_barrier) AS
  SELECT r.run, m.name AS mirror, r.started_by, o.object, coalesce(o.mode, r.mode) AS mode, r.dry_run,
         coalesce(o.started_at, r.started_at) AS started_at,
         coalesce(o.ended_at, r.ended_at) AS ended_at,
         CASE WHEN coalesce(o.state, r.state) OPERATOR(pg_catalog.=) 'running'::pg_catalog.text
               AND NOT EXISTS (SELECT FROM clerk_fdw_internal.syncing s WHERE s.mirror OPERATOR(pg_catalog.=) r.mirror)
              THEN 'interrupted'::pg_catalog.text
              ELSE coalesce(o.state, r.state) END AS state,
         o.requests, o.rows_read, o.inserted, o.updated, o.unchanged, o.deleted, o.errors,
         coalesce(o.message, r.message) AS message
    FROM clerk_fdw_internal.sync_run r
    JOIN clerk_fdw_internal.visible_mirror m ON m.number OPERATOR(pg_catalog.=) r.mirror
    LEFT JOIN clerk_fdw_internal.sync_run_object o ON o.run OPERATOR(pg_catalog.=) r.run;
COMMENT ON VIEW clerk_fdw.sync_runs IS
  'The log of all syncs of the mirrors that belong to the current role, with a row for each object. Entries are kept for clerk_fdw.log_retention.';
COMMENT ON COLUMN clerk_fdw.sync_runs.run IS 'The number of the sync.';
COMMENT ON COLUMN clerk_fdw.sync_runs.mirror IS 'The mirror''s name.';
COMMENT ON COLUMN clerk_fdw.sync_runs.started_by IS 'The role that started it.';
COMMENT ON COLUMN clerk_fdw.sync_runs.object IS 'The object; null for a sync that has not come to one.';
COMMENT ON COLUMN clerk_fdw.sync_runs.mode IS 'full or incremental.';
COMMENT ON COLUMN clerk_fdw.sync_runs.dry_run IS 'Whether it only told what would change.';
COMMENT ON COLUMN clerk_fdw.sync_runs.started_at IS 'When it began with the object.';
COMMENT ON COLUMN clerk_fdw.sync_runs.ended_at IS 'When it ended with the object; null while it runs.';
COMMENT ON COLUMN clerk_fdw.sync_runs.state IS 'starting, running, succeeded, failed, cancelled, or interrupted if its backend died.';
COMMENT ON COLUMN clerk_fdw.sync_runs.requests IS 'How many requests it made.';
COMMENT ON COLUMN clerk_fdw.sync_runs.rows_read IS 'How many objects it read.';
COMMENT ON COLUMN clerk_fdw.sync_runs.inserted IS 'How many rows were inserted.';
COMMENT ON COLUMN clerk_fdw.sync_runs.updated IS 'How many rows were updated.';
COMMENT ON COLUMN clerk_fdw.sync_runs.unchanged IS 'How many rows were as Clerk has them.';
COMMENT ON COLUMN clerk_fdw.sync_runs.deleted IS 'How many rows were deleted, or got deleted_at.';
COMMENT ON COLUMN clerk_fdw.sync_runs.errors IS 'How many objects the table refused.';
COMMENT ON COLUMN clerk_fdw.sync_runs.message IS 'Why it failed.';

CREATE VIEW clerk_fdw.sync_errors WITH (security_barrier) AS
  SELECT e.error, e.run, m.name AS mirror, e.object, e.object_id, e.reason, e.sqlstate, e.occurred_at, e.resolved_at
    FROM clerk_fdw_internal.sync_error e
    JOIN clerk_fdw_internal.visible_mirror m ON m.number OPERATOR(pg_catalog.=) e.mirror;
COMMENT ON VIEW clerk_fdw.sync_errors IS
  'Objects that a mirror''s table refused, for example because of a constraint. Every sync tries them again. Entries are kept for clerk_fdw.log_retention.';
COMMENT ON COLUMN clerk_fdw.sync_errors.error IS 'The number of the entry.';
COMMENT ON COLUMN clerk_fdw.sync_errors.run IS 'The sync that met it last; null if it was no sync.';
COMMENT ON COLUMN clerk_fdw.sync_errors.mirror IS 'The mirror''s name.';
COMMENT ON COLUMN clerk_fdw.sync_errors.object IS 'The object, such as users.';
COMMENT ON COLUMN clerk_fdw.sync_errors.object_id IS 'The object''s id.';
COMMENT ON COLUMN clerk_fdw.sync_errors.reason IS 'Why it was refused, which may quote the row.';
COMMENT ON COLUMN clerk_fdw.sync_errors.sqlstate IS 'The SQLSTATE of the error.';
COMMENT ON COLUMN clerk_fdw.sync_errors.occurred_at IS 'When it was refused last.';
COMMENT ON COLUMN clerk_fdw.sync_errors.resolved_at IS 'When the table took it; null until then.';

CREATE VIEW clerk_fdw.sync_progress WITH (security_barrier) AS
  SELECT p.run, p.mirror, p.object, p.mode, p.pid, p.pages, p.rows_read, p.expected_rows, p.started_at,
         CASE WHEN p.seconds OPERATOR(pg_catalog.>) 0::double precision
              THEN pg_catalog.round((p.rows_read OPERATOR(pg_catalog./) p.seconds)::numeric, 1) END AS rows_per_second,
         CASE WHEN p.rows_read OPERATOR(pg_catalog.>) 0 AND p.expected_rows OPERATOR(pg_catalog.>) p.rows_read
              THEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+)
                   pg_catalog.make_interval(secs => (p.expected_rows OPERATOR(pg_catalog.-) p.rows_read)
                                                    OPERATOR(pg_catalog.*) p.seconds OPERATOR(pg_catalog./) p.rows_read)
         END AS estimated_end
    FROM (SELECT r.run, m.name AS mirror, o.object, o.mode, r.pid, o.pages, o.rows_read, o.expected AS expected_rows,
                 o.started_at,
                 pg_catalog.date_part('epoch'::pg_catalog.text,
                                      pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) o.started_at) AS seconds
            FROM clerk_fdw_internal.sync_run r
            JOIN clerk_fdw_internal.visible_mirror m ON m.number OPERATOR(pg_catalog.=) r.mirror
            JOIN clerk_fdw_internal.sync_run_object o ON o.run OPERATOR(pg_catalog.=) r.run
            JOIN clerk_fdw_internal.syncing s ON s.mirror OPERATOR(pg_catalog.=) r.mirror
           WHERE o.state OPERATOR(pg_catalog.=) 'running'::pg_catalog.text
             AND r.state OPERATOR(pg_catalog.=) 'running'::pg_catalog.text) p;
COMMENT ON VIEW clerk_fdw.sync_progress IS
  'The syncs that are running, as of their last committed page, with a row for each object that is being read.';
COMMENT ON COLUMN clerk_fdw.sync_progress.run IS 'The number of the sync.';
COMMENT ON COLUMN clerk_fdw.sync_progress.mirror IS 'The mirror''s name.';
COMMENT ON COLUMN clerk_fdw.sync_progress.object IS 'The object.';
COMMENT ON COLUMN clerk_fdw.sync_progress.mode IS 'full or incremental.';
COMMENT ON COLUMN clerk_fdw.sync_progress.pid IS 'The process id of its backend.';
COMMENT ON COLUMN clerk_fdw.sync_progress.pages IS 'How many pages it has read.';
COMMENT ON COLUMN clerk_fdw.sync_progress.rows_read IS 'How many objects it has read.';
COMMENT ON COLUMN clerk_fdw.sync_progress.expected_rows IS 'How many objects Clerk counted at its beginning; null if that is not known.';
COMMENT ON COLUMN clerk_fdw.sync_progress.started_at IS 'When it began with the object.';
COMMENT ON COLUMN clerk_fdw.sync_progress.rows_per_second IS 'How many objects it has read in a second so far.';
COMMENT ON COLUMN clerk_fdw.sync_progress.estimated_end IS 'When it will end with the object at that speed; null if that cannot be told.';

-- A table that has been dropped has no row counts.
CREATE VIEW clerk_fdw.mirror_status WITH (security_barrier) AS
  SELECT m.name AS mirror, t.object, t.relation, m.server, m.owner, c.live AS rows, c.deleted,
         t.success_at AS last_success, pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) t.success_at AS lag,
         t.full_at AS last_full, t.drift,
         (SELECT pg_catalog.count(*) FROM clerk_fdw_internal.sync_error e
           WHERE e.mirror OPERATOR(pg_catalog.=) t.mirror AND e.object OPERATOR(pg_catalog.=) t.object
             AND e.resolved_at IS NULL) AS errors,
         EXISTS (SELECT FROM clerk_fdw_internal.syncing s WHERE s.mirror OPERATOR(pg_catalog.=) t.mirror) AS running,
         m.schedule,
         coalesce(m.next_run, clerk_fdw.next_run(m.schedule, pg_catalog.now())) AS next_run, m.instance_id, m.number
    FROM clerk_fdw_internal.mirror_table t
    JOIN clerk_fdw_internal.visible_mirror m ON m.number OPERATOR(pg_catalog.=) t.mirror
    LEFT JOIN LATERAL (
      SELECT coalesce(pg_catalog.sum(n.live), 0::numeric)::bigint AS live,
             coalesce(pg_catalog.sum(n.deleted), 0::numeric)::bigint AS deleted
        FROM clerk_fdw_internal.row_count n
       WHERE n.mirror OPERATOR(pg_catalog.=) t.mirror AND n.object OPERATOR(pg_catalog.=) t.object) c
      ON EXISTS (SELECT FROM pg_catalog.pg_class r WHERE r.oid OPERATOR(pg_catalog.=) t.relation::pg_catalog.oid);
COMMENT ON VIEW clerk_fdw.mirror_status IS
  'The tables of the mirrors that belong to the current role.';
COMMENT ON COLUMN clerk_fdw.mirror_status.mirror IS 'The mirror''s name.';
COMMENT ON COLUMN clerk_fdw.mirror_status.object IS 'The object that the table contains.';
COMMENT ON COLUMN clerk_fdw.mirror_status.relation IS 'The table.';
COMMENT ON COLUMN clerk_fdw.mirror_status.server IS 'The foreign server that the mirror reads from.';
COMMENT ON COLUMN clerk_fdw.mirror_status.owner IS 'The role that the mirror belongs to.';
COMMENT ON COLUMN clerk_fdw.mirror_status.rows IS 'How many rows came from Clerk and are not deleted. Syncs, webhooks and clerk_fdw.sync_user keep the number, and full syncs count again.';
COMMENT ON COLUMN clerk_fdw.mirror_status.deleted IS 'How many rows have deleted_at.';
COMMENT ON COLUMN clerk_fdw.mirror_status.last_success IS 'When the last sync of the table that succeeded began; null before the first.';
COMMENT ON COLUMN clerk_fdw.mirror_status.lag IS 'How long ago that is.';
COMMENT ON COLUMN clerk_fdw.mirror_status.last_full IS 'When everything was last read to the end.';
COMMENT ON COLUMN clerk_fdw.mirror_status.drift IS 'How many objects more Clerk had than the table when they were last compared.';
COMMENT ON COLUMN clerk_fdw.mirror_status.errors IS 'How many objects the table refuses at present: see clerk_fdw.sync_errors.';
COMMENT ON COLUMN clerk_fdw.mirror_status.running IS 'Whether a sync of the mirror is running.';
COMMENT ON COLUMN clerk_fdw.mirror_status.schedule IS 'The mirror''s schedule, in the five fields of cron and in UTC; null if it has none.';
COMMENT ON COLUMN clerk_fdw.mirror_status.next_run IS 'When the schedule is due next.';
COMMENT ON COLUMN clerk_fdw.mirror_status.instance_id IS 'The Clerk instance that the mirror was first synced with.';
COMMENT ON COLUMN clerk_fdw.mirror_status.number IS 'The mirror''s number, which clerk_fdw.current_organizations and clerk_fdw.current_visible_user_ids take.';
