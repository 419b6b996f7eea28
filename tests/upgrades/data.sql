-- What a user has in a database with clerk_fdw: foreign tables, a mirror of a role without privileges, with its schedule,
-- secret, row security, log and grants. Works with the functions of every release. The variables `routines` and
-- `relations` are what the older of two versions offers, as arrays: on that, other roles have privileges.
\set url `echo "$CLERK_SIM_URL"`
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000');
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
CREATE USER MAPPING FOR upgrade_owner SERVER clerk OPTIONS (api_key 'sk_test_simulator');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;
CREATE VIEW public.mirrors AS SELECT mirror, object, rows FROM clerk_fdw.mirror_status;

GRANT USAGE ON FOREIGN SERVER clerk TO upgrade_owner;
GRANT USAGE ON SCHEMA clerk_fdw TO upgrade_owner, upgrade_reader;
SELECT format('GRANT EXECUTE ON ROUTINE %s TO upgrade_owner', name) FROM unnest(:'routines'::text[]) name
 WHERE to_regprocedure(name) IS NOT NULL \gexec
SELECT format('GRANT SELECT ON %s TO upgrade_owner', name) FROM unnest(:'relations'::text[]) name
 WHERE to_regclass(name) IS NOT NULL \gexec
GRANT EXECUTE ON FUNCTION clerk_fdw.receive_webhook, clerk_fdw.current_user_id, clerk_fdw.current_organizations,
  clerk_fdw.current_visible_user_ids TO upgrade_reader;
SELECT format('GRANT CREATE ON DATABASE %I TO upgrade_owner', current_database()) \gexec

SET ROLE upgrade_owner;
SELECT clerk_fdw.create_mirror('clerk', 'app', full_every => '3 days') \g /dev/null
CALL clerk_fdw.sync('app');
SELECT clerk_fdw.add_webhook_secret('app', 'whsec_dXBncmFkZS11cGdyYWRlLXVwZ3JhZGUtdXBncmFkZQ==') \g /dev/null
SELECT clerk_fdw.schedule_sync('app', '0 0 1 1 *') \g /dev/null
SELECT clerk_fdw.enable_row_security('app') \g /dev/null
GRANT USAGE ON SCHEMA app TO upgrade_reader;
GRANT SELECT ON app.users TO upgrade_reader;
RESET ROLE;
INSERT INTO clerk_fdw_internal.webhook_event (mirror, id, type, object, object_id, happened_at, outcome)
  SELECT number, 'msg_upgrade', 'user.updated', 'users', 'user_upgrade', now(), 'applied' FROM clerk_fdw_internal.mirror;
INSERT INTO clerk_fdw_internal.tombstone (mirror, object, id, deleted_at)
  SELECT number, 'users', 'user_upgrade', now() FROM clerk_fdw_internal.mirror;
