--
-- Every object of Clerk's: the tables that IMPORT FOREIGN SCHEMA makes of them, and what they need.
--
\set url `echo "$CLERK_SIM_URL"`
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', api_key 'sk_test_simulator', rate_limit '100000');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;

-- The catalogue: what there is, how it is listed, and what mirrors can contain.
SELECT object, coalesce(endpoint, 'by ' || array_to_string(parent, ', ')) AS listed, cardinality(columns) AS columns,
       mirrorable, array_to_string(aliases, ', ') AS aliases
  FROM clerk_fdw.objects();

-- Each list has rows, and the id is what the alias says.
SELECT format('SELECT %L AS object, count(*) > 0 AS has_rows, count(*) = count(DISTINCT %I) AS unique_ids FROM clerk.%I',
              o.object, c.column_name, o.object)
  FROM clerk_fdw.objects() o JOIN clerk_fdw.columns() c ON c.object = o.object AND c.is_id
 WHERE o.endpoint IS NOT NULL \gexec

-- What is listed below a parent only needs a condition on it, or a join. A parent that does not exist has no rows.
\set VERBOSITY default
SELECT * FROM clerk.sessions;
SELECT count(*) FROM clerk.m2m_tokens;
SELECT * FROM clerk.user_billing_subscriptions WHERE status = 'active';
\set VERBOSITY terse
SELECT count(*) FROM clerk.sessions WHERE user_id = 'user_nobody';
SELECT count(*) FROM clerk.billing_payment_attempts WHERE statement_id = 'nothing';
SELECT count(*) > 0 AS signed_in, bool_and(s.status = 'active') AS active
  FROM clerk.users u JOIN clerk.sessions s USING (user_id) WHERE s.status = 'active'
   AND u.user_id IN (SELECT user_id FROM clerk.users ORDER BY created_at LIMIT 200);
SELECT count(*) > 0 AS has_keys, count(DISTINCT k.subject) = count(DISTINCT o.organization_id) AS same
  FROM clerk.organizations o JOIN clerk.api_keys k ON k.subject = o.organization_id;
SELECT count(*) > 0 AS has_tokens FROM clerk.machines m JOIN clerk.m2m_tokens t ON t.subject = m.machine_id;

-- Clerk evaluates conditions, orders and counts of these tables as well.
EXPLAIN (COSTS OFF) SELECT * FROM clerk.sessions WHERE user_id = 'user_1' AND status = 'active';
EXPLAIN (COSTS OFF) SELECT * FROM clerk.sessions WHERE user_id IN ('user_1', 'user_2');
EXPLAIN (COSTS OFF) SELECT * FROM clerk.invitations;
EXPLAIN (COSTS OFF) SELECT * FROM clerk.invitations WHERE status = 'pending' ORDER BY created_at DESC LIMIT 10;
EXPLAIN (COSTS OFF) SELECT count(*) FROM clerk.organization_invitations WHERE status = 'pending';
EXPLAIN (COSTS OFF) SELECT * FROM clerk.organization_invitations WHERE organization_id = 'org_1' AND status = 'pending';
EXPLAIN (COSTS OFF) SELECT * FROM clerk.organization_domains WHERE name IN ('example.com', 'example.org');
EXPLAIN (COSTS OFF) SELECT * FROM clerk.organization_roles WHERE key = 'org:admin';
EXPLAIN (COSTS OFF) SELECT * FROM clerk.user_email_addresses WHERE email_address = 'ada@example.com';
EXPLAIN (COSTS OFF) SELECT * FROM clerk.api_keys WHERE subject = 'user_1';
EXPLAIN (COSTS OFF) SELECT * FROM clerk.api_keys WHERE subject = 'user_000000000000000000000000000';
EXPLAIN (COSTS OFF) SELECT * FROM clerk.billing_subscription_items WHERE plan_id = 'cplan_1';
EXPLAIN (COSTS OFF) SELECT count(*) FROM clerk.domains;
EXPLAIN (COSTS OFF) SELECT count(*) FROM clerk.user_passkeys;

-- The children of users.
SELECT count(*) = (SELECT sum(jsonb_array_length(attrs->'email_addresses')) FROM clerk.users) AS all_addresses,
       count(*) FILTER (WHERE is_primary) = (SELECT count(email) FROM clerk.users) AS primary_ones
  FROM clerk.user_email_addresses;
SELECT bool_and(u.email = e.email_address) AS same
  FROM clerk.users u JOIN clerk.user_email_addresses e USING (user_id) WHERE e.is_primary;

-- Secrets are no part of an imported table, and neither is the whole object that contains them. Who wants one names it.
SELECT object, secret_columns FROM clerk_fdw.objects() WHERE secret_columns <> '{}';
SELECT count(*) FROM pg_attribute WHERE attrelid = 'clerk.directories'::regclass AND attname IN ('api_key', 'attrs');
CREATE FOREIGN TABLE directory_keys (directory_id text, api_key text) SERVER clerk OPTIONS (object 'directories');
SELECT count(*) > 0 AS has_rows FROM directory_keys;

-- ANALYZE counts and samples each list, and skips what has none.
ANALYZE clerk.invitations, clerk.domains, clerk.user_email_addresses, clerk.billing_plans;
SELECT relname, reltuples > 0 AS counted FROM pg_class
 WHERE relkind = 'f' AND reltuples >= 0 ORDER BY relname;
ANALYZE clerk.sessions;

SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
DROP SCHEMA clerk;
