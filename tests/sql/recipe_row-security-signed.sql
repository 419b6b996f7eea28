--
-- The second part of the recipe docs/recipes/row-security.md: a backend that sets any claims it likes gets nothing without
-- a token that Clerk has signed.
--
SELECT count(*) = 0 AS no_pgcrypto FROM pg_available_extensions WHERE name = 'pgcrypto' \gset
\if :no_pgcrypto
\echo SKIPPED: this Postgres has no pgcrypto
\quit
\endif
\set url `echo "$CLERK_SIM_URL"`
\set VERBOSITY terse
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000', updatable 'true');
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;
SELECT clerk_fdw.create_mirror('clerk', 'app');
SET client_min_messages = warning;
INSERT INTO clerk.users (first_name, email) VALUES ('Ada', 'ada@signed.example') RETURNING user_id AS ada \gset
INSERT INTO clerk.organizations (name, slug, created_by) VALUES ('Red', 'red-signed', :'ada') RETURNING organization_id AS red \gset
CALL clerk_fdw.sync('app');
\set ECHO none
\i ../docs/recipes/row-security.sql
\i ../docs/recipes/row-security-signed.sql
\set ECHO all
INSERT INTO workspace.projects (organization_id, name, created_by) VALUES (:'red', 'Bridge', :'ada');

-- Signs claims as Clerk does.
CREATE FUNCTION base64url(value bytea) RETURNS text LANGUAGE sql AS $$
  SELECT translate(encode($1, 'base64'), E'+/=\n', '-_') $$;
CREATE FUNCTION token(claims text, key text, header text DEFAULT '{"alg":"HS256","typ":"JWT"}') RETURNS text LANGUAGE sql AS $$
  SELECT m || '.' || base64url(hmac(m::bytea, $2::bytea, 'sha256'))
    FROM (SELECT base64url($3::bytea) || '.' || base64url(convert_to($1, 'UTF8')) AS m) AS message $$;
-- What a request with these settings sees.
CREATE FUNCTION seen(token text, claims text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('request.jwt', token, true), set_config('request.jwt.claims', claims, true);
  RETURN (SELECT count(*) FROM workspace.projects);
END $$;
GRANT EXECUTE ON FUNCTION seen TO workspace_request;

-- The second test of RFC 4231, and the alphabet of URLs.
SELECT encode(workspace_verifier.signature('what do ya want for nothing?', 'Jefe'), 'hex') AS hmac,
       workspace_verifier.base64url('-_8') AS bytes;

INSERT INTO workspace_verifier.signing_keys VALUES ('too short');
\set key 0123456789abcdef0123456789abcdef
INSERT INTO workspace_verifier.signing_keys VALUES (:'key'), ('another key, while the first one is being replaced');
SELECT json_build_object('sub', :'ada', 'org_id', :'red', 'org_role', 'org:admin', 'name', 'Ada Ünlü',
                         'exp', extract(epoch FROM now())::bigint + 600) AS claims,
       json_build_object('sub', :'ada', 'org_id', :'red', 'exp', extract(epoch FROM now())::bigint - 1) AS expired,
       json_build_object('sub', :'ada', 'org_id', :'red', 'exp', extract(epoch FROM now())::bigint + 600,
                         'nbf', extract(epoch FROM now())::bigint + 300) AS not_yet,
       json_build_object('sub', :'ada', 'org_id', :'red') AS endless,
       json_build_object('sub', 'user_2', 'org_id', :'red', 'exp', extract(epoch FROM now())::bigint + 600) AS other \gset
SELECT token(:'claims', :'key') AS good, token(:'claims', 'another key, while the first one is being replaced') AS second,
       token(:'claims', 'fedcba9876543210fedcba9876543210') AS wrong_key, token(:'other', :'key') AS others,
       token(:'expired', :'key') AS expired_token, token(:'endless', :'key') AS endless_token,
       token(:'not_yet', :'key') AS not_yet_token, token(:'claims', :'key', '{"alg":"none"}') AS header_none \gset
SELECT split_part(:'header_none', '.', 1) || '.' || split_part(:'good', '.', 2) || '.' AS unsigned,
       split_part(:'good', '.', 1) || '.' || split_part(:'good', '.', 2) || '.' || split_part(:'others', '.', 3) AS swapped \gset

BEGIN;
SET LOCAL ROLE workspace_request;
SELECT seen(:'good', :'claims') AS good, seen(:'second', :'claims') AS second_key,
       seen(NULL, :'claims') AS no_token, seen('', :'claims') AS empty_token, seen('..', :'claims') AS dots,
       seen(:'wrong_key', :'claims') AS wrong_key, seen(:'unsigned', :'claims') AS unsigned,
       seen(:'swapped', :'claims') AS swapped, seen(:'others', :'claims') AS other_claims,
       seen(:'good', NULL) AS no_claims, seen(:'expired_token', :'expired') AS expired,
       seen(:'not_yet_token', :'not_yet') AS not_yet, seen(:'endless_token', :'endless') AS endless;
-- The key and the parts of the verification are nobody's.
SAVEPOINT a;
SELECT key FROM workspace_verifier.signing_keys;
ROLLBACK TO a;
SELECT workspace_verifier.signature('forged', '');
ROLLBACK TO a;
-- Nor can what runs inside be replaced.
CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT ''\x00''::bytea';
SET search_path = pg_temp, pg_catalog;
SELECT public.seen(:'good', :'claims') AS good, public.seen(:'wrong_key', :'claims') AS wrong_key;
ROLLBACK;
SELECT count(*) AS gaps FROM workspace.row_security_gaps;

DELETE FROM clerk.organizations WHERE organization_id = :'red';
DELETE FROM clerk.users WHERE user_id = :'ada';
DROP FUNCTION seen, token, base64url;
DROP SCHEMA workspace, workspace_verifier CASCADE;
DROP EXTENSION clerk_fdw CASCADE;
DROP EXTENSION pgcrypto;
DROP SCHEMA app, clerk CASCADE;
DROP ROLE workspace_backend, workspace_request, workspace_owner, workspace_verifier;
