-- Syncs in the background: started by a session, or when they are due.

CREATE FUNCTION clerk_fdw.start_sync(
  mirror text, mode text DEFAULT NULL, objects text[] DEFAULT NULL, dry_run boolean DEFAULT false,
  force boolean DEFAULT false
) RETURNS bigint LANGUAGE c AS 'MODULE_PATHNAME', 'start_sync_wrapper';
COMMENT ON FUNCTION clerk_fdw.start_sync(text, text, text[], boolean, boolean) IS
  'starts a sync in a background worker once this transaction is committed, and returns its run; arguments as of clerk_fdw.sync';

CREATE FUNCTION clerk_fdw.cancel_sync(run bigint) RETURNS boolean LANGUAGE c AS 'MODULE_PATHNAME', 'cancel_sync_wrapper';
COMMENT ON FUNCTION clerk_fdw.cancel_sync(bigint) IS
  'cancels a sync that is running or about to; false if it has ended already';

CREATE FUNCTION clerk_fdw.has_scheduler() RETURNS boolean LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'has_scheduler_wrapper';
COMMENT ON FUNCTION clerk_fdw.has_scheduler() IS
  'whether shared_preload_libraries names clerk_fdw, so that its own worker runs what is due';

CREATE FUNCTION clerk_fdw.next_run_epoch(schedule text, after bigint) RETURNS bigint
  LANGUAGE c IMMUTABLE AS 'MODULE_PATHNAME', 'next_run_epoch_wrapper';
COMMENT ON FUNCTION clerk_fdw.next_run_epoch(text, bigint) IS 'when a schedule is next due, in seconds since 1970';

CREATE FUNCTION clerk_fdw.next_run(schedule text, after timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT
  AS $$ SELECT pg_catalog.to_timestamp(clerk_fdw.next_run_epoch(schedule, pg_catalog.floor(pg_catalog.date_part('epoch', after))::pg_catalog.int8)) $$;
COMMENT ON FUNCTION clerk_fdw.next_run(text, timestamptz) IS
  'when a schedule (the five fields of cron, in UTC) is due for the first time after a moment';

CREATE FUNCTION clerk_fdw.schedule_sync(mirror text, schedule text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  -- Whatever will run it, a schedule that cannot be read is an error now.
  due timestamptz := clerk_fdw.next_run(schedule, now());
BEGIN
  IF NOT EXISTS (SELECT FROM clerk_fdw.mirror m WHERE m.mirror = schedule_sync.mirror) THEN
    RAISE EXCEPTION 'mirror "%" does not exist', mirror USING ERRCODE = 'undefined_object';
  END IF;
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
    EXECUTE 'SELECT cron.schedule($1, $2, $3)' USING 'clerk_fdw ' || mirror, schedule,
      format('CALL clerk_fdw.sync(%L, wait => true)', mirror);
    UPDATE clerk_fdw.mirror m SET schedule = schedule_sync.schedule, next_run = NULL
     WHERE m.mirror = schedule_sync.mirror;
    RETURN 'pg_cron';
  ELSIF clerk_fdw.has_scheduler() THEN
    UPDATE clerk_fdw.mirror m SET schedule = schedule_sync.schedule, next_run = due
     WHERE m.mirror = schedule_sync.mirror;
    RETURN 'clerk_fdw';
  END IF;
  RAISE EXCEPTION 'nothing in this database runs scheduled syncs' USING ERRCODE = 'object_not_in_prerequisite_state',
    HINT = 'Either CREATE EXTENSION pg_cron, or add clerk_fdw to shared_preload_libraries and restart the server.';
END $$;
COMMENT ON FUNCTION clerk_fdw.schedule_sync(text, text) IS
  'lets a mirror be synced on a schedule (the five fields of cron, in UTC), by pg_cron if it is installed, else by clerk_fdw''s own worker; returns which';

CREATE FUNCTION clerk_fdw.unschedule_sync(mirror text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  known boolean := false;
BEGIN
  UPDATE clerk_fdw.mirror m SET schedule = NULL, next_run = NULL WHERE m.mirror = unschedule_sync.mirror;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'mirror "%" does not exist', mirror USING ERRCODE = 'undefined_object';
  END IF;
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
    EXECUTE 'SELECT EXISTS (SELECT FROM cron.job WHERE jobname = $1)' INTO known USING 'clerk_fdw ' || mirror;
  END IF;
  IF known THEN
    EXECUTE 'SELECT cron.unschedule($1)' USING 'clerk_fdw ' || mirror;
  END IF;
END $$;
COMMENT ON FUNCTION clerk_fdw.unschedule_sync(text) IS 'takes a mirror''s schedule back';
