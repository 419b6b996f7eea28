-- Row security for applications: functions for the user behind a request and for the rows of a mirror that this user
-- may see.
--
-- PostgREST and Supabase verify the token that Clerk has signed, and set its claims for the transaction.

CREATE FUNCTION clerk_fdw.current_user_id() RETURNS pg_catalog.text
  LANGUAGE c STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'current_user_id_wrapper';
COMMENT ON FUNCTION clerk_fdw.current_user_id() IS 'the id of the Clerk user that this request is from, by the claim sub';

CREATE FUNCTION clerk_fdw.current_org_id() RETURNS pg_catalog.text
  LANGUAGE c STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'current_org_id_wrapper';
COMMENT ON FUNCTION clerk_fdw.current_org_id() IS
  'the id of the organization that is active in this request''s session, from the claim o.id or org_id';

CREATE FUNCTION clerk_fdw.current_org_role() RETURNS pg_catalog.text
  LANGUAGE c STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'current_org_role_wrapper';
COMMENT ON FUNCTION clerk_fdw.current_org_role() IS
  'the user''s role in the active organization, from the claim o.rol or org_role, always as in org:admin';

CREATE FUNCTION clerk_fdw.current_organizations(mirror integer) RETURNS pg_catalog.text[]
  LANGUAGE c STABLE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'current_organizations_wrapper';
COMMENT ON FUNCTION clerk_fdw.current_organizations(integer) IS
  'the organizations that the current user is a member of, by the mirror of this number: none if the user is banned or deleted, and none that are deleted; where it has no memberships, the active one';

CREATE FUNCTION clerk_fdw.current_visible_user_ids(mirror integer, only_this pg_catalog.text DEFAULT NULL) RETURNS pg_catalog.text[]
  LANGUAGE c STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
  AS 'MODULE_PATHNAME', 'current_visible_user_ids_wrapper';
COMMENT ON FUNCTION clerk_fdw.current_visible_user_ids(integer, pg_catalog.text) IS
  'the members of the organizations that the current user is a member of, and the current user, by the mirror of this number; with only_this, that one of them or nobody';

CREATE FUNCTION clerk_fdw.enable_row_security(mirror pg_catalog.text, show_members boolean DEFAULT false) RETURNS void
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'enable_row_security_wrapper';
COMMENT ON FUNCTION clerk_fdw.enable_row_security(pg_catalog.text, boolean) IS
  'makes policies on a mirror''s tables and a view beside each, such as visible_users: in the tables people see themselves, their organizations and their memberships; in the views also what a profile shows of the members of their organizations. show_members: in the tables too, every column of it. Nobody writes. Other policies and privileges stay as they are: whoever is to read needs SELECT on the views, and EXECUTE on current_user_id, current_organizations and current_visible_user_ids';

CREATE FUNCTION clerk_fdw.disable_row_security(mirror pg_catalog.text) RETURNS void
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'disable_row_security_wrapper';
COMMENT ON FUNCTION clerk_fdw.disable_row_security(pg_catalog.text) IS
  'removes the policies and views that clerk_fdw.enable_row_security made, and switches row security off where clerk_fdw switched it on and no other policy is left: whoever has SELECT sees all rows then';
