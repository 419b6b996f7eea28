-- What applications do all day. It has to work in every state of a database: with the functions of an older release and
-- the new library, after the update, and after a restore.
DO $$ BEGIN ASSERT (SELECT count(*) FROM clerk.users) = 300, 'the foreign table'; END $$;
SET ROLE upgrade_owner;
CALL clerk_fdw.sync('app');
CALL clerk_fdw.sync('app', 'full', '{users}');
SELECT clerk_fdw.sync_user('app', (SELECT user_id FROM app.users ORDER BY user_id LIMIT 1)) \g /dev/null
DO $$ BEGIN
  ASSERT (SELECT rows FROM clerk_fdw.mirror_status WHERE mirror = 'app' AND object = 'users') = 300, 'the mirror';
  ASSERT (SELECT schedule FROM clerk_fdw.mirror_status WHERE mirror = 'app' AND object = 'users') = '0 0 1 1 *', 'its schedule';
  ASSERT (SELECT count(*) FROM clerk_fdw.sync_runs WHERE state <> 'succeeded') = 0, 'its log';
  ASSERT (SELECT count(*) FROM clerk_fdw.webhook_secrets) = 1, 'its secret';
END $$;
RESET ROLE;
SET ROLE upgrade_reader;
DO $$
BEGIN
  PERFORM clerk_fdw.receive_webhook('app', '{}', 'msg_1', extract(epoch FROM now())::bigint::text, 'v1,AAAA');
  RAISE 'a webhook with a wrong signature was taken';
EXCEPTION WHEN invalid_authorization_specification THEN NULL;
END $$;
DO $$ BEGIN
  ASSERT (SELECT count(*) FROM app.users) = 0, 'row security, for nobody';
  PERFORM set_config('request.jwt.claims', '{"sub": "user_upgrade"}', false);
  ASSERT clerk_fdw.current_user_id() = 'user_upgrade', 'claims';
END $$;
RESET ROLE;
