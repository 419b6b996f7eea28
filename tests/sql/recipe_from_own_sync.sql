--
-- docs/recipes/from-own-sync: tables that a script has filled become a mirror, and keep their keys and own columns.
--
\set url `echo "$CLERK_SIM_URL"`
\set VERBOSITY terse
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url :'url', rate_limit '100000');
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_test_simulator');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk LIMIT TO (users, organizations, organization_memberships) FROM SERVER clerk INTO clerk;

-- What the application has: keys of its own, rows of its own, foreign keys, and an old sync that has missed some things.
CREATE TABLE accounts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  clerk_id text UNIQUE,
  email text,
  full_name text,
  plan text NOT NULL DEFAULT 'free',
  signed_up_at timestamptz,
  deleted_at timestamptz
);
CREATE TABLE teams (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  clerk_org_id text UNIQUE,
  name text NOT NULL
);
CREATE TABLE team_members (
  team_id uuid NOT NULL REFERENCES teams,
  account_id bigint NOT NULL REFERENCES accounts,
  role text NOT NULL,
  PRIMARY KEY (team_id, account_id)
);
CREATE TABLE invoices (account_id bigint REFERENCES accounts, cents integer);

-- Ten users never arrived, three have an old address, two were deleted at Clerk, one is the application's own, and one is
-- marked as deleted that Clerk has.
INSERT INTO accounts (clerk_id, email, full_name, signed_up_at)
  SELECT user_id, email, nullif(concat_ws(' ', first_name, last_name), ''), created_at
    FROM clerk.users ORDER BY created_at, user_id OFFSET 10;
UPDATE accounts SET email = 'old@example.com' WHERE id IN (5, 6, 7);
INSERT INTO accounts (clerk_id, email) VALUES ('user_gone_1', 'gone1@example.com'), ('user_gone_2', 'gone2@example.com');
INSERT INTO accounts (email, plan) VALUES ('test@example.com', 'internal');
UPDATE accounts SET deleted_at = now() WHERE id = 20;
UPDATE accounts SET plan = 'pro' WHERE id = 5;
INSERT INTO teams (clerk_org_id, name) SELECT organization_id, name FROM clerk.organizations;
INSERT INTO team_members
  SELECT t.id, a.id, m.role FROM clerk.organization_memberships m
    JOIN teams t ON t.clerk_org_id = m.organization_id JOIN accounts a ON a.clerk_id = m.user_id;
-- Somebody has left their team, and somebody's role has changed.
INSERT INTO team_members SELECT t.id, a.id, 'org:member' FROM teams t, accounts a
  WHERE a.email = 'gone1@example.com' ORDER BY t.name LIMIT 1;
UPDATE team_members SET role = 'org:nothing' WHERE (team_id, account_id) IN (
  SELECT team_id, account_id FROM team_members tm JOIN accounts a ON a.id = account_id ORDER BY clerk_id, team_id LIMIT 4);
INSERT INTO invoices SELECT id, 100 FROM accounts;
CREATE TABLE before AS SELECT id, clerk_id, plan FROM accounts;

\i ../docs/recipes/from-own-sync.sql
SELECT difference, count(*) FROM handover.accounts_differences GROUP BY 1 ORDER BY 1;
SELECT email_here, email_at_clerk <> email_here AS differs FROM handover.accounts_differences WHERE difference = 'differs';
SELECT count(*) FILTER (WHERE clerk_membership_id IS NULL) AS without_id, count(*) > 2900 AS most FROM team_members;

-- What would a sync do? The dry run changes nothing.
CALL clerk_fdw.sync('app', 'full', dry_run => true);
SELECT count(*) AS changed FROM accounts WHERE clerk_synced_at IS NOT NULL;

-- Then in earnest. Memberships of users who are new come in as well, since users were synced before them.
CALL clerk_fdw.sync('app', 'full');
SELECT difference, count(*) FROM handover.accounts_differences GROUP BY 1 ORDER BY 1;
SELECT count(*) AS refused FROM clerk_fdw.sync_errors WHERE resolved_at IS NULL;

-- Keys, own columns and own rows are what they were, and what refers to them still does.
SELECT count(*) AS lost FROM before b LEFT JOIN accounts a USING (id)
  WHERE (a.clerk_id, a.plan) IS DISTINCT FROM (b.clerk_id, b.plan);
SELECT email, plan, clerk_synced_at FROM accounts WHERE clerk_id IS NULL;
SELECT count(*) AS invoices FROM invoices JOIN accounts ON id = account_id;
SELECT (SELECT count(*) FROM team_members WHERE clerk_membership_id IS NOT NULL)
     = (SELECT count(*) FROM clerk.organization_memberships) AS all_memberships,
       count(*) FILTER (WHERE role = 'org:nothing') AS wrong_roles FROM team_members;

-- What Clerk never had, or has no more, is still there, because no sync has ever written it. It is the application's to
-- decide about.
SELECT id = ANY (SELECT id FROM before WHERE clerk_id LIKE 'user_gone%') AS was_deleted_at_clerk, email
  FROM accounts WHERE clerk_id IS NOT NULL AND clerk_synced_at IS NULL ORDER BY clerk_id;
UPDATE public.accounts SET deleted_at = now()
 WHERE clerk_id IS NOT NULL AND clerk_synced_at IS NULL AND deleted_at IS NULL;
DELETE FROM public.team_members WHERE clerk_membership_id IS NULL;
SELECT count(*) AS differences FROM handover.accounts_differences;

--
-- The old handler and the new one, side by side
--
SELECT clerk_fdw.add_webhook_secret('app', 'whsec_YSBzZWNyZXQgdGhhdCBpcyBub25l') AS secret;
-- What Clerk's sender does: HMAC-SHA256 over id, time and body. (The key is shorter than a block of 64 bytes.)
CREATE FUNCTION hmac(message bytea, key bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
  inner_key bytea := decode(repeat('36', 64), 'hex');
  outer_key bytea := decode(repeat('5c', 64), 'hex');
BEGIN
  FOR i IN 0 .. length(key) - 1 LOOP
    inner_key := set_byte(inner_key, i, get_byte(inner_key, i) # get_byte(key, i));
    outer_key := set_byte(outer_key, i, get_byte(outer_key, i) # get_byte(key, i));
  END LOOP;
  RETURN sha256(outer_key || sha256(inner_key || message));
END $$;
CREATE FUNCTION deliver(id text, body text) RETURNS text LANGUAGE sql AS $$
  SELECT clerk_fdw.receive_webhook('app', body, id, t,
           'v1,' || encode(hmac(convert_to(concat_ws('.', id, t, body), 'UTF8'), 'a secret that is none'), 'base64'))
    FROM (SELECT extract(epoch FROM now())::bigint::text AS t) s
$$;
SELECT clerk_id AS one, email AS was, (extract(epoch FROM clerk_updated_at) * 1000)::bigint AS updated FROM accounts WHERE id = 30 \gset
SELECT json_build_object('type', 'user.updated', 'object', 'event', 'timestamp', :updated + 2000, 'data',
  u.attrs || jsonb_build_object('first_name', 'Newer', 'updated_at', :updated + 2000)) AS newer FROM clerk.users u WHERE user_id = :'one' \gset
SELECT json_build_object('type', 'user.updated', 'object', 'event', 'timestamp', :updated + 1000, 'data',
  u.attrs || jsonb_build_object('first_name', 'Older', 'updated_at', :updated + 1000)) AS older FROM clerk.users u WHERE user_id = :'one' \gset
-- The mirror takes the newer state, whatever the order of deliveries.
SELECT deliver('msg_2', :'newer');
SELECT deliver('msg_1', :'older');
SELECT split_part(full_name, ' ', 1) AS first_name FROM accounts WHERE id = 30;
-- The old handler overwrites it with what it got last. A full sync repairs that, an incremental one does not see it.
UPDATE accounts SET full_name = 'Older Handler' WHERE id = 30;
CALL clerk_fdw.sync('app', 'incremental', '{users}');
SELECT full_name FROM accounts WHERE id = 30;
UPDATE accounts SET full_name = 'Old Handler' WHERE id = 31;
CALL clerk_fdw.sync('app', 'full', '{users}');
SELECT count(*) AS old_handler FROM accounts WHERE full_name = 'Old Handler';

-- In the end, only the mirror may write Clerk's columns.
CREATE ROLE recipe_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts TO recipe_app;
REVOKE UPDATE ON public.accounts FROM recipe_app;
GRANT UPDATE (plan) ON public.accounts TO recipe_app;
SET ROLE recipe_app;
UPDATE accounts SET plan = 'team' WHERE id = 30;
UPDATE accounts SET email = 'mine@example.com' WHERE id = 30;
RESET ROLE;

SELECT clerk_fdw.drop_mirror('app');
SELECT count(*) > 1190 AS kept FROM accounts;
SET client_min_messages = warning;
DROP EXTENSION clerk_fdw CASCADE;
DROP SCHEMA clerk, handover CASCADE;
DROP TABLE invoices, team_members, accounts, teams, before;
DROP FUNCTION deliver, hmac;
DROP ROLE recipe_app;
