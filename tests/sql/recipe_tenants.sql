--
-- The recipe docs/recipes/tenants.md: tenants whose source of truth is Clerk's organizations.
--
\set url `echo "$CLERK_SIM_URL"`
\set VERBOSITY terse
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000', updatable 'true');
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;
SELECT clerk_fdw.create_mirror('clerk', 'app');
SET client_min_messages = warning;
CALL clerk_fdw.sync('app');
\set ECHO none
\i ../docs/recipes/tenants.sql
\set ECHO all

INSERT INTO clerk.users (first_name, email) VALUES ('Ada', 'ada@tenants.example') RETURNING user_id AS ada \gset
INSERT INTO clerk.users (first_name, email) VALUES ('Bob', 'bob@tenants.example') RETURNING user_id AS bob \gset

-- Every organization that the mirror has is a tenant.
SELECT state, count(*), count(DISTINCT organization_id), count(name), count(slug) FROM tenancy.tenants_with_names GROUP BY state;

--
-- Made at Clerk, then here, once
--
CREATE ROLE recipe_tenants_backend;
GRANT USAGE ON SCHEMA tenancy TO recipe_tenants_backend;
GRANT EXECUTE ON FUNCTION tenancy.create_tenant TO recipe_tenants_backend;
GRANT SELECT ON tenancy.user_tenants TO recipe_tenants_backend;
SET ROLE recipe_tenants_backend;
SELECT tenancy.create_tenant('acme', 'Acme', :'ada') AS acme \gset
SELECT tenancy.create_tenant('acme', 'Acme', :'ada') = :acme AS same_tenant;
-- The owner sees it at once.
SELECT name, slug, role, tenant_id = :acme AS is_acme, position FROM tenancy.user_tenants WHERE user_id = :'ada';
-- A slug gives nobody another's tenant.
SELECT tenancy.create_tenant('acme', 'Acme', :'bob');
SELECT tenancy.create_tenant('acme', 'Acme', NULL);
\set VERBOSITY sqlstate
SELECT tenancy.create_tenant('bobs', 'Bob', 'user_nobody');
\set VERBOSITY terse
-- The role has neither Clerk's key nor the tables.
SELECT count(*) FROM clerk.users;
SELECT count(*) FROM app.organization_memberships;
SELECT clerk_fdw.ensure_organization('clerk', 'acme', 'Acme', :'bob');
SELECT tenancy.adopt_next();
SELECT tenancy.own_organization('acme', 'Acme', :'ada');
INSERT INTO tenancy.tenants (organization_id) VALUES ('org_1');
RESET ROLE;

-- A rollback leaves the organization at Clerk. The next call takes it.
BEGIN;
SELECT tenancy.create_tenant('bell', 'Bell', :'ada') AS rolled_back \gset
ROLLBACK;
SELECT count(*) FROM tenancy.tenants_with_names WHERE slug = 'bell';
SELECT count(*) AS at_clerk FROM clerk.organizations WHERE slug = 'bell';
SELECT tenancy.create_tenant('bell', 'Bell', :'ada') AS bell \gset
SELECT count(*) AS at_clerk FROM clerk.organizations WHERE slug = 'bell';
SELECT state FROM tenancy.tenants_with_names WHERE tenant_id = :bell;
-- If nobody calls again, the next event or sync makes the tenant.
BEGIN;
SELECT tenancy.create_tenant('cent', 'Cent', :'ada') AS rolled_back \gset
ROLLBACK;
CALL clerk_fdw.sync('app', 'full');
SELECT count(*), min(state) AS state FROM tenancy.tenants_with_names WHERE slug = 'cent';

--
-- The primary tenant: chosen, else the oldest as admin, else the oldest
--
INSERT INTO clerk.organization_memberships (organization_id, user_id, role)
  SELECT organization_id, :'bob', 'org:member' FROM clerk.organizations WHERE slug = 'acme';
SELECT tenancy.create_tenant('bobs', 'Bob', :'bob') AS bobs \gset
INSERT INTO clerk.organization_memberships (organization_id, user_id, role)
  SELECT organization_id, :'bob', 'org:admin' FROM clerk.organizations WHERE slug = 'bell';
SELECT position, slug, role FROM tenancy.user_tenants WHERE user_id = :'bob' ORDER BY position;
INSERT INTO tenancy.primary_tenants VALUES (:'bob', :acme)
  ON CONFLICT (user_id) DO UPDATE SET tenant_id = excluded.tenant_id;
SELECT position, slug, role FROM tenancy.user_tenants WHERE user_id = :'bob' ORDER BY position;
-- A choice gives nobody a tenant, and one that has ended does not count.
INSERT INTO tenancy.primary_tenants SELECT :'ada', :bobs;
SELECT position, slug FROM tenancy.user_tenants WHERE user_id = :'ada' ORDER BY position;
DELETE FROM clerk.organization_memberships m USING clerk.organizations o
  WHERE o.organization_id = m.organization_id AND o.slug = 'acme' AND m.user_id = :'bob';
SELECT position, slug FROM tenancy.user_tenants WHERE user_id = :'bob' ORDER BY position;
-- Everybody has exactly one primary tenant.
SELECT count(*) = count(DISTINCT user_id) AS one_each FROM tenancy.user_tenants WHERE position = 1;
-- A user's tenants are found by their index, without reading anybody else's.
CREATE FUNCTION membership_conditions(query text) RETURNS TABLE (by_user boolean) LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN QUERY SELECT coalesce(node ->> 'Index Cond', node ->> 'Recheck Cond') LIKE '(user_id = %'
    FROM jsonb_path_query(plan, '$.** ? (@."Relation Name" == "organization_memberships")') node;
END $$;
ANALYZE app.organization_memberships;
SET enable_seqscan = off;
SELECT DISTINCT by_user FROM membership_conditions('SELECT * FROM tenancy.my_tenants');
SELECT DISTINCT by_user FROM membership_conditions('SELECT * FROM tenancy.user_tenants WHERE user_id = ''user_1''');
RESET enable_seqscan;

-- The user behind a request
GRANT SELECT ON tenancy.my_tenants TO recipe_tenants_backend;
GRANT USAGE ON SCHEMA clerk_fdw TO recipe_tenants_backend;
GRANT EXECUTE ON FUNCTION clerk_fdw.current_user_id TO recipe_tenants_backend;
BEGIN;
SET LOCAL ROLE recipe_tenants_backend;
SELECT count(*) AS without_claims FROM tenancy.my_tenants;
SELECT set_config('request.jwt.claims', json_build_object('sub', :'bob')::text, true) IS NOT NULL AS claims;
SELECT slug, position FROM tenancy.my_tenants ORDER BY position;
-- A function with a side effect sees no row but their own.
CREATE FUNCTION pg_temp.leak(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE WARNING 'saw %', $1; RETURN true; END $$;
SELECT count(*) FROM tenancy.my_tenants WHERE pg_temp.leak(slug);
ROLLBACK;

--
-- Renamed and deleted at Clerk
--
UPDATE clerk.organizations SET name = 'Acme & Sons', slug = 'acme-sons' WHERE slug = 'acme';
SELECT name, slug, state FROM tenancy.tenants_with_names WHERE tenant_id = :acme;
-- The old slug is free again.
SELECT tenancy.create_tenant('acme', 'Acme', :'bob') <> :acme AS another_tenant;
DELETE FROM clerk.organizations WHERE slug = 'bell';
SELECT name, state, deleted_at IS NOT NULL AS is_deleted FROM tenancy.tenants_with_names WHERE tenant_id = :bell;
SELECT position, slug FROM tenancy.user_tenants WHERE user_id = :'ada' ORDER BY position;
-- A new organization with the slug of a deleted one is another tenant.
SELECT tenancy.create_tenant('bell', 'Bell', :'bob') <> :bell AS another_tenant;
-- A banned user has no tenants.
UPDATE clerk.users SET banned = true WHERE user_id = :'bob';
SELECT count(*) FROM tenancy.user_tenants WHERE user_id = :'bob';
UPDATE clerk.users SET banned = false WHERE user_id = :'bob';
SELECT count(*) FROM tenancy.user_tenants WHERE user_id = :'bob';

--
-- Older tenants
--
CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, company text, subdomain text, owner_id text);
INSERT INTO customers (company, subdomain, owner_id)
  SELECT 'Old ' || n, 'old-' || n, CASE n WHEN 3 THEN 'user_nobody' ELSE :'ada' END FROM generate_series(1, 5) n;
INSERT INTO customers (company, subdomain, owner_id) VALUES ('Stolen', 'acme', :'ada'), (repeat('x', 300), 'long', :'ada');
BEGIN;
ALTER TABLE customers ADD tenant_id bigint UNIQUE;
UPDATE customers SET tenant_id = nextval(pg_get_serial_sequence('tenancy.tenants', 'tenant_id'));
INSERT INTO tenancy.tenants (tenant_id) OVERRIDING SYSTEM VALUE SELECT tenant_id FROM customers;
INSERT INTO tenancy.adoptions (tenant_id, slug, name, owner_id) SELECT tenant_id, subdomain, company, owner_id FROM customers;
ALTER TABLE customers ADD FOREIGN KEY (tenant_id) REFERENCES tenancy.tenants;
COMMIT;
SELECT name, slug, state FROM tenancy.tenants_with_names WHERE slug LIKE 'old-%' ORDER BY slug;
-- Nobody takes the slug of one that waits, and an organization that has it already is not made a second tenant.
SELECT tenancy.create_tenant('old-2', 'Mine', :'bob');
SELECT clerk_fdw.ensure_organization('clerk', 'old-4', 'Old 4', :'ada') ->> 'slug' AS made_before;
SELECT count(*) FROM tenancy.tenants_with_names WHERE slug = 'old-4';
-- A few at a time; each is committed. One that fails does not stop the others.
CALL tenancy.adopt(2);
SELECT count(*) AS waiting FROM tenancy.adoptions;
CALL tenancy.adopt();
SELECT slug, attempts, split_part(error, ',', 1) AS error FROM tenancy.adoptions ORDER BY slug COLLATE "C";
SELECT name, slug, state FROM tenancy.tenants_with_names WHERE slug LIKE 'old-%' ORDER BY slug;
-- Who belongs to the new organizations is in the mirror with the next event or sync.
CALL clerk_fdw.sync('app');
SELECT c.company FROM customers c JOIN tenancy.user_tenants t USING (tenant_id) WHERE t.user_id = :'ada' ORDER BY 1;
-- Nothing is asked again within the hour; a tenant that was put right is.
CALL tenancy.adopt();
SELECT sum(attempts) FROM tenancy.adoptions;
UPDATE tenancy.adoptions SET owner_id = :'ada', tried_at = NULL WHERE slug = 'old-3';
CALL tenancy.adopt();
SELECT slug, attempts FROM tenancy.adoptions ORDER BY slug COLLATE "C";
SELECT count(*) AS tenants, count(DISTINCT o.organization_id) AS organizations
  FROM tenancy.tenants t JOIN clerk.organizations o USING (organization_id) WHERE o.slug LIKE 'old-%';
-- What is wrong with all of them stops the batch and is nobody's failure.
UPDATE tenancy.adoptions SET tried_at = NULL;
ALTER SERVER clerk OPTIONS (SET updatable 'false');
CALL tenancy.adopt();
ALTER SERVER clerk OPTIONS (SET updatable 'true');
ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (SET api_key 'sk_test_wrong');
\set VERBOSITY sqlstate
CALL tenancy.adopt();
ALTER USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (SET api_key 'sk_test_simulator');
ALTER SERVER clerk OPTIONS (SET api_url 'http://127.0.0.1:1', ADD max_retries '0');
CALL tenancy.adopt();
\set VERBOSITY terse
SELECT sum(attempts) FROM tenancy.adoptions;

ALTER SERVER clerk OPTIONS (SET api_url :'url', DROP max_retries);
DELETE FROM clerk.organizations WHERE created_by IN (:'ada', :'bob');
DELETE FROM clerk.users WHERE user_id IN (:'ada', :'bob');
DROP TABLE customers;
DROP FUNCTION membership_conditions;
DROP SCHEMA tenancy CASCADE;
DROP EXTENSION clerk_fdw CASCADE;
DROP SCHEMA app, clerk CASCADE;
DROP ROLE recipe_tenants_backend;
