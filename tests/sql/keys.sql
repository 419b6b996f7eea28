--
-- Whose key a query uses: the user mapping's, else Vault's, else the server's, else the environment's of the server
-- process; and what is said where there is none, or a wrong one.
--
\set url `echo "$CLERK_SIM_URL"`
CREATE EXTENSION clerk_fdw;

-- Shows the error of a command without what changes from run to run: the trace id that Clerk's support asks for.
CREATE PROCEDURE public.try(command text) LANGUAGE plpgsql AS $$
DECLARE
  code text; message text; detail text; hint text;
BEGIN
  EXECUTE command;
  RAISE NOTICE 'no error';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RAISE NOTICE '%: %', code, regexp_replace(message, 'clerk_trace_id \w+', 'clerk_trace_id ...')
    || coalesce(E'\nDETAIL:  ' || nullif(detail, ''), '') || coalesce(E'\nHINT:  ' || nullif(hint, ''), '');
END $$;
GRANT EXECUTE ON PROCEDURE try TO PUBLIC;

-- The server's owner is no superuser, so that the environment's key is out of the question: it belongs to whoever runs
-- the server process.
CREATE ROLE regress_clerk_owner;
CREATE ROLE regress_clerk_ann;
CREATE ROLE regress_clerk_bob;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000');
GRANT USAGE ON FOREIGN DATA WRAPPER clerk_fdw TO regress_clerk_owner;
ALTER SERVER clerk OWNER TO regress_clerk_owner;
CREATE FOREIGN TABLE users (user_id text, email text) SERVER clerk OPTIONS (object 'users');
GRANT SELECT ON users TO regress_clerk_ann, regress_clerk_bob;

--
-- No key anywhere: which places were looked at, and what to do
--
SELECT count(*) FROM users;
-- The plan needs no key, nor does a query that needs no row.
EXPLAIN (COSTS OFF) SELECT email FROM users;
SELECT count(*) FROM users WHERE false;
SELECT email FROM users LIMIT 0;
-- A mapping without a key is not enough.
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk;
SELECT count(*) FROM users;
-- Nor are names of secrets where there is no Vault.
ALTER SERVER clerk OPTIONS (ADD api_key_id '6f8f9d3e-0b1c-4c3e-9a54-0123456789ab', ADD api_key_name 'clerk');
SELECT count(*) FROM users;
-- The server's name is given so that it can be pasted.
ALTER SERVER clerk RENAME TO "Our Clerk";
SELECT count(*) FROM users;
ALTER SERVER "Our Clerk" RENAME TO clerk;

--
-- Vault, which holds secrets by id and by name
--
CREATE SCHEMA vault;
CREATE TABLE vault.secrets (id uuid PRIMARY KEY, key_id uuid, name text UNIQUE, secret text);
CREATE VIEW vault.decrypted_secrets AS SELECT id, key_id, name, secret AS decrypted_secret FROM vault.secrets;
-- What is named like it and is not a superuser's is not Vault: anybody may make that.
ALTER VIEW vault.decrypted_secrets OWNER TO regress_clerk_ann;
SELECT count(*) FROM users;
ALTER VIEW vault.decrypted_secrets OWNER TO CURRENT_USER;
ALTER SCHEMA vault OWNER TO regress_clerk_ann;
SELECT count(*) FROM users;
ALTER SCHEMA vault OWNER TO CURRENT_USER;
-- The server's owner says where the key is sent, and so must be able to read it as well.
SELECT count(*) FROM users;
GRANT USAGE ON SCHEMA vault TO regress_clerk_owner;
GRANT SELECT ON vault.decrypted_secrets TO regress_clerk_owner;
-- Nothing in it.
SELECT count(*) FROM users;
-- By name.
INSERT INTO vault.secrets VALUES ('6f8f9d3e-0b1c-4c3e-9a54-0123456789ac', NULL, 'clerk', 'sk_test_simulator');
SELECT count(*) FROM users;
-- The id comes first: a wrong key is behind it.
INSERT INTO vault.secrets VALUES ('6f8f9d3e-0b1c-4c3e-9a54-0123456789ab', NULL, 'other', 'sk_test_wrong');
CALL try('SELECT count(*) FROM users');
UPDATE vault.secrets SET secret = 'sk_test_simulator' WHERE name = 'other';
UPDATE vault.secrets SET secret = 'sk_test_wrong' WHERE name = 'clerk';
SELECT count(*) FROM users;
-- An empty secret, or none, is no key; the search goes on.
UPDATE vault.secrets SET secret = '' WHERE name = 'other';
UPDATE vault.secrets SET secret = NULL WHERE name = 'clerk';
SELECT count(*) FROM users;
ALTER SERVER clerk OPTIONS (ADD api_key 'sk_test_simulator');
SELECT count(*) FROM users;
-- A key that changes in Vault is the next query's.
UPDATE vault.secrets SET secret = 'sk_test_wrong' WHERE name = 'other';
CALL try('SELECT count(*) FROM users');
UPDATE vault.secrets SET secret = 'sk_test_simulator' WHERE name = 'other';
SELECT count(*) FROM users;
-- An id is one however it is written; where there is a name instead, that is taken.
ALTER SERVER clerk OPTIONS (DROP api_key, DROP api_key_name, SET api_key_id '6F8F9D3E-0B1C-4C3E-9A54-0123456789AB');
SELECT count(*) FROM users;
ALTER SERVER clerk OPTIONS (SET api_key_id 'other');
SELECT count(*) FROM users;
-- What is neither, and a name with quotes: they are values, not SQL.
ALTER SERVER clerk OPTIONS (SET api_key_id 'not an id', ADD api_key_name 'it''s; DROP TABLE vault.secrets --');
SELECT count(*) FROM users;
UPDATE vault.secrets SET name = 'it''s; DROP TABLE vault.secrets --' WHERE name = 'other';
SELECT count(*) FROM users;
-- Nothing is written for it, so that it works in a query that is read-only, on a standby say, or parallel.
CREATE TABLE local AS SELECT user_id FROM users;
ALTER TABLE local SET (parallel_workers = 2);
START TRANSACTION READ ONLY;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT count(*) FROM users JOIN local USING (user_id);
SELECT pg_current_xact_id_if_assigned() IS NULL AS nothing_written;
COMMIT;
BEGIN;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
CREATE TABLE joined AS SELECT email FROM users JOIN local USING (user_id);
SELECT count(*) FROM joined;
ROLLBACK;
DROP TABLE local;
-- Who may not read Vault gets no key from it.
SET ROLE regress_clerk_ann;
CALL try('SELECT count(*) FROM users');
RESET ROLE;
-- What stands first in the search path is not Vault.
CREATE SCHEMA other_vault;
CREATE TABLE other_vault.decrypted_secrets (id uuid, key_id uuid, name text, decrypted_secret text);
SET search_path = other_vault, pg_temp, public, pg_catalog;
SELECT count(*) FROM users;
RESET search_path;
DROP TABLE other_vault.decrypted_secrets;
DROP SCHEMA other_vault;

--
-- Before Vault comes the user mapping, after it the server's own key
--
ALTER SERVER clerk OPTIONS (ADD api_key 'sk_test_wrong');
SELECT count(*) AS key_of_vault FROM users;
UPDATE vault.secrets SET secret = 'sk_test_wrong';
ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (ADD api_key 'sk_test_simulator');
SELECT count(*) AS key_of_the_mapping FROM users;
ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (SET api_key 'sk_test_wrong');
ALTER SERVER clerk OPTIONS (SET api_key 'sk_test_simulator');
CALL try('SELECT count(*) FROM users');
ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (DROP api_key);
CALL try('SELECT count(*) FROM users');
ALTER SERVER clerk OPTIONS (DROP api_key_id, DROP api_key_name);
SELECT count(*) AS key_of_the_server FROM users;
DROP VIEW vault.decrypted_secrets;
DROP TABLE vault.secrets;
DROP SCHEMA vault;

--
-- A key that Clerk refuses: its own words, and what to check. No part of the key is shown.
--
ALTER SERVER clerk OPTIONS (SET api_key 'sk_live_a_secret_that_nobody_may_read');
CALL try('SELECT count(*) FROM users');
CALL try('SELECT email FROM users WHERE user_id = ''user_1''');
ALTER SERVER clerk OPTIONS (DROP api_key);

--
-- Roles: each has its own key, PUBLIC has one for all others
--
DROP USER MAPPING FOR CURRENT_USER SERVER clerk;
CREATE USER MAPPING FOR regress_clerk_ann SERVER clerk OPTIONS (api_key 'sk_test_simulator');
CREATE USER MAPPING FOR PUBLIC SERVER clerk OPTIONS (api_key 'sk_test_wrong');
SET ROLE regress_clerk_ann;
SELECT count(*) AS ann FROM users;
SET ROLE regress_clerk_bob;
CALL try('SELECT count(*) AS bob FROM users');
RESET ROLE;
DROP USER MAPPING FOR PUBLIC SERVER clerk;
SET ROLE regress_clerk_bob;
SELECT count(*) AS bob FROM users;
RESET ROLE;

-- A view reads with its owner's key: that is how bob may see what ann lets him see.
GRANT CREATE, USAGE ON SCHEMA public TO regress_clerk_ann;
SET ROLE regress_clerk_ann;
CREATE VIEW users_of_ann AS SELECT user_id FROM users;
GRANT SELECT ON users_of_ann TO regress_clerk_bob;
CREATE FUNCTION counted_by_ann() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public AS 'SELECT count(*) FROM users';
RESET ROLE;
SET ROLE regress_clerk_bob;
SELECT count(*) FROM users_of_ann;
-- So does a function with its owner's rights.
SELECT counted_by_ann();
-- In one query each side reads with its own.
SELECT count(*) FROM users_of_ann JOIN users USING (user_id);
RESET ROLE;
-- The same plan for another role: the key is looked for anew.
PREPARE counted AS SELECT count(*) FROM users;
SET ROLE regress_clerk_ann;
EXECUTE counted;
EXECUTE counted;
SET ROLE regress_clerk_bob;
EXECUTE counted;
RESET ROLE;
DEALLOCATE counted;

-- Nobody else reads the key of a mapping.
SET ROLE regress_clerk_bob;
SELECT usename, umoptions FROM pg_user_mappings WHERE srvname = 'clerk';
SELECT count(*) FROM pg_user_mapping;
SELECT count(*) FROM users_of_ann WHERE users_of_ann::text LIKE '%sk_test%';
RESET ROLE;

-- Who may not use the server may not write a mapping for it; who may writes one for itself alone.
SET ROLE regress_clerk_bob;
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER clerk TO regress_clerk_bob;
SET ROLE regress_clerk_bob;
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
SELECT count(*) AS bob FROM users;
CREATE USER MAPPING FOR regress_clerk_owner SERVER clerk OPTIONS (api_key 'sk_test_simulator');
RESET ROLE;

SET client_min_messages = warning;
DROP PROCEDURE try;
DROP EXTENSION clerk_fdw CASCADE;
DROP FUNCTION counted_by_ann;
REVOKE ALL ON SCHEMA public FROM regress_clerk_ann;
DROP ROLE regress_clerk_owner, regress_clerk_ann, regress_clerk_bob;
