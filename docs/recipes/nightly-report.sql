-- A nightly report from a mirror: a row of figures for each day, the organizations by size, who has been quiet, and who has
-- not answered an invitation. Nothing here asks Clerk. docs/recipes/nightly-report.md explains it.
--
-- The mirror is called app, and has organization_invitations beside the three objects of a mirror by default:
--
--   SELECT clerk_fdw.create_mirror('clerk', 'app', '{users, organizations, organization_memberships, organization_invitations}');
--
-- Run it as the mirror's owner.

CREATE SCHEMA report;

-- Days begin at midnight in one time zone. It is stored, because rows that are counted by different days cannot be compared.
CREATE TABLE report.settings (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  time_zone text NOT NULL
);
INSERT INTO report.settings (time_zone) VALUES ('Europe/Berlin');

CREATE TABLE report.daily (
  day date PRIMARY KEY,
  taken_at timestamptz NOT NULL DEFAULT now(),
  users bigint NOT NULL,
  new_users bigint NOT NULL,
  deleted_users bigint NOT NULL,
  active_users bigint NOT NULL,
  active_in_30_days bigint NOT NULL,
  banned_users bigint NOT NULL,
  organizations bigint NOT NULL,
  new_organizations bigint NOT NULL,
  empty_organizations bigint NOT NULL,
  pending_invitations bigint NOT NULL
);
COMMENT ON COLUMN report.daily.active_users IS
  'who was active on that day or since; Clerk keeps last_active_at to the day, and days in UTC';

CREATE TABLE report.organizations (
  day date REFERENCES report.daily,
  organization_id text,
  name text,
  members bigint NOT NULL,
  admins bigint NOT NULL,
  quiet_members bigint NOT NULL,
  PRIMARY KEY (day, organization_id)
);
COMMENT ON COLUMN report.organizations.quiet_members IS 'members who have not been active in the 90 days before';

-- Writes the report of a day, by default of yesterday. True if it did, false if the day has its report already: so it may
-- be called as often as one likes, and by several at once. If the mirror has not been read completely since the day ended, that
-- is an error, and the next call tries again.
CREATE FUNCTION report.take(day date DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  zone text := (SELECT s.time_zone FROM report.settings s);
  that_day date := coalesce(take.day, (now() AT TIME ZONE zone)::date - 1);
  begins timestamptz := that_day::timestamp AT TIME ZONE zone;
  ends timestamptz := (that_day + 1)::timestamp AT TIME ZONE zone;
  read_at timestamptz;
BEGIN
  -- An incremental sync does not see last_active_at, so that the last full one counts.
  SELECT min(coalesce(m.last_full, '-infinity')) INTO read_at FROM clerk_fdw.mirror_status m WHERE m.mirror = 'app';
  IF read_at IS NULL OR read_at < ends THEN
    RAISE EXCEPTION 'the mirror "app" was last read completely at %, before the end of %', coalesce(read_at, '-infinity'), that_day
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'CALL clerk_fdw.sync(''app'', ''full'') first.';
  END IF;

  INSERT INTO report.daily (day, users, new_users, deleted_users, active_users, active_in_30_days, banned_users,
                            organizations, new_organizations, empty_organizations, pending_invitations)
  SELECT that_day, u.*, o.*, i.*
    FROM (SELECT count(*) FILTER (WHERE deleted_at IS NULL OR deleted_at >= ends),
                 count(*) FILTER (WHERE created_at >= begins),
                 count(*) FILTER (WHERE deleted_at >= begins AND deleted_at < ends),
                 count(*) FILTER (WHERE (last_active_at AT TIME ZONE 'UTC')::date >= that_day),
                 count(*) FILTER (WHERE (last_active_at AT TIME ZONE 'UTC')::date > that_day - 30),
                 count(*) FILTER (WHERE banned AND (deleted_at IS NULL OR deleted_at >= ends))
            FROM app.users WHERE created_at < ends AND (deleted_at IS NULL OR deleted_at >= begins)) u,
         (SELECT count(*),
                 count(*) FILTER (WHERE created_at >= begins),
                 count(*) FILTER (WHERE NOT EXISTS (SELECT FROM app.organization_memberships m
                                                     WHERE m.organization_id = organizations.organization_id AND m.deleted_at IS NULL))
            FROM app.organizations WHERE created_at < ends AND (deleted_at IS NULL OR deleted_at >= ends)) o,
         (SELECT count(*) FROM app.organization_invitations WHERE status = 'pending' AND created_at < ends AND deleted_at IS NULL) i
  ON CONFLICT ON CONSTRAINT daily_pkey DO NOTHING;
  IF NOT FOUND THEN RETURN false; END IF;

  INSERT INTO report.organizations (day, organization_id, name, members, admins, quiet_members)
  SELECT that_day, o.organization_id, o.name, count(u.user_id), count(u.user_id) FILTER (WHERE m.role = 'org:admin'),
         count(u.user_id) FILTER (WHERE coalesce(u.last_active_at, u.created_at) < ends - interval '90 days')
    FROM app.organizations o
    LEFT JOIN app.organization_memberships m
           ON m.organization_id = o.organization_id AND m.deleted_at IS NULL AND m.created_at < ends
    LEFT JOIN app.users u ON u.user_id = m.user_id AND u.deleted_at IS NULL
   WHERE o.deleted_at IS NULL AND o.created_at < ends
   GROUP BY o.organization_id, o.name;

  REFRESH MATERIALIZED VIEW CONCURRENTLY report.cohorts;
  RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION report.take(date) FROM PUBLIC;
COMMENT ON FUNCTION report.take(date) IS 'writes the report of a day, once; false if it is there already';

-- Of those who signed up in a month, how many are still there, and how many have been active lately? Readers are not
-- blocked while it is refreshed, which takes a unique index.
CREATE MATERIALIZED VIEW report.cohorts AS
  SELECT date_trunc('month', u.created_at AT TIME ZONE s.time_zone)::date AS month,
         count(*) AS signed_up,
         count(*) FILTER (WHERE u.deleted_at IS NULL) AS still_there,
         count(*) FILTER (WHERE u.deleted_at IS NULL AND u.last_active_at > now() - interval '30 days') AS active
    FROM app.users u, report.settings s
   GROUP BY 1;
CREATE UNIQUE INDEX ON report.cohorts (month);

-- Whom to write to: members who have been quiet for 90 days, and invitations that nobody has answered in 14.
CREATE VIEW report.quiet_members AS
  SELECT o.name AS organization, u.email, m.role, u.last_active_at
    FROM app.organization_memberships m
    JOIN app.organizations o USING (organization_id)
    JOIN app.users u USING (user_id)
   WHERE coalesce(u.last_active_at, u.created_at) < now() - interval '90 days'
     AND m.deleted_at IS NULL AND o.deleted_at IS NULL AND u.deleted_at IS NULL;
CREATE VIEW report.unanswered_invitations AS
  SELECT o.name AS organization, i.email_address, i.role, i.created_at
    FROM app.organization_invitations i
    JOIN app.organizations o USING (organization_id)
   WHERE i.status = 'pending' AND i.created_at < now() - interval '14 days'
     AND i.deleted_at IS NULL AND o.deleted_at IS NULL;
