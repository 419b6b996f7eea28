--
-- OPTIONS (...): what may be said where, within which limits, and what is said about the rest. Nothing here talks to
-- Clerk but the last block.
--
\set url `echo "$CLERK_SIM_URL"`
CREATE EXTENSION clerk_fdw;

-- A wrapper of one's own from the extension's functions is as good as the one that comes along.
CREATE FOREIGN DATA WRAPPER clerk_wrapper HANDLER clerk_fdw_handler VALIDATOR clerk_fdw_validator;

-- It has no options itself.
CREATE FOREIGN DATA WRAPPER clerk_other HANDLER clerk_fdw_handler VALIDATOR clerk_fdw_validator OPTIONS (api_key 'sk_test_1');
ALTER FOREIGN DATA WRAPPER clerk_wrapper OPTIONS (ADD debug 'true');

--
-- Every option at its place
--
CREATE SERVER everything FOREIGN DATA WRAPPER clerk_wrapper OPTIONS (
  api_key 'sk_test_1', api_key_id '6f8f9d3e-0b1c-4c3e-9a54-0123456789ab', api_key_name 'clerk',
  api_url 'https://clerk.example.com/v1', api_version '2026-05-12', rate_limit '1000', request_interval_ms '500',
  page_size '100', max_concurrency '4', timeout_ms '5000', max_retries '0',
  rate_limit_timeout_ms '0', updatable 'false');
CREATE USER MAPPING FOR PUBLIC SERVER everything OPTIONS (api_key 'sk_test_2');
CREATE FOREIGN TABLE everything (id text, plan text OPTIONS (path 'public_metadata.plan'))
  SERVER everything OPTIONS (object 'users', rowid_column 'id', startup_cost '10', page_size '50', updatable 'false');
-- And none where none is needed.
CREATE SERVER nothing FOREIGN DATA WRAPPER clerk_wrapper;
CREATE USER MAPPING FOR PUBLIC SERVER nothing;

-- In the wrong place, and what can be said there instead.
CREATE SERVER wrong FOREIGN DATA WRAPPER clerk_wrapper OPTIONS (object 'users');
CREATE SERVER wrong FOREIGN DATA WRAPPER clerk_wrapper OPTIONS (path 'a.b');
CREATE USER MAPPING FOR CURRENT_USER SERVER nothing OPTIONS (api_key_id '1');
CREATE USER MAPPING FOR CURRENT_USER SERVER nothing OPTIONS (rate_limit '1');
CREATE FOREIGN TABLE wrong (id text) SERVER nothing OPTIONS (object 'users', api_key 'sk_test_1');
CREATE FOREIGN TABLE wrong (id text) SERVER nothing OPTIONS (object 'users', path 'a.b');
CREATE FOREIGN TABLE wrong (id text OPTIONS (object 'users')) SERVER nothing OPTIONS (object 'users');

-- Misspelt: the nearest name is offered.
CREATE SERVER wrong FOREIGN DATA WRAPPER clerk_wrapper OPTIONS (apikey 'sk_test_1');
CREATE SERVER wrong FOREIGN DATA WRAPPER clerk_wrapper OPTIONS (pagesize '100');
CREATE SERVER wrong FOREIGN DATA WRAPPER clerk_wrapper OPTIONS (host 'localhost');
CREATE USER MAPPING FOR CURRENT_USER SERVER nothing OPTIONS (password 'sk_test_1');
CREATE FOREIGN TABLE wrong (id text) SERVER nothing OPTIONS (objects 'users');
CREATE FOREIGN TABLE wrong (id text OPTIONS (paht 'a.b')) SERVER nothing OPTIONS (object 'users');
-- Names of options have no capitals.
CREATE SERVER wrong FOREIGN DATA WRAPPER clerk_wrapper OPTIONS ("API_KEY" 'sk_test_1');

-- Every table says which object it shows, and it is one of Clerk's.
CREATE FOREIGN TABLE wrong (id text) SERVER nothing;
CREATE FOREIGN TABLE wrong (id text) SERVER nothing OPTIONS (page_size '100');
CREATE FOREIGN TABLE wrong (id text) SERVER nothing OPTIONS (object '');
CREATE FOREIGN TABLE wrong (id text) SERVER nothing OPTIONS (object 'user');
CREATE FOREIGN TABLE wrong (id text) SERVER nothing OPTIONS (object 'Users');
CREATE FOREIGN TABLE wrong (id text) SERVER nothing OPTIONS (object 'invoices of last year');
-- Postgres itself refuses an option that is given twice.
CREATE FOREIGN TABLE wrong (id text) SERVER nothing OPTIONS (object 'users', object 'users');

--
-- Values: what each option takes and refuses, tried one after the other
--
CREATE FUNCTION pg_temp.said(place text, option text, value text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format(CASE place
    WHEN 'server' THEN 'CREATE SERVER wrong FOREIGN DATA WRAPPER clerk_wrapper OPTIONS (%1$I %2$L)'
    WHEN 'mapping' THEN 'CREATE USER MAPPING FOR CURRENT_USER SERVER nothing OPTIONS (%1$I %2$L)'
    WHEN 'table' THEN 'CREATE FOREIGN TABLE wrong () SERVER nothing OPTIONS (object ''users'', %1$I %2$L)'
    WHEN 'column' THEN 'CREATE FOREIGN TABLE wrong (c text OPTIONS (%1$I %2$L)) SERVER nothing OPTIONS (object ''users'')'
  END, option, value);
  RAISE EXCEPTION USING ERRCODE = 'P0001', MESSAGE = 'taken';
EXCEPTION WHEN OTHERS THEN
  RETURN CASE sqlstate WHEN 'P0001' THEN '' ELSE sqlstate || ': ' END || sqlerrm;
END $$;

-- Numbers: the first and last that are taken, and what is beside them.
SELECT place, option, value, pg_temp.said(place, option, value)
  FROM (VALUES ('server', 'rate_limit', 1, 1000000), ('server', 'request_interval_ms', 0, 3600000),
               ('server', 'page_size', 1, 500), ('table', 'page_size', 1, 500), ('server', 'max_concurrency', 1, 32),
               ('server', 'timeout_ms', 1, 3600000), ('server', 'max_retries', 0, 100),
               ('server', 'rate_limit_timeout_ms', 0, 3600000))
         AS options (place, option, least, most),
       unnest(ARRAY[least - 1, least, most, most + 1]::text[]) WITH ORDINALITY AS given (value, number)
  ORDER BY option COLLATE "C", place COLLATE "C", number;

-- Numbers that are none, or not whole.
SELECT value, pg_temp.said('server', 'rate_limit', value)
  FROM unnest(ARRAY['', ' ', 'many', '1.5', '1e3', '0x10', '1_000', '250 ', '+250', '0250', '99999999999999999999', '250; DROP TABLE users'])
         WITH ORDINALITY AS given (value, number) ORDER BY number;

-- True and false, in Postgres' words.
SELECT value, pg_temp.said('server', 'updatable', value), pg_temp.said('table', 'updatable', value) AS on_a_table
  FROM unnest(ARRAY['true', 'false', 'on', 'off', 'yes', 'no', '1', '0', 'T', 'FALSE', '', '2', 'maybe'])
         WITH ORDINALITY AS given (value, number) ORDER BY number;

-- A key is never repeated, whatever is wrong with it.
SELECT place, pg_temp.said(place, 'api_key', value)
  FROM (VALUES (1, 'server', 'sk_live_1'), (2, 'server', ''), (3, 'server', 'sk_live_secret '), (4, 'server', E'sk_live_\nsecret'),
               (5, 'mapping', 'sk_live_1'), (6, 'mapping', ''), (7, 'mapping', 'sk live secret'), (8, 'mapping', U&'sk_live_s\00E9cret'))
         AS given (number, place, value) ORDER BY number;
SELECT option, pg_temp.said('server', option, '') FROM unnest(ARRAY['api_key_id', 'api_key_name']) AS option ORDER BY option;

-- Where Clerk is: over https; plainly on this machine alone, where nobody else reads the key.
SELECT value, pg_temp.said('server', 'api_url', value)
  FROM unnest(ARRAY['https://api.clerk.com/v1', 'https://api.clerk.com/v1/', 'https://clerk.example.com:8443/a/b', 'https://10.1.2.3',
                    'http://localhost:3000/v1', 'http://127.0.0.1', 'http://127.1.2.3:80/v1', 'http://[::1]:8080/v1',
                    'http://api.clerk.com/v1', 'http://localhost.example.com', 'http://127.0.0.1.example.com', 'http://10.0.0.1/v1',
                    'http://[::2]/v1', 'http://0.0.0.0/v1', 'ftp://localhost/v1', 'file:///etc/passwd', 'api.clerk.com/v1', 'localhost:3000', '', 'https://',
                    'https://user:pass@api.clerk.com/v1', 'https://key@api.clerk.com/v1', 'https://api.clerk.com/v1?a=b', 'https://api.clerk.com/v1#top',
                    'https://api clerk.com'])
         WITH ORDINALITY AS given (value, number) ORDER BY number;

-- The version of Clerk's API.
SELECT value, pg_temp.said('server', 'api_version', value)
  FROM unnest(ARRAY['2026-05-12', '2025-11-10.beta', '', '2026 05 12', E'2026-05-12\r\nX-Evil: 1']) WITH ORDINALITY AS given (value, number) ORDER BY number;

-- What the planner is told.
SELECT value, pg_temp.said('table', 'startup_cost', value)
  FROM unnest(ARRAY['0', '12.5', '1e3', '-1', 'NaN', 'Infinity', 'cheap', '']) WITH ORDINALITY AS given (value, number) ORDER BY number;
SELECT pg_temp.said('table', 'rowid_column', 'id') AS some, pg_temp.said('table', 'rowid_column', '') AS none;

-- Paths: names separated by dots.
SELECT value, pg_temp.said('column', 'path', value)
  FROM unnest(ARRAY['plan', 'public_metadata.plan', 'email_addresses.0.email_address', 'public_metadata.a name with spaces', '', '.', '.plan', 'plan.', 'a..b'])
         WITH ORDINALITY AS given (value, number) ORDER BY number;

--
-- ALTER: the rules are the same, and the next query goes by what is new, a prepared one as well
--
ALTER SERVER everything OPTIONS (SET page_size '501');
ALTER SERVER everything OPTIONS (ADD page_size '20');
ALTER SERVER everything OPTIONS (DROP host);
ALTER SERVER everything OPTIONS (SET page_size '20', DROP api_key_id, DROP api_key_name, DROP request_interval_ms, DROP api_version);
SELECT srvoptions FROM pg_foreign_server WHERE srvname = 'everything';
ALTER FOREIGN TABLE everything OPTIONS (DROP object);
ALTER FOREIGN TABLE everything OPTIONS (SET object 'organisations');
ALTER FOREIGN TABLE everything ALTER COLUMN plan OPTIONS (SET path 'public_metadata..plan');
ALTER FOREIGN TABLE everything ALTER COLUMN id OPTIONS (ADD rows 'a');
ALTER USER MAPPING FOR PUBLIC SERVER everything OPTIONS (SET api_key '');
ALTER USER MAPPING FOR PUBLIC SERVER everything OPTIONS (DROP api_key, ADD password 'x');

ALTER SERVER everything OPTIONS (SET api_url :'url', SET rate_limit '100000');
ALTER USER MAPPING FOR PUBLIC SERVER everything OPTIONS (SET api_key 'sk_test_simulator');
PREPARE answer AS SELECT count(*), count(DISTINCT id) AS ids, count(plan) > 0 AS some_plans FROM everything;
EXECUTE answer;
ALTER FOREIGN TABLE everything OPTIONS (SET object 'organizations');
EXECUTE answer;
ALTER FOREIGN TABLE everything ALTER COLUMN plan OPTIONS (SET path 'public_metadata.no_such_plan');
EXECUTE answer;
ALTER FOREIGN TABLE everything ALTER COLUMN plan OPTIONS (DROP path);
EXECUTE answer;
ALTER USER MAPPING FOR PUBLIC SERVER everything OPTIONS (SET api_key 'sk_test_wrong');
\set VERBOSITY sqlstate
EXECUTE answer;
\set VERBOSITY default
ALTER USER MAPPING FOR PUBLIC SERVER everything OPTIONS (DROP api_key);
ALTER SERVER everything OPTIONS (SET api_key 'sk_test_simulator');
EXECUTE answer;
DEALLOCATE answer;

-- Pages of any size give the same rows.
CREATE FOREIGN TABLE users (user_id text, attrs jsonb) SERVER everything OPTIONS (object 'users', page_size '500');
CREATE TEMPORARY TABLE expected AS SELECT * FROM users;
ALTER FOREIGN TABLE users OPTIONS (SET page_size '7');
SELECT count(*), count(*) FILTER (WHERE e.attrs = u.attrs) AS same FROM expected e FULL JOIN users u USING (user_id);
ALTER FOREIGN TABLE users OPTIONS (DROP page_size);
ALTER SERVER everything OPTIONS (SET page_size '99', SET max_concurrency '1');
SELECT count(*), count(*) FILTER (WHERE e.attrs = u.attrs) AS same FROM expected e FULL JOIN users u USING (user_id);

SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
