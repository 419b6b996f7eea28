-- What to alert on: rows where something is wrong with a mirror, figures for a time series, and a record of changes that
-- matter for security. docs/recipes/alerts.md explains it and shows who asks.
--
-- Run it as the mirror's owner, after the mirror's first sync. The mirror is called app.

BEGIN;

-- Triggers on the mirror's tables run as these tables' owner, and what they write has to be this owner's.
DO $$
DECLARE
  owner regrole := (SELECT c.relowner FROM pg_class c WHERE c.oid = 'app.users'::regclass);
BEGIN
  IF owner <> (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user) THEN
    RAISE EXCEPTION 'app.users belongs to %', owner USING HINT = format('SET ROLE %s first.', owner);
  END IF;
END $$;

CREATE SCHEMA alerting;

CREATE TABLE alerting.limits (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  lag interval NOT NULL DEFAULT '15 minutes',         -- since the last sync that succeeded
  full_lag interval NOT NULL DEFAULT '2 days',        -- since everything was read
  webhook_age interval NOT NULL DEFAULT '10 minutes', -- how long a webhook may stay failed
  webhook_silence interval DEFAULT '1 day'            -- without any webhook; null where that is usual
);
INSERT INTO alerting.limits DEFAULT VALUES;

-- The views of clerk_fdw show a role its own mirrors. SECURITY DEFINER shows them to a monitoring role that owns nothing.
CREATE FUNCTION alerting.problems()
RETURNS TABLE (severity text, problem text, subject text, detail text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT 'critical', 'never synced', s.mirror || '.' || s.object, 'no sync has succeeded yet'
    FROM clerk_fdw.mirror_status s WHERE s.last_success IS NULL
  UNION ALL
  SELECT 'critical', 'behind', s.mirror || '.' || s.object,
         format('last synced at %s; the limit is %s', date_trunc('second', s.last_success), l.lag)
    FROM clerk_fdw.mirror_status s, alerting.limits l WHERE s.lag > l.lag
  UNION ALL
  SELECT 'warning', 'not read completely', s.mirror || '.' || s.object,
         format('last read completely at %s; the limit is %s', date_trunc('second', s.last_full), l.full_lag)
    FROM clerk_fdw.mirror_status s, alerting.limits l WHERE s.last_full < now() - l.full_lag
  UNION ALL
  SELECT 'critical', 'sync failed', concat_ws('.', r.mirror, r.object), format('run %s %s: %s', r.run, r.state, r.message)
    FROM (SELECT DISTINCT ON (mirror, object) * FROM clerk_fdw.sync_runs WHERE NOT dry_run AND state NOT IN ('starting', 'running')
           ORDER BY mirror, object, run DESC) r
   WHERE r.state IN ('failed', 'interrupted')
     -- A run that failed before its first object has none; it is over when an object has been synced since.
     AND NOT EXISTS (SELECT FROM clerk_fdw.mirror_status s
                      WHERE s.mirror = r.mirror AND r.object IS NULL AND s.last_success > r.started_at)
  UNION ALL
  SELECT 'warning', 'objects refused', s.mirror || '.' || s.object,
         format('%s objects do not fit the table; see clerk_fdw.sync_errors', s.errors)
    FROM clerk_fdw.mirror_status s WHERE s.errors > 0
  UNION ALL
  SELECT 'warning', 'drift', s.mirror || '.' || s.object, format('Clerk had %s more than the table when they were last compared', s.drift)
    FROM clerk_fdw.mirror_status s WHERE s.drift <> 0
  UNION ALL
  SELECT 'critical', 'webhooks failing', e.mirror,
         format('%s since %s; see clerk_fdw.webhook_events', count(*), date_trunc('second', min(e.received_at)))
    FROM clerk_fdw.webhook_events e, alerting.limits l
   WHERE e.outcome = 'failed' AND e.received_at < now() - l.webhook_age
   GROUP BY e.mirror
  UNION ALL
  SELECT 'warning', 'no webhooks', m.mirror,
         coalesce('the last one came at ' || date_trunc('second', m.last_received)::text, 'none has ever come')
    FROM (SELECT s.mirror, min(s.added_at) AS since,
                 (SELECT max(e.received_at) FROM clerk_fdw.webhook_events e WHERE e.mirror = s.mirror) AS last_received
            FROM clerk_fdw.webhook_secrets s GROUP BY s.mirror) m, alerting.limits l
   WHERE coalesce(m.last_received, m.since) < now() - l.webhook_silence
  UNION ALL
  SELECT 'warning', 'held back by Clerk', b.host || ' ' || b.instance,
         format('no requests until %s; %s were answered with 429 so far', date_trunc('second', b.held_until), b.refused)
    FROM clerk_fdw.budget b WHERE b.held_until > now()
$$;
COMMENT ON FUNCTION alerting.problems() IS 'a row for each thing that is wrong now, and none if all is well; asks Clerk for nothing';

-- This one asks Clerk, one request for each server that a mirror reads from. Call it less often.
CREATE FUNCTION alerting.key_problems()
RETURNS TABLE (severity text, problem text, subject text, detail text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT 'critical', 'Clerk does not answer', s.server, concat_ws('; ', c.error, c.hint)
    FROM (SELECT DISTINCT server FROM clerk_fdw.mirror_status) s
   CROSS JOIN LATERAL clerk_fdw.check_server(s.server) c
   WHERE NOT c.ok
$$;
COMMENT ON FUNCTION alerting.key_problems() IS 'a row for each server whose key Clerk refuses, or that cannot be reached';

-- Figures for a time series, one row for each table.
CREATE FUNCTION alerting.metrics()
RETURNS TABLE (mirror text, object text, rows bigint, deleted bigint, lag_seconds double precision, errors bigint,
               drift bigint, failed_webhooks bigint, refused_webhooks bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.mirror, s.object, s.rows, s.deleted, extract(epoch FROM s.lag), s.errors, s.drift,
         (SELECT count(*) FROM clerk_fdw.webhook_events e WHERE e.mirror = s.mirror AND e.object = s.object AND e.outcome = 'failed'),
         (SELECT last_value FROM clerk_fdw.webhook_refusals)
    FROM clerk_fdw.mirror_status s
$$;
COMMENT ON FUNCTION alerting.metrics() IS 'rows, lag, errors, drift and webhooks of each mirrored table';

-- Changes that matter for security. Triggers on a mirror's tables see what syncs and webhooks bring, once for each change.
CREATE TABLE alerting.events (
  event bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  noticed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  kind text NOT NULL,
  user_id text,
  organization_id text,
  detail jsonb NOT NULL DEFAULT '{}',
  sent_at timestamptz
);
CREATE INDEX ON alerting.events (event) WHERE sent_at IS NULL;

-- Whoever LISTENs to clerk_alerts is told when the change is committed. The table is what counts: nobody need be
-- listening.
CREATE FUNCTION alerting.notify() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_notify('clerk_alerts', NEW.event::text);
  RETURN NULL;
END $$;
CREATE TRIGGER notify AFTER INSERT ON alerting.events FOR EACH ROW EXECUTE FUNCTION alerting.notify();

CREATE FUNCTION alerting.membership_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  was boolean := TG_OP = 'UPDATE' AND OLD.role = 'org:admin' AND OLD.deleted_at IS NULL;
  is_now boolean := NEW.role = 'org:admin' AND NEW.deleted_at IS NULL;
BEGIN
  IF was IS DISTINCT FROM is_now THEN
    INSERT INTO alerting.events (kind, user_id, organization_id, detail)
    VALUES (CASE WHEN is_now THEN 'became admin' ELSE 'is admin no more' END, NEW.user_id, NEW.organization_id,
            jsonb_build_object('role', NEW.role, 'was', CASE TG_OP WHEN 'UPDATE' THEN OLD.role END));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER alert_update AFTER UPDATE ON app.organization_memberships
  FOR EACH ROW EXECUTE FUNCTION alerting.membership_changed();
-- A table that is filled anew does not raise an alarm for each admin there is.
CREATE TRIGGER alert_insert AFTER INSERT ON app.organization_memberships
  FOR EACH ROW WHEN (NEW.role = 'org:admin' AND NEW.created_at > clock_timestamp() - interval '1 day')
  EXECUTE FUNCTION alerting.membership_changed();

CREATE FUNCTION alerting.user_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO alerting.events (kind, user_id)
  SELECT k.kind, NEW.user_id
    FROM (VALUES ('banned', NEW.banned AND OLD.banned IS NOT TRUE),
                 ('unbanned', OLD.banned AND NEW.banned IS NOT TRUE),
                 ('locked out', NEW.locked AND OLD.locked IS NOT TRUE),
                 ('second factor turned off', OLD.two_factor_enabled AND NEW.two_factor_enabled IS NOT TRUE),
                 ('deleted', NEW.deleted_at IS NOT NULL AND OLD.deleted_at IS NULL)) AS k (kind, happened)
   WHERE k.happened;
  RETURN NULL;
END $$;
CREATE TRIGGER alert_update AFTER UPDATE ON app.users FOR EACH ROW EXECUTE FUNCTION alerting.user_changed();

-- For whoever passes the events on: the oldest ones that were not sent, marked as sent when the caller commits. Several
-- senders do not get in each other's way.
CREATE FUNCTION alerting.take_events(most integer DEFAULT 100) RETURNS SETOF alerting.events
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE alerting.events e SET sent_at = now()
   WHERE e.event IN (SELECT n.event FROM alerting.events n WHERE n.sent_at IS NULL ORDER BY n.event LIMIT most FOR UPDATE SKIP LOCKED)
  RETURNING e.*
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA alerting FROM PUBLIC;

COMMIT;
