--
-- Tables that people have already: those of the first clerk_fdw (0.2.7) word for word, and those of Supabase's Clerk
-- wrapper. They work as they are, and say the same as what IMPORT FOREIGN SCHEMA makes.
--
\set url `echo "$CLERK_SIM_URL"`
SET timezone = 'America/New_York';
SET datestyle = 'ISO, YMD';
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', api_key 'sk_test_simulator', rate_limit '100000');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;

--
-- The first clerk_fdw
--
create foreign data wrapper clerk_wrapper
  handler clerk_fdw_handler
  validator clerk_fdw_validator;

create server my_clerk_server
  foreign data wrapper clerk_wrapper
  options (api_key 'sk_test_simulator');
-- The one thing that its users did not write: where the simulated Clerk is.
alter server my_clerk_server options (add api_url :'url', add rate_limit '100000');

create foreign table clerk_users (
  user_id text,
  first_name text,
  last_name text,
  email text,
  gender text,
  created_at bigint,
  updated_at bigint,
  last_sign_in_at bigint,
  phone_numbers bigint,
  username text,
  attrs jsonb
)
  server my_clerk_server
  options (
    object 'users'
  );

create foreign table clerk_organizations (
  organization_id text,
  name text,
  slug text,
  created_at bigint,
  updated_at bigint,
  created_by text,
  attrs jsonb
)
  server my_clerk_server
  options (
    object 'organizations'
  );

create foreign table clerk_organization_memberships (
  user_id text,
  organization_id text,
  role text
)
  server my_clerk_server
  options (
    object 'organization_memberships'
  );

select * from clerk_users order by created_at, user_id limit 0;
select count(*), count(user_id) as ids, count(gender) as genders, count(last_sign_in_at) = count(attrs->>'last_sign_in_at') as sign_ins
  from clerk_users;

-- Everything is what the imported table says, in the old types.
SELECT count(*) AS users,
       count(*) FILTER (WHERE (o.first_name, o.last_name, o.email, o.username) IS NOT DISTINCT FROM (n.first_name, n.last_name, n.email, n.username)) AS same_texts,
       count(*) FILTER (WHERE o.created_at = (extract(epoch FROM n.created_at) * 1000)::bigint
                          AND o.updated_at = (extract(epoch FROM n.updated_at) * 1000)::bigint
                          AND o.last_sign_in_at IS NOT DISTINCT FROM (extract(epoch FROM n.last_sign_in_at) * 1000)::bigint) AS same_times,
       count(*) FILTER (WHERE o.phone_numbers IS NOT DISTINCT FROM ltrim(n.phone_number, '+')::bigint) AS same_numbers,
       count(*) FILTER (WHERE o.attrs = n.attrs) AS same_attrs
  FROM clerk_users o JOIN clerk.users n USING (user_id);
SELECT count(*) AS organizations,
       count(*) FILTER (WHERE (o.name, o.slug, o.created_by, o.attrs) IS NOT DISTINCT FROM (n.name, n.slug, n.created_by, n.attrs)
                          AND (o.created_at, o.updated_at) = ((extract(epoch FROM n.created_at) * 1000)::bigint, (extract(epoch FROM n.updated_at) * 1000)::bigint)) AS same
  FROM clerk_organizations o JOIN clerk.organizations n USING (organization_id);
SELECT count(*) AS differences
  FROM ((SELECT user_id, organization_id, role FROM clerk_organization_memberships
         EXCEPT ALL SELECT user_id, organization_id, role FROM clerk.organization_memberships)
        UNION ALL
        (SELECT user_id, organization_id, role FROM clerk.organization_memberships
         EXCEPT ALL SELECT user_id, organization_id, role FROM clerk_organization_memberships)) AS d;

-- The queries of its README.
select count(*) from (select * from clerk_users) as users;
select count(*) from clerk_organizations, clerk_organization_memberships
  where clerk_organizations.organization_id = clerk_organization_memberships.organization_id;
select count(*), count(distinct clerk_users.user_id) as members, count(distinct clerk_organizations.organization_id) as organizations
  from clerk_users
  join clerk_organization_memberships on clerk_users.user_id = clerk_organization_memberships.user_id
  join clerk_organizations on clerk_organization_memberships.organization_id = clerk_organizations.organization_id;

-- Its fixed pause between requests, half a second, is an option now; this is a shorter one.
alter server my_clerk_server options (add request_interval_ms '20');
select count(*) from clerk_organization_memberships;

--
-- Supabase's Clerk wrapper
--
CREATE SCHEMA supabase;
create foreign table supabase.users (
  id text,
  external_id text,
  username text,
  first_name text,
  last_name text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk
  options (
    object 'users',
    rowid_column 'id'
  );

create foreign table supabase.organizations (
  id text,
  name text,
  slug text,
  created_at timestamp,
  updated_at timestamp,
  created_by text,
  attrs jsonb
)
  server clerk
  options (
    object 'organizations',
    rowid_column 'id'
  );

create foreign table supabase.organization_memberships (
  id text,
  role text,
  role_name text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk
  options (
    object 'organization_memberships',
    rowid_column 'id'
  );

-- A timestamp is in UTC, whatever the session's time zone is.
SELECT count(*) AS users,
       count(*) FILTER (WHERE (o.external_id, o.username, o.first_name, o.last_name, o.attrs)
         IS NOT DISTINCT FROM (n.external_id, n.username, n.first_name, n.last_name, n.attrs)) AS same,
       count(*) FILTER (WHERE (o.created_at, o.updated_at) = (n.created_at AT TIME ZONE 'UTC', n.updated_at AT TIME ZONE 'UTC')) AS same_times
  FROM supabase.users o JOIN clerk.users n ON o.id = n.user_id;
SELECT count(*) AS organizations,
       count(*) FILTER (WHERE (o.name, o.slug, o.created_by, o.attrs) IS NOT DISTINCT FROM (n.name, n.slug, n.created_by, n.attrs)
                          AND (o.created_at, o.updated_at) = (n.created_at AT TIME ZONE 'UTC', n.updated_at AT TIME ZONE 'UTC')) AS same
  FROM supabase.organizations o JOIN clerk.organizations n ON o.id = n.organization_id;
SELECT count(*) AS memberships,
       count(*) FILTER (WHERE (o.role, o.role_name, o.attrs) IS NOT DISTINCT FROM (n.role, n.role_name, n.attrs)
                          AND (o.created_at, o.updated_at) = (n.created_at AT TIME ZONE 'UTC', n.updated_at AT TIME ZONE 'UTC')) AS same
  FROM supabase.organization_memberships o JOIN clerk.organization_memberships n ON o.id = n.membership_id;

-- Its queries: into attrs, and by id, which is one request.
select count(*) from (select u.id, e->>'email_address' as email from supabase.users u
  cross join json_array_elements((attrs->'email_addresses')::json) e) as emails;
SELECT sum(jsonb_array_length(attrs->'email_addresses')) FROM clerk.users;
SELECT id AS one FROM supabase.users ORDER BY created_at, id LIMIT 1 \gset
SELECT count(*), bool_and(attrs->>'id' = :'one') AS right_one FROM supabase.users WHERE id = :'one';
EXPLAIN (COSTS OFF) SELECT * FROM supabase.organizations WHERE id = 'org_1';

-- What a scan is said to cost is taken along as well.
ALTER FOREIGN TABLE supabase.users OPTIONS (ADD startup_cost '100');
SELECT count(*) FROM supabase.users;

SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
DROP SCHEMA clerk, supabase;
