--
-- The recipe docs/recipes/row-security.md: an application's tables, and what attackers try.
--
\set url `echo "$CLERK_SIM_URL"`
\set VERBOSITY terse
SET timezone = 'UTC';
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000', updatable 'true');
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;
SELECT clerk_fdw.create_mirror('clerk', 'app');
SET client_min_messages = warning;
-- Ada is the admin of the organization red, Bob a member. Eve is the admin of blue.
INSERT INTO clerk.users (first_name, email) VALUES ('Ada', 'ada@red.example') RETURNING user_id AS ada \gset
INSERT INTO clerk.users (first_name, email) VALUES ('Bob', 'bob@red.example') RETURNING user_id AS bob \gset
INSERT INTO clerk.users (first_name, email) VALUES ('Eve', 'eve@blue.example') RETURNING user_id AS eve \gset
INSERT INTO clerk.organizations (name, slug, created_by) VALUES ('Red', 'red', :'ada') RETURNING organization_id AS red \gset
INSERT INTO clerk.organizations (name, slug, created_by) VALUES ('Blue', 'blue', :'eve') RETURNING organization_id AS blue \gset
INSERT INTO clerk.organization_memberships (organization_id, user_id, role) VALUES (:'red', :'bob', 'org:member');
CALL clerk_fdw.sync('app');
\set ECHO none
\i ../docs/recipes/row-security.sql
\set ECHO all

-- Claims as Clerk's session tokens have them: version 2 has the organization in o, version 1 in org_id and org_role.
SELECT json_build_object('v', 2, 'sub', :'ada', 'o', json_build_object('id', :'red', 'rol', 'admin', 'slg', 'red')) AS as_ada,
       json_build_object('sub', :'bob', 'org_id', :'red', 'org_role', 'org:member') AS as_bob,
       json_build_object('v', 2, 'sub', :'eve', 'o', json_build_object('id', :'blue', 'rol', 'admin')) AS as_eve,
       json_build_object('v', 2, 'sub', :'eve', 'o', json_build_object('id', :'red', 'rol', 'admin')) AS eve_in_red,
       json_build_object('v', 2, 'sub', :'eve') AS eve_in_none \gset
SET SESSION AUTHORIZATION workspace_backend;

--
-- The everyday
--
BEGIN; CALL workspace.begin_request(:'as_ada');
INSERT INTO workspace.projects (name) VALUES ('Bridge') RETURNING organization_id = :'red' AS in_red, created_by = :'ada' AS by_ada;
INSERT INTO workspace.tasks (project_id, title) SELECT project_id, 'Pillar ' || n FROM workspace.projects, generate_series(1, 3) n;
COMMIT;
BEGIN; CALL workspace.begin_request(:'as_bob');
SELECT name, created_by = :'ada' AS by_ada FROM workspace.projects;
INSERT INTO workspace.projects (name) VALUES ('Tunnel');
-- Members change their own projects and all tasks; admins all projects.
UPDATE workspace.projects SET name = name || '!' RETURNING name;
UPDATE workspace.tasks SET done = true WHERE title = 'Pillar 1' RETURNING title;
DELETE FROM workspace.projects RETURNING name;
SELECT * FROM workspace.open_tasks WHERE name = 'Bridge' \gset bob_
\echo :bob_name :bob_open_tasks
COMMIT;
BEGIN; CALL workspace.begin_request(:'as_ada');
UPDATE workspace.projects SET name = 'Tunnel' WHERE name = 'Tunnel!' RETURNING name;
COMMIT;

--
-- Nobody
--
-- The connection alone may do nothing, and after a transaction nothing is left of its request.
SELECT count(*) FROM workspace.projects;
SELECT current_user, current_setting('request.jwt.claims', true) AS claims;
-- Outside a transaction a request ends with its own statement.
CALL workspace.begin_request(:'as_ada');
SELECT count(*) FROM workspace.projects;
BEGIN; CALL workspace.begin_request('');
SELECT count(*) FROM workspace.projects;
INSERT INTO workspace.projects (name) VALUES ('Nobody''s');
ROLLBACK;
BEGIN; CALL workspace.begin_request(:'eve_in_none');
SELECT count(*) FROM workspace.projects;
ROLLBACK;
BEGIN; CALL workspace.begin_request('{"sub": ');
SELECT count(*) FROM workspace.projects;
ROLLBACK;
BEGIN; CALL workspace.begin_request('{"sub": 1, "o": {"id": ["x"]}, "org_id": null}');
SELECT count(*) FROM workspace.projects;
ROLLBACK;
-- An organization in the claims of which the user is no member.
BEGIN; CALL workspace.begin_request(:'eve_in_red');
SELECT count(*) FROM workspace.projects;
INSERT INTO workspace.projects (name) VALUES ('Eve''s');
ROLLBACK;

--
-- Eve, the admin of another organization
--
BEGIN; CALL workspace.begin_request(:'as_eve');
INSERT INTO workspace.projects (name) VALUES ('Bridge') RETURNING organization_id = :'blue' AS in_blue;
COMMIT;
BEGIN; CALL workspace.begin_request(:'as_eve');
SELECT count(*) AS projects, (SELECT count(*) FROM workspace.tasks) AS tasks, (SELECT count(*) FROM workspace.open_tasks) AS open FROM workspace.projects;
SELECT count(*) FROM workspace.projects WHERE organization_id = :'red';
UPDATE workspace.tasks SET title = 'Eve''s' RETURNING *;
DELETE FROM workspace.tasks RETURNING *;
SELECT * FROM workspace.projects WHERE organization_id = :'red' FOR UPDATE;
ROLLBACK;
-- What a WHERE calls sees no other rows, whether it is cheap, fails or is told apart by time.
BEGIN; CALL workspace.begin_request(:'as_eve');
CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE WARNING 'saw %', $1; RETURN true; END $$;
SELECT name FROM workspace.projects WHERE pg_temp.leak(name);
SELECT count(*) FROM workspace.tasks WHERE pg_temp.leak(title);
SELECT count(*) FROM workspace.projects WHERE 1 / (CASE name WHEN 'Tunnel' THEN 0 ELSE 1 END) = 1;
SELECT count(*) FROM workspace.open_tasks WHERE pg_temp.leak(name);
UPDATE workspace.tasks SET done = true WHERE pg_temp.leak(title);
ROLLBACK;
-- Columns that say whose a row is are not hers to name.
BEGIN; CALL workspace.begin_request(:'as_eve');
INSERT INTO workspace.projects (organization_id, name) VALUES (:'red', 'Eve''s');
ROLLBACK;
BEGIN; CALL workspace.begin_request(:'as_eve');
UPDATE workspace.projects SET organization_id = :'red';
ROLLBACK;
BEGIN; CALL workspace.begin_request(:'as_eve');
TRUNCATE workspace.tasks;
ROLLBACK;
-- Keys of others cannot be referred to, and the error is the same whether they exist.
RESET SESSION AUTHORIZATION;
SELECT project_id AS red_project FROM workspace.projects WHERE name = 'Tunnel' \gset
SET SESSION AUTHORIZATION workspace_backend;
BEGIN; CALL workspace.begin_request(:'as_eve');
INSERT INTO workspace.tasks (project_id, title) VALUES (:'red_project', 'Eve''s');
ROLLBACK;
BEGIN; CALL workspace.begin_request(:'as_eve');
INSERT INTO workspace.tasks (project_id, title) VALUES (gen_random_uuid(), 'Eve''s');
ROLLBACK;
-- Statistics, too, have values.
RESET SESSION AUTHORIZATION;
ANALYZE workspace.projects, workspace.tasks;
SET SESSION AUTHORIZATION workspace_backend;
BEGIN; CALL workspace.begin_request(:'as_eve');
SELECT count(*) FROM pg_stats WHERE schemaname = 'workspace';
-- RESET ROLE leads to the role of the connection, which may do nothing.
RESET ROLE;
SELECT count(*) FROM workspace.projects;
ROLLBACK;
BEGIN;
SET LOCAL ROLE workspace_owner;
ROLLBACK;

--
-- The policies alone hold as well, without the grants on columns
--
RESET SESSION AUTHORIZATION;
GRANT ALL ON ALL TABLES IN SCHEMA workspace TO workspace_request;
SET SESSION AUTHORIZATION workspace_backend;
BEGIN; CALL workspace.begin_request(:'as_eve');
SAVEPOINT a;
INSERT INTO workspace.projects (organization_id, name) VALUES (:'red', 'Eve''s');
ROLLBACK TO a;
INSERT INTO workspace.projects (organization_id, project_id, name) VALUES (:'red', :'red_project', 'x')
  ON CONFLICT (organization_id, project_id) DO UPDATE SET name = excluded.name RETURNING *;
ROLLBACK TO a;
INSERT INTO workspace.projects (organization_id, project_id, name) VALUES (:'red', :'red_project', 'x') ON CONFLICT DO NOTHING;
ROLLBACK TO a;
UPDATE workspace.projects SET organization_id = :'red';
ROLLBACK TO a;
INSERT INTO workspace.projects (name, created_by) VALUES ('Not mine', :'ada');
ROLLBACK TO a;
INSERT INTO workspace.tasks (organization_id, project_id, title) VALUES (:'red', :'red_project', 'Eve''s');
ROLLBACK TO a;
MERGE INTO workspace.projects p USING (VALUES (:'red', :'red_project'::uuid)) v (o, id) ON p.organization_id = v.o AND p.project_id = v.id
  WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (organization_id, project_id, name) VALUES (v.o, v.id, 'x');
ROLLBACK TO a;
COPY (SELECT name FROM workspace.projects) TO STDOUT;
ROLLBACK;
RESET SESSION AUTHORIZATION;
REVOKE ALL ON ALL TABLES IN SCHEMA workspace FROM workspace_request;
GRANT SELECT ON workspace.projects, workspace.tasks TO workspace_request;

-- A policy that somebody adds later does not widen the restrictive one.
CREATE POLICY mistake ON workspace.tasks FOR SELECT USING (true);
SET SESSION AUTHORIZATION workspace_backend;
BEGIN; CALL workspace.begin_request(:'as_eve');
SELECT count(*) FROM workspace.tasks;
ROLLBACK;
-- A prepared statement goes by the claims with which it is executed.
BEGIN; CALL workspace.begin_request(:'as_ada');
PREPARE projects AS SELECT name FROM workspace.projects ORDER BY name COLLATE "C";
EXECUTE projects;
COMMIT;
BEGIN; CALL workspace.begin_request(:'as_eve');
EXECUTE projects;
COMMIT;
EXECUTE projects;
-- The owner is no exception.
RESET SESSION AUTHORIZATION;
SET ROLE workspace_owner;
SELECT count(*) FROM workspace.projects;
RESET ROLE;

--
-- Rights end with the membership, while the token is still valid
--
DELETE FROM clerk.organization_memberships WHERE organization_id = :'red' AND user_id = :'bob';
SET SESSION AUTHORIZATION workspace_backend;
BEGIN; CALL workspace.begin_request(:'as_bob');
SELECT count(*) FROM workspace.projects;
ROLLBACK;
RESET SESSION AUTHORIZATION;
UPDATE clerk.users SET banned = true WHERE user_id = :'ada';
SET SESSION AUTHORIZATION workspace_backend;
BEGIN; CALL workspace.begin_request(:'as_ada');
SELECT count(*) FROM workspace.projects;
ROLLBACK;
RESET SESSION AUTHORIZATION;
UPDATE clerk.users SET banned = false WHERE user_id = :'ada';

--
-- The functions run once for each query, and the index is used
--
INSERT INTO workspace.projects (organization_id, name, created_by)
  SELECT CASE WHEN n % 100 = 0 THEN :'red' ELSE 'org_' || n % 500 END, 'Project ' || n, :'ada' FROM generate_series(1, 20000) n;
ANALYZE workspace.projects;
SET track_functions = 'all';
BEGIN; CALL workspace.begin_request(:'as_ada');
SELECT count(*) FROM workspace.projects;
SELECT funcname, calls FROM pg_stat_xact_user_functions WHERE funcname = 'current_organizations';
CREATE FUNCTION pg_temp.index_conditions(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN QUERY SELECT DISTINCT regexp_replace(condition #>> '{}', '\$\d+|\(InitPlan \d+\)\.col1', '?')
    FROM jsonb_path_query(plan, '$.**."Index Cond"') condition;
END $$;
SELECT pg_temp.index_conditions('SELECT * FROM workspace.projects');
SELECT pg_temp.index_conditions('SELECT * FROM workspace.projects WHERE name = ''Tunnel''');
-- A condition with an operator that is not leakproof is checked after the policy and cannot be an index's.
SELECT pg_temp.index_conditions('SELECT * FROM workspace.projects WHERE name LIKE ''Tun%''');
ROLLBACK;
RESET track_functions;

--
-- What is forgotten is found
--
SELECT * FROM workspace.row_security_gaps;
CREATE TABLE workspace.notes (organization_id text);
CREATE TABLE workspace.memos (organization_id text);
ALTER TABLE workspace.memos ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_of_them ON workspace.memos USING (true);
ALTER TABLE workspace.tasks NO FORCE ROW LEVEL SECURITY;
CREATE VIEW workspace.all_projects AS SELECT * FROM workspace.projects;
CREATE MATERIALIZED VIEW workspace.counts AS SELECT organization_id, count(*) FROM workspace.projects GROUP BY 1;
SELECT * FROM workspace.row_security_gaps ORDER BY relation::text COLLATE "C";

DELETE FROM clerk.organizations WHERE organization_id IN (:'red', :'blue');
DELETE FROM clerk.users WHERE user_id IN (:'ada', :'bob', :'eve');
DROP SCHEMA workspace CASCADE;
DROP EXTENSION clerk_fdw CASCADE;
DROP SCHEMA app, clerk CASCADE;
DROP ROLE workspace_backend, workspace_request, workspace_owner;
