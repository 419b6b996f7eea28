-- Hands tables that a sync of your own has filled over to a mirror: reports how they differ from Clerk, tells the mirror
-- which column takes what, and fills the one thing that such tables usually lack, the ids of memberships.
-- docs/recipes/from-own-sync.md explains each step, and what to do afterwards.
--
-- The tables here are an example: public.accounts, public.teams and public.team_members, with keys of their own. The
-- foreign tables of the server clerk are in the schema clerk.

-- 1. How do the tables differ from Clerk? The view reads Clerk when it is queried, and changes nothing.
CREATE SCHEMA handover;
CREATE VIEW handover.accounts_differences AS
  SELECT coalesce(a.clerk_id, u.user_id) AS clerk_id, a.id,
         CASE WHEN u.user_id IS NULL THEN 'Clerk does not have it'
              WHEN a.clerk_id IS NULL THEN 'missing here'
              WHEN a.deleted_at IS NOT NULL THEN 'deleted here only'
              ELSE 'differs' END AS difference,
         a.email AS email_here, u.email AS email_at_clerk
    FROM (SELECT * FROM public.accounts WHERE clerk_id IS NOT NULL) a
    FULL JOIN clerk.users u ON u.user_id = a.clerk_id
   WHERE (u.user_id IS NULL AND a.deleted_at IS NULL)
      OR a.clerk_id IS NULL
      OR (u.user_id IS NOT NULL AND a.deleted_at IS NOT NULL)
      OR (a.email, a.full_name) IS DISTINCT FROM (u.email, nullif(concat_ws(' ', u.first_name, u.last_name), ''))
         AND u.user_id IS NOT NULL;

-- 2. A mirror needs a unique column for Clerk's id in each table. Memberships are often kept without it. A row whose
-- member or team Clerk does not have, or not together, stays without an id; nothing will touch it.
ALTER TABLE public.team_members ADD COLUMN clerk_membership_id text UNIQUE;
UPDATE public.team_members tm
   SET clerk_membership_id = m.membership_id
  FROM clerk.organization_memberships m
  JOIN public.teams t ON t.clerk_org_id = m.organization_id
  JOIN public.accounts a ON a.clerk_id = m.user_id
 WHERE tm.team_id = t.id AND tm.account_id = a.id;

-- 3. The mirror. Columns that are not named are never written: keys, the plan, and whatever else is the application's.
-- An expression may look up rows of other tables, here the keys of the team and the account.
SELECT clerk_fdw.create_mirror('clerk', 'app', '{organizations, users, organization_memberships}',
  tables => '{
    "users": "public.accounts",
    "organizations": "public.teams",
    "organization_memberships": "public.team_members"
  }',
  columns => '{
    "users": {
      "clerk_id": "user_id",
      "email": "email",
      "full_name": "nullif(concat_ws('' '', first_name, last_name), '''')",
      "signed_up_at": "created_at",
      "deleted_at": "deleted_at"
    },
    "organizations": {
      "clerk_org_id": "organization_id",
      "name": "name"
    },
    "organization_memberships": {
      "clerk_membership_id": "membership_id",
      "team_id": "(SELECT t.id FROM public.teams t WHERE t.clerk_org_id = organization_id)",
      "account_id": "(SELECT a.id FROM public.accounts a WHERE a.clerk_id = user_id)",
      "role": "role"
    }
  }');
