--
-- Queries of every shape give the right rows. Each is held against the same query on an ordinary copy of the data, or
-- against another way to ask.
--
\set url `echo "$CLERK_SIM_URL"`
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', api_key 'sk_test_simulator', rate_limit '100000');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;
CREATE SCHEMA copy;
CREATE TABLE copy.users AS SELECT * FROM clerk.users;
CREATE TABLE copy.organizations AS SELECT * FROM clerk.organizations;
CREATE TABLE copy.organization_memberships AS SELECT * FROM clerk.organization_memberships;
ANALYZE copy.users, copy.organizations, copy.organization_memberships;

-- Runs a query on both, and says how many rows it gives, and whether they are the same.
CREATE FUNCTION pg_temp.same(query text) RETURNS TABLE (rows bigint, same boolean) LANGUAGE plpgsql AS $$
BEGIN
  DROP TABLE IF EXISTS live, copied;
  SET LOCAL search_path = clerk, pg_catalog, pg_temp;
  EXECUTE 'CREATE TEMPORARY TABLE live AS ' || query;
  SET LOCAL search_path = copy, pg_catalog, pg_temp;
  EXECUTE 'CREATE TEMPORARY TABLE copied AS ' || query;
  SET LOCAL search_path = pg_catalog, pg_temp;
  RETURN QUERY SELECT (SELECT count(*) FROM live),
    NOT EXISTS (TABLE live EXCEPT ALL TABLE copied) AND NOT EXISTS (TABLE copied EXCEPT ALL TABLE live);
END $$;
-- The requests that a query's plan makes, whatever else is in the plan.
CREATE FUNCTION pg_temp.requests(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF line LIKE '%Clerk: %' THEN RETURN NEXT trim(line); END IF;
  END LOOP;
END $$;
SET client_min_messages = warning;

-- Some ids to ask for.
SELECT user_id AS ann FROM copy.users ORDER BY created_at, user_id LIMIT 1 \gset
SELECT user_id AS bob FROM copy.users ORDER BY created_at DESC, user_id LIMIT 1 \gset
SELECT organization_id AS org, count(*) AS members FROM copy.organization_memberships GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1 \gset

--
-- One object by its id: one request, shown by EXPLAIN
--
EXPLAIN (COSTS OFF) SELECT email FROM clerk.users WHERE user_id = 'user_1';
EXPLAIN (COSTS OFF) SELECT email FROM clerk.users WHERE 'user_1' = user_id AND NOT banned;
EXPLAIN (COSTS OFF) SELECT name FROM clerk.organizations WHERE organization_id = 'org_1';
EXPLAIN (COSTS OFF) SELECT role FROM clerk.organization_memberships WHERE organization_id = 'org_1';
SELECT count(*), bool_and(user_id = :'ann') AS right_one FROM clerk.users WHERE user_id = :'ann';
SELECT count(*), bool_and(organization_id = :'org') AS right_one FROM clerk.organizations WHERE organization_id = :'org';
SELECT count(*) = :members AS all_members, bool_and(organization_id = :'org') AS right_ones, count(DISTINCT user_id) = count(*) AS once_each
  FROM clerk.organization_memberships WHERE organization_id = :'org';
-- The rest of the conditions holds as well.
SELECT count(*) FROM clerk.users WHERE user_id = :'ann' AND user_id = :'bob';
SELECT count(*) FROM clerk.users WHERE user_id = :'ann' AND created_at > '2026-10-01';
SELECT count(*) FROM clerk.users WHERE user_id = :'ann' OR user_id = :'bob';
SELECT count(*) FROM clerk.users WHERE user_id IN (:'ann', :'bob', :'ann', 'user_nobody');
SELECT count(*) FROM clerk.users WHERE user_id = ANY (ARRAY[:'ann', NULL, :'bob']);
SELECT count(*) FROM clerk.users WHERE user_id <> :'ann';
SELECT count(*) FROM clerk.users WHERE user_id = user_id;
SELECT count(*) FROM clerk.users WHERE user_id::varchar(40) = :'ann'::varchar AND user_id COLLATE "C" = :'ann';
SELECT count(*) FROM clerk.users WHERE user_id = (SELECT user_id FROM copy.users WHERE user_id = :'bob');
SELECT count(*) FROM clerk.users WHERE user_id = current_setting('no.such_setting', true);
-- Nobody.
SELECT count(*) FROM clerk.users WHERE user_id = 'user_nobody';
SELECT count(*) FROM clerk.users WHERE user_id = NULL;
SELECT count(*) FROM clerk.users WHERE user_id IS NULL;
SELECT count(*) FROM clerk.users WHERE user_id = '';
SELECT count(*) FROM clerk.organizations WHERE organization_id = 'org_nobody';
SELECT count(*) FROM clerk.organization_memberships WHERE organization_id = 'org_nobody';
SELECT count(*) FROM clerk.organization_memberships WHERE organization_id = '';
-- Ids are data: none of these leads anywhere else.
SELECT count(*) AS ids,
       count(u.user_id) + count(o.organization_id) + count(m.membership_id) AS found
  FROM (VALUES (:'ann' || ' '), (' ' || :'ann'), (upper(:'ann')), (:'ann' || '/'), ('.'), ('..'), ('../organizations'), ('..%2Forganizations'),
               ('count'), ('/count'), ('%63ount'), (:'ann' || '?a=b'), (:'ann' || '#a'), (:'ann' || '%00'), (:'ann' || '/memberships'), ('*'), ('\'),
               (E'user_\n1'), (U&'user_\00E9\+01F680'), (''';--'), ('{}'), (:'org' || '/../' || :'org'), (repeat('x', 3000))) AS odd (id)
    LEFT JOIN LATERAL (SELECT user_id FROM clerk.users WHERE user_id = odd.id OFFSET 0) AS u ON true
    LEFT JOIN LATERAL (SELECT organization_id FROM clerk.organizations WHERE organization_id = odd.id OFFSET 0) AS o ON true
    LEFT JOIN LATERAL (SELECT membership_id FROM clerk.organization_memberships WHERE organization_id = odd.id OFFSET 0) AS m ON true;

--
-- Conditions on everything else
--
SELECT q.query, s.* FROM unnest(ARRAY[
    'SELECT user_id FROM users WHERE banned',
    'SELECT user_id FROM users WHERE NOT locked AND two_factor_enabled IS TRUE',
    'SELECT * FROM users WHERE email LIKE ''%@example.org''',
    'SELECT user_id FROM users WHERE email IS NULL OR phone_number IS NOT NULL',
    'SELECT user_id FROM users WHERE created_at >= ''2026-01-01'' AND created_at < ''2026-02-01''',
    'SELECT user_id FROM users WHERE last_sign_in_at IS DISTINCT FROM last_active_at',
    'SELECT user_id FROM users WHERE public_metadata @> ''{"plan": "pro", "onboarded": true}''',
    'SELECT user_id FROM users WHERE (attrs->>''has_image'')::boolean',
    'SELECT * FROM organizations WHERE max_allowed_memberships = 0 AND members_count BETWEEN 20 AND 100',
    'SELECT * FROM organizations WHERE name ~ ''[^[:ascii:]]''',
    'SELECT * FROM organization_memberships WHERE role <> ''org:member'' AND ''org:sys_memberships:read'' = ANY (permissions)',
    'SELECT 1 FROM users WHERE false',
    'SELECT FROM organizations'
  ]) WITH ORDINALITY AS q (query, number), pg_temp.same(q.query) AS s ORDER BY number;

--
-- Joins, subqueries, aggregates, windows
--
SELECT q.query, s.* FROM unnest(ARRAY[
    'SELECT o.name, u.email, m.role FROM users u JOIN organization_memberships m USING (user_id) JOIN organizations o USING (organization_id)',
    'SELECT u.user_id, m.role FROM users u LEFT JOIN organization_memberships m USING (user_id)',
    'SELECT u.user_id, o.slug FROM users u RIGHT JOIN organizations o ON o.created_by = u.user_id',
    'SELECT u.user_id, o.slug FROM users u FULL JOIN organizations o ON o.created_by = u.user_id',
    'SELECT a.slug, b.slug AS other FROM organizations a CROSS JOIN organizations b',
    'SELECT user_id FROM users u WHERE EXISTS (SELECT 1 FROM organization_memberships m WHERE m.user_id = u.user_id)',
    'SELECT user_id FROM users u WHERE NOT EXISTS (SELECT 1 FROM organization_memberships m WHERE m.user_id = u.user_id)',
    'SELECT user_id FROM users WHERE user_id NOT IN (SELECT user_id FROM organization_memberships)',
    'SELECT slug, (SELECT count(*) FROM organization_memberships m WHERE m.organization_id = o.organization_id) FROM organizations o',
    'SELECT o.slug, c.* FROM organizations o, LATERAL (SELECT email, created_at FROM users WHERE user_id = o.created_by OFFSET 0) AS c',
    'SELECT o.slug, m.* FROM organizations o, LATERAL (SELECT user_id, created_at FROM organization_memberships WHERE organization_id = o.organization_id ORDER BY created_at DESC, user_id LIMIT 2) AS m',
    'SELECT u.email, m.role FROM users u JOIN organization_memberships m USING (user_id) WHERE m.organization_id = (SELECT organization_id FROM organizations ORDER BY members_count DESC LIMIT 1)',
    'SELECT role, count(*), count(DISTINCT user_id) AS users, min(created_at), max(created_at) FROM organization_memberships GROUP BY role HAVING count(*) > 10',
    'SELECT banned, locked, count(*) FROM users GROUP BY CUBE (banned, locked)',
    'SELECT DISTINCT role_name FROM organization_memberships',
    'SELECT avg(members_count), sum(members_count), bool_or(max_allowed_memberships = 0) FROM organizations',
    'SELECT user_id, row_number() OVER (PARTITION BY organization_id ORDER BY created_at, user_id) FROM organization_memberships',
    'SELECT user_id, created_at - lag(created_at) OVER (ORDER BY created_at, user_id) FROM users',
    'SELECT user_id FROM users WHERE banned UNION SELECT user_id FROM organization_memberships WHERE role = ''org:admin''',
    'SELECT user_id FROM users INTERSECT SELECT user_id FROM organization_memberships',
    'SELECT user_id FROM users EXCEPT SELECT created_by FROM organizations',
    'WITH m AS (SELECT * FROM organization_memberships) SELECT a.user_id FROM m a JOIN m b USING (user_id) WHERE a.organization_id < b.organization_id COLLATE "C"',
    'WITH m AS NOT MATERIALIZED (SELECT * FROM organizations) SELECT a.slug FROM m a JOIN m b ON a.members_count = b.members_count',
    'WITH RECURSIVE near AS (SELECT user_id, 0 AS distance FROM (SELECT created_by AS user_id FROM organizations ORDER BY created_at LIMIT 1) AS first
       UNION SELECT b.user_id, distance + 1 FROM near JOIN organization_memberships a USING (user_id) JOIN organization_memberships b USING (organization_id) WHERE distance < 1)
     SELECT min(distance), user_id FROM near GROUP BY user_id',
    'SELECT u::text FROM users u WHERE u.banned',
    'SELECT jsonb_object_keys(public_metadata) FROM users'
  ]) WITH ORDINALITY AS q (query, number), pg_temp.same(q.query) AS s ORDER BY number;

--
-- ORDER BY, LIMIT and OFFSET
--
SELECT q.query, s.* FROM unnest(ARRAY[
    'SELECT user_id FROM users ORDER BY created_at DESC, user_id LIMIT 10',
    'SELECT user_id FROM users ORDER BY created_at, user_id OFFSET 1195',
    'SELECT email FROM users ORDER BY email COLLATE "C" NULLS FIRST LIMIT 100 OFFSET 90',
    'SELECT organization_id, user_id FROM organization_memberships ORDER BY created_at, organization_id, user_id FETCH FIRST 17 ROWS ONLY',
    'SELECT role FROM organization_memberships ORDER BY role COLLATE "C" FETCH FIRST 3 ROWS WITH TIES',
    'SELECT user_id FROM users ORDER BY created_at DESC, user_id LIMIT (SELECT 2 + 1)',
    'SELECT max(created_at), min(created_at) FROM users',
    'SELECT DISTINCT ON (organization_id) organization_id, user_id FROM organization_memberships ORDER BY organization_id, created_at DESC, user_id LIMIT 5'
  ]) WITH ORDINALITY AS q (query, number), pg_temp.same(q.query) AS s ORDER BY number;
-- Without ORDER BY any rows will do, but as many as asked for, and none twice.
SELECT l AS "limit", (SELECT count(DISTINCT user_id) FROM (SELECT user_id FROM clerk.users LIMIT l) AS found) AS users,
       (SELECT count(DISTINCT user_id) FROM (SELECT user_id FROM clerk.users OFFSET 1190 LIMIT l) AS found) AS last_users,
       (SELECT count(DISTINCT membership_id) FROM (SELECT membership_id FROM clerk.organization_memberships LIMIT l) AS found) AS memberships
  FROM unnest(ARRAY[0, 1, 2, 499, 500, 501, 1199, 1200, 1201, 3001, NULL]) AS l;
SELECT count(*) FROM (SELECT 1 FROM clerk.users LIMIT 700) AS found;
SELECT count(*) FROM (SELECT 1 FROM clerk.users WHERE email LIKE '%@example.org' LIMIT 300) AS found;
SELECT count(*) FROM (SELECT 1 FROM clerk.users u JOIN clerk.organization_memberships m USING (user_id) LIMIT 2500) AS found;
SELECT count(*) FROM (SELECT unnest(ARRAY[1, 2, 3]) FROM clerk.users LIMIT 3500) AS found;
EXPLAIN (COSTS OFF) SELECT user_id FROM clerk.users LIMIT 10;
EXPLAIN (COSTS OFF) SELECT user_id FROM clerk.users WHERE banned LIMIT 10;
EXPLAIN (COSTS OFF) SELECT user_id FROM clerk.users ORDER BY email LIMIT 10;

--
-- Plans other than the planner would choose: a scan that starts again and again
--
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
SELECT * FROM pg_temp.same('SELECT o.slug, m.user_id FROM organizations o JOIN organization_memberships m USING (organization_id)');
SELECT * FROM pg_temp.same('SELECT a.slug, b.slug AS other FROM organizations a LEFT JOIN organizations b ON a.created_by = b.created_by AND a.slug <> b.slug');
SET enable_nestloop = off;
SET enable_mergejoin = on;
SELECT * FROM pg_temp.same('SELECT u.email, m.role FROM users u JOIN organization_memberships m USING (user_id)');
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material; RESET enable_memoize; RESET enable_nestloop;

--
-- Prepared statements: with a plan for each value, then with one plan for all
--
PREPARE by_id (text) AS SELECT count(*), bool_and(user_id = $1) AS right_one FROM clerk.users WHERE user_id = $1;
EXECUTE by_id (:'ann');
EXECUTE by_id (:'bob');
EXECUTE by_id ('user_nobody');
EXECUTE by_id (NULL);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_id ('user_1');
EXECUTE by_id (:'ann');
EXECUTE by_id (:'bob');
EXECUTE by_id ('user_nobody');
EXECUTE by_id (NULL);
RESET plan_cache_mode;
-- Ten times, past the point where Postgres changes over to the plan for all.
PREPARE counted AS SELECT count(*) FROM clerk.organizations;
EXECUTE counted; EXECUTE counted; EXECUTE counted; EXECUTE counted; EXECUTE counted;
EXECUTE counted; EXECUTE counted; EXECUTE counted; EXECUTE counted; EXECUTE counted;
DO $$
DECLARE
  a_user record;
  found_email text;
  wrong integer := 0;
BEGIN
  FOR a_user IN SELECT user_id, email FROM copy.users ORDER BY user_id COLLATE "C" LIMIT 20 LOOP
    SELECT email INTO STRICT found_email FROM clerk.users WHERE user_id = a_user.user_id;
    IF found_email IS DISTINCT FROM a_user.email THEN wrong := wrong + 1; END IF;
  END LOOP;
  RAISE WARNING '% wrong of 20', wrong;
END $$;

-- A function that calls itself has several scans of one plan open.
CREATE FUNCTION pg_temp.count_down(n integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  organization record;
  total bigint := 0;
BEGIN
  IF n = 0 THEN RETURN 1; END IF;
  FOR organization IN SELECT slug FROM clerk.organizations ORDER BY created_at LIMIT 3 LOOP
    total := total + pg_temp.count_down(n - 1);
  END LOOP;
  RETURN total;
END $$;
SELECT pg_temp.count_down(4) = 3 ^ 4 AS all_of_them;

-- A set-returning function in SQL, inlined or not.
CREATE FUNCTION pg_temp.members(organization text) RETURNS SETOF clerk.organization_memberships LANGUAGE sql STABLE
  AS 'SELECT * FROM clerk.organization_memberships WHERE organization_id = organization';
SELECT count(*) = :members AS all_members FROM pg_temp.members(:'org');
SELECT bool_and(c.count = o.members_count) AS all_members FROM copy.organizations o, LATERAL (SELECT count(*) FROM pg_temp.members(o.organization_id)) AS c;

--
-- Cursors
--
BEGIN;
DECLARE users SCROLL CURSOR FOR SELECT row_number() OVER (ORDER BY created_at, user_id) AS n FROM clerk.users;
FETCH 2 FROM users;
MOVE FORWARD 1000 IN users;
FETCH users;
FETCH BACKWARD 2 FROM users;
FETCH LAST FROM users;
FETCH FIRST FROM users;
FETCH ABSOLUTE -2 FROM users;
MOVE BACKWARD ALL IN users;
FETCH users;
-- Others beside it, one of them given up halfway, one read to its end when the transaction ends.
DECLARE half NO SCROLL CURSOR FOR SELECT row_number() OVER () AS n FROM clerk.users;
MOVE FORWARD 600 IN half;
DECLARE held CURSOR WITH HOLD FOR SELECT row_number() OVER () AS n FROM clerk.users;
FETCH half;
CLOSE half;
FETCH users;
COMMIT;
MOVE FORWARD 1199 IN held;
FETCH held;
FETCH held;
CLOSE held;

-- An error in a subtransaction is over when it is rolled back.
BEGIN;
SELECT count(*) FROM clerk.organizations;
SAVEPOINT before;
SELECT 1 / (members_count - members_count) FROM clerk.organizations;
ROLLBACK TO before;
SELECT count(*) FROM clerk.organizations;
COMMIT;

--
-- Views, materialized views, ordinary tables
--
CREATE VIEW admins AS SELECT u.user_id, u.email, o.slug FROM clerk.users u JOIN clerk.organization_memberships m USING (user_id)
  JOIN clerk.organizations o USING (organization_id) WHERE m.role = 'org:admin';
SELECT count(*) = (SELECT count(*) FROM copy.organization_memberships WHERE role = 'org:admin') AS all_admins FROM admins;
CREATE VIEW one_user WITH (security_barrier) AS SELECT user_id, email FROM clerk.users WHERE email IS NOT NULL;
SELECT pg_temp.requests('SELECT email FROM one_user WHERE user_id = ''user_1''');
CREATE MATERIALIZED VIEW sign_ups AS SELECT date_trunc('month', created_at) AS month, count(*) FROM clerk.users GROUP BY 1;
CREATE UNIQUE INDEX ON sign_ups (month);
REFRESH MATERIALIZED VIEW CONCURRENTLY sign_ups;
SELECT count(*) AS months, sum(count) AS users FROM sign_ups;
BEGIN;
UPDATE copy.users c SET email = 'x' || u.email FROM clerk.users u WHERE u.user_id = c.user_id AND u.banned;
SELECT count(*) = (SELECT count(*) FROM clerk.users WHERE banned AND email IS NOT NULL) AS changed
  FROM copy.users c JOIN clerk.users u USING (user_id) WHERE c.email = 'x' || u.email;
DELETE FROM copy.users c USING clerk.organization_memberships m WHERE m.user_id = c.user_id;
SELECT count(*) = (SELECT count(*) FROM clerk.users WHERE user_id NOT IN (SELECT user_id FROM clerk.organization_memberships)) AS left FROM copy.users;
ROLLBACK;
-- Rows can be locked as far as Postgres locks those of foreign tables: for EvalPlanQual, which reads them again.
BEGIN;
SELECT count(*) FROM (SELECT u.user_id FROM clerk.users u JOIN copy.users c USING (user_id) WHERE u.banned FOR UPDATE) AS locked;
SELECT count(*) FROM (SELECT user_id FROM clerk.users WHERE user_id = :'ann' FOR SHARE) AS locked;
ROLLBACK;

--
-- As a partition, and as a child: two instances of Clerk as one table
--
CREATE TABLE everyone (instance text, user_id text, email text) PARTITION BY LIST (instance);
CREATE FOREIGN TABLE everyone_live PARTITION OF everyone FOR VALUES IN (NULL) SERVER clerk OPTIONS (object 'users');
CREATE TABLE everyone_old PARTITION OF everyone FOR VALUES IN ('old');
INSERT INTO everyone_old SELECT 'old', user_id, email FROM copy.users WHERE banned;
SELECT tableoid::regclass AS partition, instance, count(*), count(email) = count(*) FILTER (WHERE email LIKE '%@%') AS emails FROM everyone GROUP BY 1, 2 ORDER BY 3;
SELECT count(*) FROM everyone WHERE instance = 'old';
SELECT count(*) FROM everyone WHERE user_id = :'ann';
SELECT pg_temp.requests('SELECT email FROM everyone WHERE user_id = ''user_1''');
CREATE TABLE people (user_id text, email text);
INSERT INTO people VALUES ('local', 'local@example.com');
CREATE FOREIGN TABLE people_at_clerk (created_at timestamptz) INHERITS (people) SERVER clerk OPTIONS (object 'users');
SELECT count(*), count(DISTINCT p.tableoid) AS tables, count(email) = (SELECT count(email) + 1 FROM copy.users) AS emails FROM people p;
SELECT count(*) FROM ONLY people;
-- Read with a view owner's key through its partitions as well.
CREATE ROLE regress_clerk_reader;
CREATE VIEW everyone_view AS SELECT * FROM everyone;
GRANT SELECT ON everyone_view TO regress_clerk_reader;
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
ALTER SERVER clerk OPTIONS (DROP api_key);
SET ROLE regress_clerk_reader;
SELECT count(*) FROM everyone_view;
SELECT count(*) FROM everyone_view WHERE user_id = 'user_nobody';
RESET ROLE;

--
-- System columns, statistics, what a foreign table cannot do
--
SELECT tableoid::regclass, ctid = '(4294967295,0)' AS no_ctid FROM clerk.users WHERE user_id = :'ann';
ANALYZE clerk.users;
SELECT count(*) FROM pg_stats WHERE schemaname = 'clerk';
INSERT INTO clerk.users (user_id) VALUES ('user_1');
UPDATE clerk.users SET first_name = 'Ann';
DELETE FROM clerk.users;
TRUNCATE clerk.users;
INSERT INTO everyone (email) VALUES ('someone@example.com');
UPDATE people SET email = lower(email);
COPY clerk.users (user_id) FROM '/dev/null';
SELECT is_insertable_into, count(*) FROM information_schema.tables WHERE table_schema = 'clerk' GROUP BY 1;
SELECT pg_relation_is_updatable('clerk.users', false) AS updatable;
ALTER FOREIGN TABLE clerk.users ADD PRIMARY KEY (user_id);
COPY clerk.organizations TO stdout;
COPY (SELECT count(*) FROM clerk.organizations) TO stdout;

--
-- EXPLAIN
--
EXPLAIN (COSTS OFF, VERBOSE) SELECT email FROM clerk.users WHERE banned;
EXPLAIN (COSTS OFF) SELECT count(*) FROM clerk.organization_memberships;
-- In other formats it is a property like any other.
CREATE FUNCTION pg_temp.plan(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN plan->0->'Plan';
END $$;
SELECT pg_temp.plan('SELECT name FROM clerk.organizations WHERE organization_id = ''org_1''')->>'Clerk' AS request;
-- The planner does not take a table for so small that it could be read again for each row of another.
SELECT pg_temp.plan('SELECT u.email, m.role FROM clerk.users u JOIN clerk.organization_memberships m USING (user_id)')->>'Node Type' <> 'Nested Loop' AS read_once;
-- What a join asks for on each side.
SELECT pg_temp.requests('SELECT u.email FROM clerk.users u JOIN clerk.organization_memberships m USING (user_id) WHERE m.organization_id = ''org_1''') ORDER BY 1;
SELECT pg_temp.requests('SELECT o.name FROM clerk.organizations o WHERE o.organization_id = (SELECT max(organization_id) FROM copy.organizations)');
SELECT pg_temp.requests('SELECT 1 FROM clerk.users WHERE false');

-- Clerk is away: an error, not an empty table. (No server listens on port 9, the old discard service.)
ALTER SERVER clerk OPTIONS (SET api_url 'http://127.0.0.1:9/v1', ADD max_retries '0');
\set VERBOSITY sqlstate
SELECT count(*) FROM clerk.users;
SELECT count(*) FROM clerk.users WHERE user_id = 'user_1';
\set VERBOSITY default

--
-- All of it goes with the extension, which has to be told so
--
\set VERBOSITY terse
DROP EXTENSION clerk_fdw;
\set VERBOSITY default
DROP EXTENSION clerk_fdw CASCADE;
SELECT to_regclass('clerk.users') IS NULL AND to_regclass('one_user') IS NULL AND to_regclass('sign_ups') IS NULL AND to_regclass('everyone_live') IS NULL AS gone,
       to_regclass('copy.users') IS NOT NULL AND to_regclass('everyone') IS NOT NULL AS left;
DROP TABLE everyone, people CASCADE;
DROP ROLE regress_clerk_reader;
DROP SCHEMA clerk, copy CASCADE;
