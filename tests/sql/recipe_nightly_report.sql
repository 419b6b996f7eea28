--
-- docs/recipes/nightly-report: a row of figures for each day, once, and never from a mirror that is behind.
--
\set url `echo "$CLERK_SIM_URL"`
\set VERBOSITY terse
-- For the psql that runs the recipe's commands.
\setenv PGDATABASE :DBNAME
\setenv PSQLRC /dev/null
SET timezone = 'America/New_York';
SET datestyle = 'ISO, YMD';
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000');
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
SELECT clerk_fdw.create_mirror('clerk', 'app', '{users, organizations, organization_memberships, organization_invitations}');

\i ../docs/recipes/nightly-report.sql

-- Nothing is reported from a mirror that has not been read.
SELECT report.take('2026-10-30');
SELECT count(*) FROM report.daily;
CALL clerk_fdw.sync('app');
-- Nor of a day that is not over.
\set VERBOSITY sqlstate
SELECT report.take((now() AT TIME ZONE 'Europe/Berlin')::date);
\set VERBOSITY terse

-- Once a day, however often.
SELECT report.take('2026-10-30'), report.take('2026-10-30');
SELECT report.take('2026-10-31');
SELECT * FROM (SELECT day, users, new_users, deleted_users, active_users, active_in_30_days, banned_users,
  organizations, new_organizations, empty_organizations, pending_invitations FROM report.daily) d ORDER BY day \gx
SELECT name, members, admins, quiet_members FROM report.organizations WHERE day = '2026-10-31' ORDER BY members DESC, name LIMIT 5;
SELECT (SELECT sum(members) FROM report.organizations WHERE day = '2026-10-31')
     = (SELECT count(*) FROM app.organization_memberships WHERE created_at < '2026-11-01 00:00:00+01') AS all_members;
SELECT sum(signed_up) = (SELECT count(*) FROM app.users) AS all_users, bool_and(still_there <= signed_up) AS sane FROM report.cohorts;

-- The figures are those of a plain query, and days begin at midnight in Berlin, whatever the session's time zone.
SELECT d.new_users = (SELECT count(*) FROM app.users WHERE (created_at AT TIME ZONE 'Europe/Berlin')::date = d.day) AS new_users,
       d.pending_invitations = (SELECT count(*) FROM app.organization_invitations WHERE status = 'pending') AS pending
  FROM report.daily d ORDER BY day;
SELECT user_id AS late FROM app.users ORDER BY created_at LIMIT 1 \gset
UPDATE app.users SET created_at = '2026-10-28 23:30:00+01' WHERE user_id = :'late';
SELECT report.take('2026-10-28'), report.take('2026-10-29');
SELECT day, new_users - (SELECT count(*) FROM app.users u WHERE (created_at AT TIME ZONE 'Europe/Berlin')::date = d.day) AS off
  FROM report.daily d WHERE day < '2026-10-30' ORDER BY day;
-- Whoever is deleted counts as deleted on that day, as a user before, and as neither afterwards.
UPDATE app.users SET deleted_at = '2026-10-27 12:00:00+01' WHERE user_id IN (
  SELECT user_id FROM app.users ORDER BY created_at LIMIT 3);
SELECT report.take('2026-10-26'), report.take('2026-10-27');
SELECT day, users, new_users, deleted_users FROM report.daily WHERE day BETWEEN '2026-10-26' AND '2026-10-28' ORDER BY day;

-- The queries of the page
SELECT day, users, users - lag(users) OVER (ORDER BY day) AS growth, active_users, pending_invitations
  FROM report.daily ORDER BY day DESC LIMIT 7;
SELECT count(*) > 0 AS some FROM report.quiet_members;
SELECT count(*) > 0 AS some FROM report.unanswered_invitations;

-- Others read the results, and not the mirror.
CREATE ROLE recipe_analyst;
GRANT USAGE ON SCHEMA report TO recipe_analyst;
GRANT SELECT ON report.daily, report.organizations, report.cohorts TO recipe_analyst;
SET ROLE recipe_analyst;
SELECT count(*) FROM report.daily;
SELECT count(*) FROM report.quiet_members;
SELECT report.take('2026-10-30');
RESET ROLE;

-- As cron calls it: the report of yesterday, and the same again.
\! psql -X -q -v ON_ERROR_STOP=1 -c "CALL clerk_fdw.sync('app', 'full', wait => true)" -c "SELECT report.take()" >/dev/null 2>&1 && echo done
\! psql -X -q -A -t -v ON_ERROR_STOP=1 -c "CALL clerk_fdw.sync('app', 'full', wait => true)" -c "SELECT report.take()" 2>/dev/null
SELECT count(*) FROM report.daily WHERE day = (now() AT TIME ZONE 'Europe/Berlin')::date - 1;
\! psql -X --csv -c "SELECT day, users, new_users FROM report.daily WHERE day < '2026-11-01' ORDER BY day"
\copy (SELECT * FROM report.organizations ORDER BY day, organization_id) TO PROGRAM 'head -n 1' WITH (FORMAT csv, HEADER)

SELECT clerk_fdw.drop_mirror('app', keep_tables => true);
SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
DROP SCHEMA report, app CASCADE;
DROP ROLE recipe_analyst;
