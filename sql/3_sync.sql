-- Functions that sync a mirror now, in the background or on a schedule, and views that report on syncs.

-- The procedure has no SET search_path clause, because Postgres does not let a procedure with such a clause commit. The
-- code of the procedure sets the search_path in each of its transactions instead.
CREATE PROCEDURE clerk_fdw.sync(
  mirror pg_catalog.text, mode pg_catalog.text DEFAULT NULL, objects pg_catalog.text[] DEFAULT NULL,
  dry_run boolean DEFAULT false, force boolean DEFAULT false, wait boolean DEFAULT false
) LANGUAGE c AS 'MODULE_PATHNAME', 'sync_wrapper';
COMMENT ON PROCEDURE clerk_fdw.sync(pg_catalog.text, pg_catalog.text, pg_catalog.text[], boolean, boolean, boolean) IS
  'brings a mirror in step with Clerk, committing as it goes. mode: full, incremental, or by default whichever is due; objects: only these; dry_run: tells what would change; force: deletes however many; wait: for a sync that is running, instead of an error';

CREATE FUNCTION clerk_fdw.sync_object(
  mirror pg_catalog.text, object pg_catalog.text, id pg_catalog.text, fallback boolean DEFAULT false
) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'sync_object_wrapper';
COMMENT ON FUNCTION clerk_fdw.sync_object(pg_catalog.text, pg_catalog.text, pg_catalog.text, boolean) IS
  'fetches one object from Clerk into its mirror, or deletes it there if Clerk has it no more, and returns its row; with fallback, the row as it is and a warning where Clerk cannot be reached';

CREATE FUNCTION clerk_fdw.sync_user(
  mirror pg_catalog.text, user_id pg_catalog.text, fallback boolean DEFAULT false
) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'sync_user_wrapper';
COMMENT ON FUNCTION clerk_fdw.sync_user(pg_catalog.text, pg_catalog.text, boolean) IS
  'fetches a user, the organizations they belong to and the memberships into the mirror, and returns the user''s row';

CREATE FUNCTION clerk_fdw.start_sync(
  mirror pg_catalog.text, mode pg_catalog.text DEFAULT NULL, objects pg_catalog.text[] DEFAULT NULL,
  dry_run boolean DEFAULT false, force boolean DEFAULT false
) RETURNS bigint LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'start_sync_wrapper';
COMMENT ON FUNCTION clerk_fdw.start_sync(pg_catalog.text, pg_catalog.text, pg_catalog.text[], boolean, boolean) IS
  'starts a sync in a background worker once this transaction is committed, and returns its run; arguments as of clerk_fdw.sync';

CREATE FUNCTION clerk_fdw.cancel_sync(run bigint) RETURNS boolean
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'cancel_sync_wrapper';
COMMENT ON FUNCTION clerk_fdw.cancel_sync(bigint) IS
  'cancels a sync that is running or about to; false if it has ended already';

CREATE FUNCTION clerk_fdw.has_scheduler() RETURNS boolean
  LANGUAGE c STABLE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'has_scheduler_wrapper';
COMMENT ON FUNCTION clerk_fdw.has_scheduler() IS
  'whether shared_preload_libraries names clerk_fdw, so that its own worker runs what is due';

CREATE FUNCTION clerk_fdw.next_run(schedule pg_catalog.text, after pg_catalog.timestamptz) RETURNS pg_catalog.timestamptz
  LANGUAGE c IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'next_run_wrapper';
COMMENT ON FUNCTION clerk_fdw.next_run(pg_catalog.text, pg_catalog.timestamptz) IS
  'when a schedule (the five fields of cron, in UTC) is due for the first time after a moment';

CREATE FUNCTION clerk_fdw.schedule_sync(mirror pg_catalog.text, schedule pg_catalog.text) RETURNS pg_catalog.text
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'schedule_sync_wrapper';
COMMENT ON FUNCTION clerk_fdw.schedule_sync(pg_catalog.text, pg_catalog.text) IS
  'lets a mirror be synced on a schedule (the five fields of cron, in UTC), by pg_cron if it is installed, else by clerk_fdw''s own worker; returns which';

CREATE FUNCTION clerk_fdw.unschedule_sync(mirror pg_catalog.text) RETURNS void
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'unschedule_sync_wrapper';
COMMENT ON FUNCTION clerk_fdw.unschedule_sync(pg_catalog.text) IS 'takes a mirror''s schedule back';

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
  'the log of all syncs, a row for each object; kept for clerk_fdw.log_retention. state: starting, running, succeeded, failed, cancelled, interrupted (its backend died)';

CREATE VIEW clerk_fdw.sync_errors WITH (security_barrier) AS
  SELECT e.error, e.run, m.name AS mirror, e.object, e.object_id, e.reason, e.sqlstate, e.occurred_at, e.resolved_at
    FROM clerk_fdw_internal.sync_error e
    JOIN clerk_fdw_internal.visible_mirror m ON m.number OPERATOR(pg_catalog.=) e.mirror;
COMMENT ON VIEW clerk_fdw.sync_errors IS
  'objects that a mirror''s table did not take, and why; the next sync tries them again and fills resolved_at';

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
COMMENT ON VIEW clerk_fdw.sync_progress IS 'the syncs that are running now, as of their last committed page';

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
  'each table of each mirror: rows from Clerk that are not deleted and those that are (kept by clerk_fdw, and counted by full syncs), when the last sync that succeeded began, how long ago that is, how many objects more Clerk had than the table when they were last compared, objects that the table did not take, the next run, and the mirror''s number';
