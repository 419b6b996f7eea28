--
-- The recipe docs/recipes/credentials.md: encrypted credentials with an audit trail, tested before they are used.
--
SELECT count(*) < 2 AS not_available FROM pg_available_extensions WHERE name IN ('pgcrypto', 'dblink') \gset
\if :not_available
\echo SKIPPED: this Postgres has no pgcrypto or no dblink
\quit
\endif
\set url `echo "$CLERK_SIM_URL"`
\set VERBOSITY terse
\set SHOW_CONTEXT never
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000', updatable 'true');
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;
SELECT clerk_fdw.create_mirror('clerk', 'app');
SET client_min_messages = warning;
-- Ada is the admin of red, Bob a member; Eve is the admin of blue.
INSERT INTO clerk.users (first_name, email) VALUES ('Ada', 'ada@credentials.example') RETURNING user_id AS ada \gset
INSERT INTO clerk.users (first_name, email) VALUES ('Bob', 'bob@credentials.example') RETURNING user_id AS bob \gset
INSERT INTO clerk.users (first_name, email) VALUES ('Eve', 'eve@credentials.example') RETURNING user_id AS eve \gset
INSERT INTO clerk.organizations (name, slug, created_by) VALUES ('Red', 'red-credentials', :'ada') RETURNING organization_id AS red \gset
INSERT INTO clerk.organizations (name, slug, created_by) VALUES ('Blue', 'blue-credentials', :'eve') RETURNING organization_id AS blue \gset
INSERT INTO clerk.organization_memberships (organization_id, user_id, role) VALUES (:'red', :'bob', 'org:member');
CALL clerk_fdw.sync('app');
\set ECHO none
\i ../docs/recipes/credentials.sql
\i ../docs/recipes/credentials-postgres.sql
\set ECHO all
SELECT json_build_object('sub', :'ada') AS as_ada, json_build_object('sub', :'bob') AS as_bob, json_build_object('sub', :'eve') AS as_eve,
       repeat('1', 32) AS key1, repeat('2', 32) AS key2 \gset

--
-- Stored by admins, in use once it is tested
--
SET ROLE credentials_request;
SET request.jwt.claims = :'as_ada';
SELECT credentials.store(:'red', 'mailer', 'default', 'first secret', '{"region": "eu"}', ARRAY[:'key1']) AS first \gset
SELECT service, name, state, settings, created_by = :'ada' AS by_ada, last_used_at FROM credentials.list(:'red');
SET ROLE credentials_worker;
RESET request.jwt.claims;
\set VERBOSITY sqlstate
SELECT credentials.request_use(:'red', 'mailer', 'default', 'welcome mail');
\set VERBOSITY terse
SELECT credentials.request_test(:'first') AS ticket \gset
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);
SELECT credentials.confirm(:'first', true, '200 OK');
\set VERBOSITY sqlstate
SELECT credentials.confirm(:'first', true);
SELECT credentials.request_test(:'first');
\set VERBOSITY terse
SELECT credentials.request_use(:'red', 'mailer', 'default', 'welcome mail') AS ticket \gset
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);
-- It is for the login that announced it.
RESET ROLE;
SET SESSION AUTHORIZATION credentials_worker;
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);
RESET SESSION AUTHORIZATION;
-- A new secret replaces the active one when it is known to work, and not before.
SET ROLE credentials_request;
SET request.jwt.claims = :'as_ada';
SELECT credentials.store(:'red', 'mailer', 'default', 'mistyped', keys => ARRAY[:'key1']) AS mistyped \gset
SELECT credentials.store(:'red', 'mailer', 'default', 'mistyped again', keys => ARRAY[:'key1']) AS mistyped \gset
SELECT name, state FROM credentials.list(:'red');
SET ROLE credentials_worker;
SELECT credentials.confirm(:'mistyped', false, '401 Unauthorized');
SELECT credentials.request_use(:'red', 'mailer', 'default', 'welcome mail') AS ticket \gset
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);
SET ROLE credentials_request;
SELECT credentials.store(:'red', 'mailer', 'default', 'second secret', keys => ARRAY[:'key1']) AS second \gset
SET ROLE credentials_worker;
SELECT credentials.confirm(:'second', true);
SELECT credentials.request_use(:'red', 'mailer', 'default', 'welcome mail') AS ticket \gset
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);
-- An admin may see it.
SET ROLE credentials_request;
SELECT credentials.request_reveal(:'second', 'moving to another tool') AS ticket \gset
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);

--
-- Nobody else
--
-- Not what somebody else announced, nor without claims.
SET request.jwt.claims = :'as_bob';
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);
SET request.jwt.claims = '';
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);
-- Members, admins of other organizations, and requests without a user.
SET request.jwt.claims = :'as_bob';
SELECT credentials.store(:'red', 'mailer', 'default', 'bob''s', keys => ARRAY[:'key1']);
SELECT * FROM credentials.list(:'red');
SELECT credentials.request_reveal(:'second', 'curious');
SELECT credentials.remove(:'second');
SET request.jwt.claims = :'as_eve';
SELECT credentials.store(:'red', 'mailer', 'default', 'eve''s', keys => ARRAY[:'key1']);
SELECT credentials.request_reveal(:'second', 'curious');
SELECT credentials.request_reveal(gen_random_uuid(), 'is the error another one?');
SELECT credentials.remove(:'second');
SELECT credentials.remove(NULL);
SELECT credentials.list(NULL);
RESET request.jwt.claims;
SELECT credentials.store(:'red', 'mailer', 'default', 'nobody''s', keys => ARRAY[:'key1']);
-- The active organization and the role in a token are not asked; the mirror is.
SELECT json_build_object('sub', :'eve', 'o', json_build_object('id', :'red', 'rol', 'admin')) AS eve_in_red \gset
SET request.jwt.claims = :'eve_in_red';
SELECT credentials.request_reveal(:'second', 'curious');
-- What jobs do is not for people, nor the other way round, and the tables are nobody's.
SELECT credentials.request_use(:'red', 'mailer', 'default', 'curious');
SELECT credentials.confirm(:'second', false);
SELECT credentials.rotate_key();
SELECT count(*) FROM credentials.stored;
SELECT count(*) FROM credentials.audit;
SELECT credentials.decrypt('\x00', 'key');
SELECT credentials.note('use', NULL);
SET ROLE credentials_worker;
SELECT credentials.store(:'red', 'mailer', 'default', 'worker''s', keys => ARRAY[:'key1']);
SELECT ciphertext FROM credentials.stored;
RESET ROLE;
-- Rights end with the role at Clerk.
UPDATE clerk.organization_memberships SET role = 'org:member' WHERE organization_id = :'red' AND user_id = :'ada';
SET ROLE credentials_request;
SET request.jwt.claims = :'as_ada';
SELECT credentials.request_reveal(:'second', 'no admin any more');
RESET ROLE;
UPDATE clerk.organization_memberships SET role = 'org:admin' WHERE organization_id = :'red' AND user_id = :'ada';

--
-- Nothing is read without a trace
--
SET ROLE credentials_request;
BEGIN;
SELECT credentials.request_reveal(:'second', 'rolled back') AS ticket \gset
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);
ROLLBACK;
BEGIN;
SAVEPOINT a;
SELECT credentials.request_reveal(:'second', 'rolled back') AS ticket \gset
RELEASE a;
SAVEPOINT b;
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);
ROLLBACK;
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);
SELECT credentials.reveal(credentials.request_reveal(:'second', 'in one statement'), ARRAY[:'key1']);
RESET ROLE;
SELECT action, user_id = :'ada' AS ada, login = session_user AS login, detail FROM credentials.audit ORDER BY at;
-- An entry is a ticket for a minute, and stays as it is.
UPDATE credentials.audit SET detail = 'nothing to see';
DELETE FROM credentials.audit WHERE action = 'reveal';
TRUNCATE credentials.audit;
SET ROLE credentials_owner;
DELETE FROM credentials.audit;
RESET ROLE;
ALTER TABLE credentials.audit DISABLE TRIGGER append_only;
UPDATE credentials.audit SET at = at - interval '61 seconds';
ALTER TABLE credentials.audit ENABLE TRIGGER append_only;
SELECT entry AS ticket FROM credentials.audit WHERE action = 'reveal' LIMIT 1 \gset
SET ROLE credentials_request;
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);
RESET ROLE;

--
-- Keys
--
-- The secret is nowhere in the tables, and neither is the key.
SELECT count(*) FILTER (WHERE s::text ~ 'secret|1111' OR position('secret'::bytea IN ciphertext) > 0) AS plain, count(*) FROM credentials.stored s;
SELECT count(*) FILTER (WHERE a::text ~ 'secret|1111') AS plain FROM credentials.audit a;
SET ROLE credentials_request;
SELECT credentials.store(:'red', 'mailer', 'other', 'secret', keys => ARRAY['short']);
SELECT credentials.store(:'red', 'mailer', 'other', 'secret', keys => '{}');
SELECT credentials.store(:'red', 'mailer', 'other', 'secret', keys => ARRAY[NULL, :'key1']);
SELECT credentials.store(:'red', 'mailer', 'other', 'secret');
SELECT credentials.store(:'red', 'mailer', 'other', '', keys => ARRAY[:'key1']);
SELECT credentials.request_reveal(:'second', 'wrong key') AS ticket \gset
SELECT credentials.reveal(:'ticket', ARRAY[:'key2']);
-- A new master key: first beside the old one, then everything is encrypted with it, then alone.
SELECT credentials.store(:'red', 'storage', 'default', 'third secret', keys => ARRAY[:'key1']) AS third \gset
SET ROLE credentials_worker;
SELECT credentials.rotate_key(1, ARRAY[:'key2', :'key1']);
SELECT credentials.rotate_key(keys => ARRAY[:'key2']);
SELECT credentials.rotate_key(keys => ARRAY[:'key2', :'key1']);
SELECT credentials.rotate_key(keys => ARRAY[:'key2', :'key1']);
SET ROLE credentials_request;
SELECT credentials.request_reveal(:'second', 'after the rotation') AS ticket \gset
SELECT credentials.reveal(:'ticket', ARRAY[:'key2']);
SELECT credentials.reveal(:'ticket', ARRAY[:'key1']);
-- A ciphertext is of no use in another row.
RESET ROLE;
UPDATE credentials.stored t SET ciphertext = s.ciphertext FROM credentials.stored s
  WHERE t.credential_id = :'third' AND s.credential_id = :'second';
SET ROLE credentials_request;
SELECT credentials.request_reveal(:'third', 'copied') AS ticket \gset
\set VERBOSITY sqlstate
SELECT credentials.reveal(:'ticket', ARRAY[:'key2']);
\set VERBOSITY terse
SELECT credentials.remove(:'third');
SELECT service, name FROM credentials.list(:'red');
-- What stands in a schema of the caller's is not called.
CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT ''\x00''::bytea';
CREATE FUNCTION pg_temp.unnest(anyarray) RETURNS SETOF anyelement LANGUAGE sql AS 'SELECT 1/0 WHERE false; SELECT $1[1]';
SET search_path = pg_temp, public;
SELECT credentials.store(:'red', 'mailer', 'temp', 'secret', keys => ARRAY[:'key2']) IS NOT NULL AS stored;
RESET search_path;
RESET ROLE;
SELECT count(DISTINCT key_id) AS keys FROM credentials.stored;

--
-- A Postgres database is tested by connecting to it
--
SELECT jsonb_build_object('host', split_part(current_setting('unix_socket_directories'), ',', 1), 'port', current_setting('port'),
         'user', session_user, 'dbname', current_database()) AS socket_settings \gset
SET ROLE credentials_request;
SELECT credentials.store(:'red', 'postgres', 'socket', 'secret', :'socket_settings', ARRAY[:'key2']) AS socket \gset
SELECT credentials.store(:'red', 'postgres', 'nobody', 'secret', '{"host": "127.0.0.1", "port": 1}', ARRAY[:'key2']) AS nobody \gset
SELECT credentials.store(:'red', 'postgres', 'quotes', E'it''s \\ secret'' host=evil.example sslmode=disable ''',
         '{"host": "127.0.0.1", "port": "1'' sslmode=''disable", "user": "\\"}', ARRAY[:'key2']) AS quotes \gset
SET ROLE credentials_worker;
SELECT credentials.request_test(:'socket') AS socket_ticket \gset
SELECT credentials.test_postgres(:'socket_ticket', ARRAY[:'key2']) LIKE 'connections to %are not allowed' AS refused;
SELECT credentials.request_test(:'nobody') AS ticket \gset
SELECT credentials.test_postgres(:'ticket', ARRAY[:'key2']);
RESET ROLE;
INSERT INTO credentials.allowed_hosts VALUES ('127.0.0.1'), ('/%');
SET ROLE credentials_worker;
-- Nobody there; and where a server lets everybody in, nothing is known about the password, nor is it a way in.
SELECT credentials.test_postgres(:'ticket', ARRAY[:'key2']) ~ '127.0.0.1.*port 1' AS no_server;
SELECT credentials.test_postgres(:'socket_ticket', ARRAY[:'key2']) IS NOT NULL AS refused;
SELECT credentials.request_test(:'quotes') AS ticket \gset
SELECT credentials.test_postgres(:'ticket', ARRAY[:'key2']) ~ 'invalid integer value "1'' sslmode=''disable" for connection option "port"' AS quoted;
SELECT credentials.confirm(:'nobody', false, 'no server');
SELECT dblink_get_connections();
RESET ROLE;

--
-- With Vault: here a stand-in with its table, its view and the functions that are used
--
DROP SCHEMA credentials CASCADE;
DROP POLICY credentials ON app.organization_memberships;
DROP POLICY credentials ON app.users;
DROP POLICY credentials ON app.organizations;
DROP OWNED BY credentials_owner, credentials_request, credentials_worker;
DROP ROLE credentials_owner, credentials_request, credentials_worker;
CREATE SCHEMA vault;
CREATE FUNCTION vault._crypto_aead_det_decrypt(message bytea, additional bytea, key_id bigint, context bytea, nonce bytea) RETURNS bytea
  LANGUAGE sql IMMUTABLE RETURN public.decrypt_iv(message, 'sixteen bytes ok', nonce, 'aes');
REVOKE ALL ON FUNCTION vault._crypto_aead_det_decrypt FROM PUBLIC;
CREATE TABLE vault.secrets (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text UNIQUE, description text NOT NULL DEFAULT '',
  secret text NOT NULL, key_id uuid, nonce bytea DEFAULT public.gen_random_bytes(16),
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE VIEW vault.decrypted_secrets AS
  SELECT id, name, description, secret, convert_from(vault._crypto_aead_det_decrypt(decode(secret, 'base64'), id::text::bytea, 0,
           'pgsodium', nonce), 'UTF8') AS decrypted_secret, key_id, nonce, created_at, updated_at FROM vault.secrets;
CREATE FUNCTION vault.create_secret(new_secret text, new_name text DEFAULT NULL, new_description text DEFAULT '', new_key_id uuid DEFAULT NULL)
  RETURNS uuid LANGUAGE sql SET search_path = '' AS $$
  INSERT INTO vault.secrets (secret, name, description, nonce)
  SELECT encode(public.encrypt_iv(new_secret::bytea, 'sixteen bytes ok', nonce, 'aes'), 'base64'), new_name, new_description, nonce
    FROM public.gen_random_bytes(16) nonce RETURNING id $$;
SELECT vault.create_secret('not a key of ours', 'something_else') IS NOT NULL AS made;
\set ECHO none
\i ../docs/recipes/credentials.sql
\set ECHO all
SET ROLE credentials_request;
SELECT credentials.store(:'red', 'mailer', 'default', 'in vault');
RESET ROLE;
SELECT vault.create_secret(encode(gen_random_bytes(32), 'hex'), 'credentials_key_1') IS NOT NULL AS made;
SET ROLE credentials_request;
SELECT credentials.store(:'red', 'mailer', 'default', 'in vault') AS id \gset
SELECT credentials.request_reveal(:'id', 'test') AS ticket \gset
SELECT credentials.reveal(:'ticket');
SELECT decrypted_secret FROM vault.decrypted_secrets;
RESET ROLE;
SELECT vault.create_secret(encode(gen_random_bytes(32), 'hex'), 'credentials_key_2') IS NOT NULL AS made;
SET ROLE credentials_worker;
SELECT credentials.rotate_key();
RESET ROLE;
DELETE FROM vault.secrets WHERE name = 'credentials_key_1';
SET ROLE credentials_request;
SELECT credentials.request_reveal(:'id', 'test') AS ticket \gset
SELECT credentials.reveal(:'ticket');
RESET ROLE;

DELETE FROM clerk.organizations WHERE organization_id IN (:'red', :'blue');
DELETE FROM clerk.users WHERE user_id IN (:'ada', :'bob', :'eve');
DROP SCHEMA credentials CASCADE;
DROP SCHEMA vault CASCADE;
DROP EXTENSION clerk_fdw CASCADE;
DROP EXTENSION pgcrypto, dblink;
DROP SCHEMA app, clerk CASCADE;
DROP OWNED BY credentials_owner, credentials_request, credentials_worker;
DROP ROLE credentials_owner, credentials_request, credentials_worker;
