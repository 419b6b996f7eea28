-- Row security of an application's own tables by the organization in a request's token. The page is
-- docs/recipes/row-security.md.
--
-- Run it as a superuser where the mirror app exists.

-- The owner of the tables, the role that requests run as (authenticated on Supabase and with PostgREST), and the role that
-- your backend connects as, which has no privileges until it becomes workspace_request.
CREATE ROLE workspace_owner NOLOGIN;
CREATE ROLE workspace_request NOLOGIN;
CREATE ROLE workspace_backend LOGIN NOINHERIT;
GRANT workspace_request TO workspace_backend;

CREATE SCHEMA workspace AUTHORIZATION workspace_owner;
GRANT USAGE ON SCHEMA workspace TO workspace_request;
GRANT USAGE ON SCHEMA clerk_fdw TO workspace_owner, workspace_request;
GRANT EXECUTE ON FUNCTION clerk_fdw.current_user_id, clerk_fdw.current_org_id, clerk_fdw.current_org_role,
  clerk_fdw.current_organizations TO workspace_owner, workspace_request;

SELECT DISTINCT number FROM clerk_fdw.mirror_status WHERE mirror = 'app' \gset mirror_
SET ROLE workspace_owner;

-- The organization that is active in the token, if its user is still a member of it: null for everybody else.
CREATE FUNCTION workspace.active_organization() RETURNS text LANGUAGE sql STABLE PARALLEL RESTRICTED
RETURN (SELECT clerk_fdw.current_org_id()
         WHERE clerk_fdw.current_org_id() = ANY (clerk_fdw.current_organizations(:mirror_number)));

-- Every key begins with the organization. So no row can refer to another organization's, and no error about a
-- duplicate tells whether another organization has the same value.
CREATE TABLE workspace.projects (
  organization_id text NOT NULL DEFAULT workspace.active_organization(),
  project_id uuid NOT NULL DEFAULT gen_random_uuid(),
  name text NOT NULL,
  created_by text NOT NULL DEFAULT clerk_fdw.current_user_id(),
  PRIMARY KEY (organization_id, project_id),
  UNIQUE (organization_id, name)
);
CREATE TABLE workspace.tasks (
  organization_id text NOT NULL DEFAULT workspace.active_organization(),
  task_id uuid NOT NULL DEFAULT gen_random_uuid(),
  project_id uuid NOT NULL,
  title text NOT NULL,
  done boolean NOT NULL DEFAULT false,
  PRIMARY KEY (organization_id, task_id),
  FOREIGN KEY (organization_id, project_id) REFERENCES workspace.projects ON DELETE CASCADE
);
CREATE INDEX ON workspace.tasks (organization_id, project_id);

-- FORCE, so that the owner's own queries are not an exception.
ALTER TABLE workspace.projects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE workspace.tasks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- The policy that isolates organizations from each other. It is restrictive, so no other policy can widen it. The subquery
-- makes Postgres evaluate the function once for each query.
CREATE POLICY tenant ON workspace.projects AS RESTRICTIVE
  USING (organization_id = (SELECT workspace.active_organization()));
CREATE POLICY tenant ON workspace.tasks AS RESTRICTIVE
  USING (organization_id = (SELECT workspace.active_organization()));

-- Who may do what within an organization. What no policy allows is denied.
CREATE POLICY read ON workspace.projects FOR SELECT USING (true);
CREATE POLICY make ON workspace.projects FOR INSERT WITH CHECK (created_by = (SELECT clerk_fdw.current_user_id()));
CREATE POLICY change ON workspace.projects FOR UPDATE
  USING (created_by = (SELECT clerk_fdw.current_user_id()) OR (SELECT clerk_fdw.current_org_role()) = 'org:admin');
CREATE POLICY remove ON workspace.projects FOR DELETE USING ((SELECT clerk_fdw.current_org_role()) = 'org:admin');
CREATE POLICY member ON workspace.tasks USING (true);

-- Columns that say whose a row is are filled by their defaults. Nobody may write them.
GRANT SELECT, DELETE, INSERT (name), UPDATE (name) ON workspace.projects TO workspace_request;
GRANT SELECT, DELETE, INSERT (project_id, title), UPDATE (project_id, title, done) ON workspace.tasks TO workspace_request;

-- A view reads with its owner's rights unless it says otherwise.
CREATE VIEW workspace.open_tasks WITH (security_invoker) AS
SELECT p.project_id, p.name, count(*) AS open_tasks
  FROM workspace.projects p JOIN workspace.tasks t USING (organization_id, project_id)
 WHERE NOT t.done GROUP BY p.project_id, p.name;
GRANT SELECT ON workspace.open_tasks TO workspace_request;

-- How your backend begins a request: once in each transaction, with the claims of a token that it has verified. Both
-- settings end with the transaction.
CREATE PROCEDURE workspace.begin_request(claims text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_catalog.set_config('request.jwt.claims', claims, true);
  PERFORM pg_catalog.set_config('role', 'workspace_request', true);
END $$;
REVOKE ALL ON PROCEDURE workspace.begin_request FROM PUBLIC;
GRANT USAGE ON SCHEMA workspace TO workspace_backend;
GRANT EXECUTE ON PROCEDURE workspace.begin_request TO workspace_backend;

-- What in the schema would show rows to everybody: for your tests and your monitoring.
CREATE VIEW workspace.row_security_gaps WITH (security_invoker) AS
SELECT c.oid::regclass AS relation,
       CASE WHEN c.relkind = 'v' THEN 'view without security_invoker'
            WHEN c.relkind NOT IN ('r', 'p') THEN 'row security does not apply to it'
            WHEN NOT c.relrowsecurity THEN 'row security is not enabled'
            WHEN NOT c.relforcerowsecurity THEN 'row security is not forced'
            ELSE 'no restrictive policy' END AS gap
  FROM pg_class c
 WHERE c.relnamespace = 'workspace'::regnamespace
   AND CASE
         WHEN c.relkind = 'v' THEN NOT EXISTS (
           SELECT FROM pg_options_to_table(c.reloptions) WHERE option_name = 'security_invoker' AND option_value::boolean)
         WHEN c.relkind IN ('r', 'p') THEN NOT c.relrowsecurity OR NOT c.relforcerowsecurity OR NOT EXISTS (
           SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polcmd = '*')
         ELSE c.relkind IN ('m', 'f') END;
RESET ROLE;
