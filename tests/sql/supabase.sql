--
-- The tables of Supabase's Clerk wrapper, all nineteen, and the queries of its documentation: they work as they are, but
-- for the server.
--
\set url `echo "$CLERK_SIM_URL"`
SET timezone = 'America/New_York';
SET datestyle = 'ISO, YMD';
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk_server FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', api_key 'sk_test_simulator', rate_limit '100000');
CREATE SCHEMA clerk;

create foreign table clerk.allowlist_identifiers (
  id text,
  invitation_id text,
  identifier text,
  identifier_type text,
  instance_id text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'allowlist_identifiers',
    rowid_column 'id'
  );
create foreign table clerk.blocklist_identifiers (
  id text,
  identifier text,
  identifier_type text,
  instance_id text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'blocklist_identifiers',
    rowid_column 'id'
  );
create foreign table clerk.domains (
  id text,
  name text,
  is_satellite boolean,
  frontend_api_url text,
  accounts_portal_url text,
  attrs jsonb
)
  server clerk_server
  options (
    object 'domains',
    rowid_column 'id'
  );
create foreign table clerk.invitations (
  id text,
  email_address text,
  url text,
  revoked boolean,
  status text,
  expires_at timestamp,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'invitations',
    rowid_column 'id'
  );
create foreign table clerk.jwt_templates (
  id text,
  name text,
  lifetime bigint,
  allowed_clock_skew bigint,
  custom_signing_key boolean,
  signing_algorithm text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'jwt_templates',
    rowid_column 'id'
  );
create foreign table clerk.oauth_applications (
  id text,
  name text,
  instance_id text,
  client_id text,
  public boolean,
  scopes text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'oauth_applications',
    rowid_column 'id'
  );
create foreign table clerk.organizations (
  id text,
  name text,
  slug text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'organizations',
    rowid_column 'id'
  );
create foreign table clerk.organization_invitations (
  id text,
  email_address text,
  role text,
  role_name text,
  organization_id text,
  status text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'organization_invitations',
    rowid_column 'id'
  );
create foreign table clerk.organization_memberships (
  id text,
  role text,
  role_name text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'organization_memberships',
    rowid_column 'id'
  );
create foreign table clerk.redirect_urls (
  id text,
  url text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'redirect_urls',
    rowid_column 'id'
  );
create foreign table clerk.saml_connections (
  id text,
  name text,
  domain text,
  active boolean,
  provider text,
  user_count bigint,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'saml_connections',
    rowid_column 'id'
  );
create foreign table clerk.users (
  id text,
  external_id text,
  username text,
  first_name text,
  last_name text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'users',
    rowid_column 'id'
  );
create foreign table clerk.billing_plans (
  id text,
  name text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'billing/plans',
    rowid_column 'id'
  );
create foreign table clerk.billing_subscription_items (
  id text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'billing/subscription_items',
    rowid_column 'id'
  );
create foreign table clerk.billing_statements (
  id text,
  created_at timestamp,
  updated_at timestamp,
  attrs jsonb
)
  server clerk_server
  options (
    object 'billing/statements',
    rowid_column 'id'
  );
create foreign table clerk.billing_statement (
  statement_id text,
  attrs jsonb
)
  server clerk_server
  options (
    object 'billing/statement',
    rowid_column 'statement_id'
  );
create foreign table clerk.billing_payment_attempts (
  statement_id text,
  attrs jsonb
)
  server clerk_server
  options (
    object 'billing/payment_attempts',
    rowid_column 'statement_id'
  );
create foreign table clerk.user_billing_subscriptions (
  user_id text,
  attrs jsonb
)
  server clerk_server
  options (
    object 'users/billing/subscription',
    rowid_column 'user_id'
  );
create foreign table clerk.organization_billing_subscriptions (
  organization_id text,
  attrs jsonb
)
  server clerk_server
  options (
    object 'organizations/billing/subscription',
    rowid_column 'organization_id'
  );

-- Each has rows, and its columns are what attrs say. A table that needs a condition says which.
\set VERBOSITY terse
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.allowlist_identifiers;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.blocklist_identifiers;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id') as same from clerk.domains;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'expires_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from expires_at and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.invitations;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.jwt_templates;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.oauth_applications;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.organizations;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.organization_invitations;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.organization_memberships;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.redirect_urls;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.saml_connections;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.users;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.billing_plans;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.billing_subscription_items;
select count(*) > 0 as has_rows, bool_and(id = attrs->>'id' and (to_timestamp((attrs->>'created_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from created_at and (to_timestamp((attrs->>'updated_at')::bigint / 1000.0) at time zone 'UTC') is not distinct from updated_at) as same from clerk.billing_statements;
select count(*) > 0 as has_rows, bool_and(statement_id = attrs->>'id') as same from clerk.billing_statement;
select * from clerk.billing_payment_attempts;
select * from clerk.user_billing_subscriptions;
select * from clerk.organization_billing_subscriptions;

-- The queries of its documentation.
select count(*) from (
  select u.id, e->>'email_address' as email
  from clerk.users u
    cross join json_array_elements((attrs->'email_addresses')::json) e) as emails;
select * from clerk.user_billing_subscriptions where user_id = 'user_xxx';
select * from clerk.organization_billing_subscriptions where organization_id = 'org_xxx';
select * from clerk.billing_payment_attempts where statement_id = 'stmt_xxx';
select user_id, attrs->>'status' as subscription_status, attrs->>'plan_id' as plan_id
  from clerk.user_billing_subscriptions where user_id = 'user_xxx';

-- And with ids that exist.
select count(*) > 0 as subscribed, bool_and(s.user_id = u.id) as same
  from (select id from clerk.users order by created_at limit 40) u
  join clerk.user_billing_subscriptions s on s.user_id = u.id;
select count(*) > 0 as subscribed, bool_and(s.organization_id = o.id) as same
  from clerk.organizations o join clerk.organization_billing_subscriptions s on s.organization_id = o.id;
select count(*) > 0 as attempted, bool_and(p.statement_id = s.id and p.attrs->>'statement_id' = s.id) as same
  from clerk.billing_statements s join clerk.billing_payment_attempts p on p.statement_id = s.id;
select id as statement from clerk.billing_statements order by id limit 1 \gset
select count(*), bool_and(attrs->>'id' = :'statement') as same from clerk.billing_statement where statement_id = :'statement';
explain (costs off) select * from clerk.billing_statement where statement_id = 'stmt_1';

-- The writes of its documentation, which take a word of the owner: they change accounts.
insert into clerk.users (attrs) values ('{"email_address": ["user@example.com"], "password": "secure123"}');
alter server clerk_server options (add updatable 'true');
insert into clerk.users (attrs) values ('{"email_address": ["user@example.com"], "password": "secure123"}');
select id as user from clerk.users where attrs @> '{"email_addresses": [{"email_address": "user@example.com"}]}' \gset
update clerk.users set attrs = '{"first_name": "John", "last_name": "Doe"}' where id = :'user';
select first_name, last_name, attrs->'password_enabled' as has_password, attrs->>'password' as password from clerk.users where id = :'user';
delete from clerk.users where id = :'user';
select count(*) from clerk.users where id = :'user';
insert into clerk.organizations (attrs) values ('{"name": "My Organization", "slug": "my-org"}');
select id as organization from clerk.organizations where slug = 'my-org' \gset
update clerk.organizations set attrs = '{"name": "Updated Name"}' where id = :'organization';
select name, slug from clerk.organizations where id = :'organization';
delete from clerk.organizations where id = :'organization';
select count(*) from clerk.organizations where id = :'organization';
update clerk.organizations set attrs = '{"name": "Updated Name"}' where id = 'org_xxx';
delete from clerk.organizations where id = 'org_xxx';

SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
DROP SCHEMA clerk;
