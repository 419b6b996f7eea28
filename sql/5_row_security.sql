-- Row security for applications: functions for the user behind a request and for the rows of a mirror that this user
-- may see.
--
-- PostgREST and Supabase verify the token that Clerk has signed, and set its claims for the transaction.

CREATE FUNCTION clerk_fdw.current_user_id() RETURNS pg_catalog.text
  LANGUAGE c STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'current_user_id_wrapper';
COMMENT ON FUNCTION clerk_fdw.current_user_id() IS
'The id of the Clerk user whom the current request is from: the claim sub in the setting request.jwt.claims. Null without claims. Whoever can run SQL can set the claims to anything: they must come from a verified token.

Errors: 22P02 if the claims cannot be read.';

CREATE FUNCTION clerk_fdw.current_org_id() RETURNS pg_catalog.text
  LANGUAGE c STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'current_org_id_wrapper';
COMMENT ON FUNCTION clerk_fdw.current_org_id() IS
'The id of the organization that is active in the current request''s session: the claim o.id or org_id. Null if there is none.

Errors: 22P02 if the claims cannot be read.';

CREATE FUNCTION clerk_fdw.current_org_role() RETURNS pg_catalog.text
  LANGUAGE c STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'current_org_role_wrapper';
COMMENT ON FUNCTION clerk_fdw.current_org_role() IS
'The user''s role in the active organization, always as in org:admin: the claim o.rol or org_role. Null if there is none.

Errors: 22P02 if the claims cannot be read.';

CREATE FUNCTION clerk_fdw.current_organizations(mirror integer) RETURNS pg_catalog.text[]
  LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'current_organizations_wrapper';
COMMENT ON FUNCTION clerk_fdw.current_organizations(integer) IS
'The ids of the organizations that the current user is a member of, by a mirror: none if the user is banned or deleted, and none that are deleted. If the mirror does not contain memberships, the active organization. Call it in a subquery in policies, so that it runs once for each query.

mirror: The mirror''s number in clerk_fdw.mirror_status.

Errors: 22P02 if the claims cannot be read.';

CREATE FUNCTION clerk_fdw.current_visible_user_ids(mirror integer, only_this pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.text[]
  LANGUAGE c STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'current_visible_user_ids_wrapper';
COMMENT ON FUNCTION clerk_fdw.current_visible_user_ids(integer, pg_catalog.text) IS
'The ids of the users whom the current user may see, by a mirror: the current user and the members of the organizations that clerk_fdw.current_organizations returns. Call it in a subquery in policies.

mirror: The mirror''s number in clerk_fdw.mirror_status.
only_this: Looks up this user alone: an array with the id if the current user may see them, else an empty one. Null returns all.

Errors: 22P02 if the claims cannot be read.';

CREATE FUNCTION clerk_fdw.enable_row_security(mirror pg_catalog.text, show_members boolean DEFAULT false) RETURNS void
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'enable_row_security_wrapper';
COMMENT ON FUNCTION clerk_fdw.enable_row_security(pg_catalog.text, boolean) IS
'Creates policies on a mirror''s tables and a view beside each of users, organizations and organization_memberships, such as visible_users. In the tables, people see themselves, their organizations and their memberships; in the views also a profile of the other members of their organizations. Nobody can write. Other policies and privileges stay as they are: readers need SELECT on the views, and EXECUTE on clerk_fdw.current_user_id, clerk_fdw.current_organizations and clerk_fdw.current_visible_user_ids.

mirror: The mirror''s name.
show_members: Whether the tables, too, show the rows of other members, with every column on which a role has SELECT.

Errors: 42704 if there is no such mirror, 42710 if something else has the name of a view, 55000 if row security is forced on a table.';

CREATE FUNCTION clerk_fdw.disable_row_security(mirror pg_catalog.text) RETURNS void
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'disable_row_security_wrapper';
COMMENT ON FUNCTION clerk_fdw.disable_row_security(pg_catalog.text) IS
'Drops the policies and views of clerk_fdw.enable_row_security, and disables row security where clerk_fdw has enabled it and no other policy is left: whoever has SELECT then sees all rows.

mirror: The mirror''s name.

Errors: 42704 if there is no such mirror or it belongs to another role.';
