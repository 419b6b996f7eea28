-- What bin/demo shows. CLERK_SIM_URL is the simulated Clerk's; without it the server asks Clerk itself, with the
-- CLERK_SECRET_KEY in its environment.
\set ON_ERROR_STOP 1
\set url `echo "${CLERK_SIM_URL:-${CLERK_API_URL:-https://api.clerk.com/v1}}"`
\set simulated `[ -n "$CLERK_SIM_URL" ] && echo 1 || echo 0`
\pset footer off
\pset pager off

CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url');
\if :simulated
  CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
  -- Nobody else asks this Clerk, so there is nobody to leave a share of its limit for.
  ALTER SERVER clerk OPTIONS (ADD rate_limit '100');
\else
  -- The key in the server's environment may go to CLERK_API_URL, too: whoever runs the demo has set both.
  ALTER SERVER clerk OPTIONS (ADD environment_key 'true');
\endif
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;

\echo
\echo 'The newest users, live from' :url
\set ECHO queries
SELECT user_id, left(concat_ws(' ', first_name, last_name), 30) AS name, email, created_at
  FROM clerk.users ORDER BY created_at DESC LIMIT 5;
\set ECHO none

-- A real instance may have no organizations, or none allowed: the rest of the tour is still worth seeing.
\set ON_ERROR_STOP :simulated

-- Somebody who has an organization, or else anybody.
\set owner ''
\set email ''
SELECT coalesce((SELECT created_by FROM clerk.organizations WHERE created_by IS NOT NULL LIMIT 1), '') AS owner \gset
SELECT coalesce((SELECT email FROM clerk.users WHERE user_id = :'owner'),
                (SELECT email FROM clerk.users WHERE email IS NOT NULL ORDER BY created_at DESC LIMIT 1), '') AS email \gset

\echo 'One user by email, with the organizations they are in:' :email
\set ECHO queries
SELECT u.user_id, u.first_name, u.last_name, o.name AS organization, m.role
  FROM clerk.users u
  LEFT JOIN clerk.organization_memberships m ON m.user_id = u.user_id
  LEFT JOIN clerk.organizations o ON o.organization_id = m.organization_id
 WHERE u.email = :'email'
 ORDER BY o.name;

\echo 'The largest organizations'
SELECT o.name, count(*) AS members, count(*) FILTER (WHERE m.role = 'org:admin') AS admins
  FROM clerk.organizations o
  JOIN clerk.organization_memberships m ON m.organization_id = o.organization_id
 GROUP BY o.organization_id, o.name ORDER BY members DESC, o.name LIMIT 5;

\echo 'Who was invited last and has not answered'
SELECT i.email_address, i.role, o.name AS organization
  FROM clerk.organization_invitations i
  JOIN clerk.organizations o ON o.organization_id = i.organization_id
 WHERE i.status = 'pending' ORDER BY i.created_at DESC LIMIT 3;

\echo 'All users, copied into a table of their own'
CREATE TABLE users AS
  SELECT user_id, email, first_name, last_name, created_at, attrs FROM clerk.users;
SELECT count(*) AS users, min(created_at) AS first, max(created_at) AS last,
       pg_size_pretty(pg_total_relation_size('users')) AS size
  FROM users;

\echo 'A mirror: local tables that keep themselves in step'
SELECT clerk_fdw.create_mirror('clerk', schema => 'app_clerk');
CALL clerk_fdw.sync('app_clerk');

\echo 'The same again: only what has changed'
CALL clerk_fdw.sync('app_clerk');
SELECT object, rows, deleted, drift, date_trunc('second', lag) AS lag FROM clerk_fdw.mirror_status;
