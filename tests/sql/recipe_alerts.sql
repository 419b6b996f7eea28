--
-- docs/recipes/alerts: no row where all is well, a row for each thing that is wrong, and each change of rights once.
--
\set url `echo "$CLERK_SIM_URL"`
\set VERBOSITY terse
\setenv PGDATABASE :DBNAME
\setenv PSQLRC /dev/null
SET timezone = 'UTC';
CREATE EXTENSION clerk_fdw;
-- The mirror's owner is no superuser. Monitoring is a role that owns nothing.
CREATE ROLE recipe_owner LOGIN;
CREATE ROLE recipe_monitor LOGIN;
GRANT USAGE ON SCHEMA clerk_fdw TO recipe_owner;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA clerk_fdw TO recipe_owner;
GRANT SELECT ON ALL TABLES IN SCHEMA clerk_fdw TO recipe_owner;
SELECT format('GRANT CREATE ON DATABASE %I TO recipe_owner', current_database()) \gexec
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000');
GRANT USAGE ON FOREIGN SERVER clerk TO recipe_owner;
CREATE USER MAPPING FOR recipe_owner SERVER clerk OPTIONS (api_key 'sk_test_simulator');
SET ROLE recipe_owner;
SELECT clerk_fdw.create_mirror('clerk', 'app');
-- What a superuser made, the mirror's triggers could not write.
\! cd .. && psql -Xq -v ON_ERROR_STOP=1 -f docs/recipes/alerts.sql
\i ../docs/recipes/alerts.sql

-- Nothing has been synced yet.
SELECT * FROM alerting.problems() ORDER BY severity, problem, subject;
CALL clerk_fdw.sync('app');
SELECT count(*) AS problems FROM alerting.problems();
-- The first sync has raised no alarm.
SELECT count(*) AS events FROM alerting.events;

--
-- What the monitoring role may do
--
GRANT USAGE ON SCHEMA alerting TO recipe_monitor;
GRANT EXECUTE ON FUNCTION alerting.problems, alerting.key_problems, alerting.metrics, alerting.take_events TO recipe_monitor;
SET ROLE recipe_monitor;
SELECT count(*) AS problems FROM alerting.problems();
SELECT mirror, object, rows, lag_seconds < 60 AS recent, errors, drift, failed_webhooks, refused_webhooks
  FROM alerting.metrics() ORDER BY object;
SELECT count(*) FROM alerting.events;
SELECT count(*) FROM app.users;
SELECT count(*) FROM clerk_fdw.mirror_status;
RESET ROLE;
\! cd .. && PGUSER=recipe_monitor docs/recipes/alerts/check-clerk-mirror; echo "status $?"
-- The queries of sql_exporter's configuration
\! sed -n 's/^ *query: \(.*\)/\1;/p' ../docs/recipes/alerts/sql_exporter.yml | PGUSER=recipe_monitor psql -XAtq -v ON_ERROR_STOP=1 | cut -d '|' -f 1-3

--
-- A sync that fails, and a key that Clerk refuses
--
ALTER USER MAPPING FOR recipe_owner SERVER clerk OPTIONS (SET api_key 'sk_test_wrong');
SET ROLE recipe_owner;
\set VERBOSITY sqlstate
CALL clerk_fdw.sync('app');
\set VERBOSITY terse
SELECT severity, problem, subject FROM alerting.problems() ORDER BY 1, 2, 3;
SET ROLE recipe_monitor;
SELECT severity, problem, subject, detail ~ 'key' AS tells_why FROM alerting.key_problems();
RESET ROLE;
\! cd .. && out=$(PGUSER=recipe_monitor docs/recipes/alerts/check-clerk-mirror); echo "status $?"; echo "$out" | sed -E 's/run [0-9]+.*/run .../'
ALTER USER MAPPING FOR recipe_owner SERVER clerk OPTIONS (SET api_key 'sk_test_simulator');
SET ROLE recipe_owner;
CALL clerk_fdw.sync('app', 'full');
SELECT count(*) AS problems FROM alerting.problems();
SELECT count(*) AS problems FROM alerting.key_problems();

--
-- Everything else that can be wrong
--
RESET ROLE;
UPDATE clerk_fdw_internal.mirror_table SET success_at = now() - interval '1 hour', full_at = now() - interval '3 days' WHERE object = 'users';
UPDATE clerk_fdw_internal.mirror_table SET drift = 2 WHERE object = 'organizations';
SELECT severity, problem, subject FROM alerting.problems() ORDER BY 1, 2, 3;
UPDATE clerk_fdw_internal.mirror_table SET success_at = now(), full_at = now(), drift = 0;

-- Webhooks: none for a day, and one that the table refuses.
SET ROLE recipe_owner;
SELECT clerk_fdw.add_webhook_secret('app', 'whsec_YSBzZWNyZXQgdGhhdCBpcyBub25l') AS secret;
SELECT count(*) AS problems FROM alerting.problems();
RESET ROLE;
UPDATE clerk_fdw_internal.webhook_secret SET added_at = now() - interval '2 days';
SELECT severity, problem, subject, detail FROM alerting.problems() ORDER BY 1, 2, 3;
-- What Clerk's sender does: HMAC-SHA256 over id, time and body. (The key is shorter than a block of 64 bytes.)
CREATE FUNCTION hmac(message bytea, key bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
  inner_key bytea := decode(repeat('36', 64), 'hex');
  outer_key bytea := decode(repeat('5c', 64), 'hex');
BEGIN
  FOR i IN 0 .. length(key) - 1 LOOP
    inner_key := set_byte(inner_key, i, get_byte(inner_key, i) # get_byte(key, i));
    outer_key := set_byte(outer_key, i, get_byte(outer_key, i) # get_byte(key, i));
  END LOOP;
  RETURN sha256(outer_key || sha256(inner_key || message));
END $$;
CREATE FUNCTION deliver(id text, body text) RETURNS text LANGUAGE sql AS $$
  SELECT clerk_fdw.receive_webhook('app', body, id, t,
           'v1,' || encode(hmac(convert_to(concat_ws('.', id, t, body), 'UTF8'), 'a secret that is none'), 'base64'))
    FROM (SELECT extract(epoch FROM now())::bigint::text AS t) s
$$;
ALTER TABLE app.users ADD CONSTRAINT nobody_is_called_nobody CHECK (first_name <> 'Nobody');
CREATE FUNCTION user_event(id text, changes jsonb) RETURNS text LANGUAGE sql AS $$
  SELECT deliver(id, jsonb_build_object('type', 'user.updated', 'object', 'event', 'timestamp', t, 'data',
           u.attrs || jsonb_build_object('updated_at', t) || changes)::text)
    FROM app.users u, LATERAL (SELECT (extract(epoch FROM u.updated_at) * 1000)::bigint + 1000) AS x (t)
   WHERE user_id = (SELECT user_id FROM app.users WHERE NOT banned AND NOT locked ORDER BY created_at, user_id LIMIT 1)
$$;
SELECT user_event('msg_1', '{"first_name": "Nobody"}');
SELECT severity, problem, subject FROM alerting.problems() ORDER BY 1, 2, 3;
UPDATE clerk_fdw_internal.webhook_event SET received_at = now() - interval '1 hour';
SELECT severity, problem, subject, detail LIKE '1 since %' AS detail FROM alerting.problems() ORDER BY 1, 2, 3;
-- A refused object is a problem of the sync as well, until it fits.
ALTER TABLE app.users DROP CONSTRAINT nobody_is_called_nobody;
SELECT outcome FROM clerk_fdw.retry_webhooks('app');
SELECT count(*) AS problems FROM alerting.problems();
\! cd .. && PGUSER=recipe_monitor docs/recipes/alerts/check-clerk-mirror; echo "status $?"
\! cd .. && out=$(PGUSER=recipe_nobody docs/recipes/alerts/check-clerk-mirror); echo "status $?"; echo "$out" | sed 's/:.*//'

--
-- Changes that matter for security
--
\! psql -XAtq -c 'LISTEN clerk_alerts' -c "SELECT user_event('msg_2', '{\"banned\": true, \"locked\": true}')" | sed 's/ from .*//'
SELECT user_event('msg_3', '{"last_name": "Else"}');
CREATE FUNCTION membership_event(id text, event text, changes jsonb, later integer) RETURNS text LANGUAGE sql AS $$
  SELECT deliver(id, jsonb_build_object('type', event, 'object', 'event', 'timestamp', t, 'data',
           m.attrs || jsonb_build_object('updated_at', t) || changes)::text)
    FROM app.organization_memberships m, LATERAL (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint + later) AS x (t)
   WHERE membership_id = (SELECT membership_id FROM app.organization_memberships ORDER BY created_at, membership_id LIMIT 1)
$$;
UPDATE app.organization_memberships SET role = 'org:member'
  WHERE membership_id = (SELECT membership_id FROM app.organization_memberships ORDER BY created_at, membership_id LIMIT 1);
DELETE FROM alerting.events WHERE kind = 'is admin no more';
SELECT membership_event('msg_4', 'organizationMembership.updated', '{"role": "org:admin"}', 1000);
SELECT membership_event('msg_4', 'organizationMembership.updated', '{"role": "org:admin"}', 1000);
SELECT membership_event('msg_5', 'organizationMembership.updated', '{"role": "org:member"}', 2000);
-- Somebody who joins as an admin
SELECT deliver('msg_6', jsonb_build_object('type', 'organizationMembership.created', 'object', 'event', 'timestamp', t, 'data',
         m.attrs || jsonb_build_object('id', 'orgmem_new', 'role', 'org:admin', 'created_at', t, 'updated_at', t))::text)
  FROM app.organization_memberships m, LATERAL (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS x (t)
  ORDER BY m.created_at, membership_id LIMIT 1;
SELECT event, kind, user_id IS NOT NULL AS has_user, organization_id IS NOT NULL AS has_organization, detail
  FROM alerting.events ORDER BY event;
-- They are handed out once.
SET ROLE recipe_monitor;
SELECT count(*) AS taken FROM alerting.take_events();
SELECT count(*) AS taken FROM alerting.take_events();
RESET ROLE;

SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
DROP SCHEMA alerting, app CASCADE;
DROP FUNCTION membership_event, user_event, deliver, hmac;
DROP OWNED BY recipe_owner, recipe_monitor CASCADE;
DROP ROLE recipe_owner, recipe_monitor;
