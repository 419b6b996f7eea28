-- Functions that write to Clerk, and the one that checks a server. They use the key that the caller's queries on the
-- server use, and need USAGE on the server; all that change something need its option updatable as well.
--
-- What they change is at Clerk at once, and stays there if the transaction is rolled back.

-- Postgres loads this library at the latest when it plans a scan, which a plain INSERT does not have. But ON CONFLICT (slug) has to be
-- understood before that. The planner evaluates this immutable function, so that the library is there in time.
-- It is where the handler is, so that tables can have it whose owners have no rights in the schema clerk_fdw.
CREATE FUNCTION clerk_fdw_assigned_id() RETURNS pg_catalog.text
  LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'clerk_fdw_assigned_id_wrapper';
COMMENT ON FUNCTION clerk_fdw_assigned_id() IS
  'null: the default of the ids of imported tables, which Clerk assigns to new rows';

CREATE FUNCTION clerk_fdw.request(
  server pg_catalog.text, method pg_catalog.text, path pg_catalog.text, query pg_catalog.jsonb DEFAULT '{}',
  body pg_catalog.jsonb DEFAULT NULL
) RETURNS pg_catalog.jsonb LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'request_wrapper';
COMMENT ON FUNCTION clerk_fdw.request(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS
  'sends any request to Clerk''s Backend API, and returns the answer (null if it has no body): GET, POST, PATCH, PUT or DELETE, a path such as /users/user_2x/metadata, the query''s parameters, of which an array is sent once for each element, and the body. A POST whose answer is lost is not sent again; all others are. What is not read is not shown to mirrors';

CREATE FUNCTION clerk_fdw.ban_user(server pg_catalog.text, user_id pg_catalog.text) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ban_user_wrapper';
COMMENT ON FUNCTION clerk_fdw.ban_user(pg_catalog.text, pg_catalog.text) IS
  'bans a user from signing in, which ends all of the user''s sessions, and returns the user. Source: POST /users/{user_id}/ban';

CREATE FUNCTION clerk_fdw.unban_user(server pg_catalog.text, user_id pg_catalog.text) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'unban_user_wrapper';
COMMENT ON FUNCTION clerk_fdw.unban_user(pg_catalog.text, pg_catalog.text) IS
  'lets a banned user sign in again, and returns the user. Source: POST /users/{user_id}/unban';

CREATE FUNCTION clerk_fdw.lock_user(server pg_catalog.text, user_id pg_catalog.text) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'lock_user_wrapper';
COMMENT ON FUNCTION clerk_fdw.lock_user(pg_catalog.text, pg_catalog.text) IS
  'locks a user out until the lock expires or is removed, and returns the user. Source: POST /users/{user_id}/lock';

CREATE FUNCTION clerk_fdw.unlock_user(server pg_catalog.text, user_id pg_catalog.text) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'unlock_user_wrapper';
COMMENT ON FUNCTION clerk_fdw.unlock_user(pg_catalog.text, pg_catalog.text) IS
  'removes the lock of a user, and returns the user. Source: POST /users/{user_id}/unlock';

CREATE FUNCTION clerk_fdw.revoke_session(server pg_catalog.text, session_id pg_catalog.text) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'revoke_session_wrapper';
COMMENT ON FUNCTION clerk_fdw.revoke_session(pg_catalog.text, pg_catalog.text) IS
  'ends a session, so that its user is signed out there, and returns the session. Source: POST /sessions/{session_id}/revoke';

CREATE FUNCTION clerk_fdw.merge_user_metadata(
  server pg_catalog.text, user_id pg_catalog.text, public_metadata pg_catalog.jsonb DEFAULT NULL,
  private_metadata pg_catalog.jsonb DEFAULT NULL, unsafe_metadata pg_catalog.jsonb DEFAULT NULL
) RETURNS pg_catalog.jsonb LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'merge_user_metadata_wrapper';
COMMENT ON FUNCTION clerk_fdw.merge_user_metadata(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb) IS
  'merges members into a user''s metadata, at every depth, and returns the user; a member that is null is removed, all others stay. Source: PATCH /users/{user_id}/metadata';

CREATE FUNCTION clerk_fdw.merge_organization_metadata(
  server pg_catalog.text, organization_id pg_catalog.text, public_metadata pg_catalog.jsonb DEFAULT NULL,
  private_metadata pg_catalog.jsonb DEFAULT NULL
) RETURNS pg_catalog.jsonb LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'merge_organization_metadata_wrapper';
COMMENT ON FUNCTION clerk_fdw.merge_organization_metadata(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS
  'merges members into an organization''s metadata, at every depth, and returns the organization; a member that is null is removed, all others stay. Source: PATCH /organizations/{organization_id}/metadata';

CREATE FUNCTION clerk_fdw.ensure_organization(
  server pg_catalog.text, slug pg_catalog.text, name pg_catalog.text, created_by pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.jsonb LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ensure_organization_wrapper';
COMMENT ON FUNCTION clerk_fdw.ensure_organization(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text) IS
  'returns the organization that has a slug, unchanged, or makes it with this name, and with this user as its first admin. However often and by however many sessions at the same time it is called, there is one organization. Fails where the instance''s settings turn slugs off. Source: GET /organizations/{slug}, POST /organizations';

CREATE FUNCTION clerk_fdw.check_server(server pg_catalog.text) RETURNS TABLE (
  ok boolean, environment pg_catalog.text, instance_id pg_catalog.text, api_version pg_catalog.text,
  latency_ms double precision, remaining_budget integer, shared_budget boolean,
  error pg_catalog.text, hint pg_catalog.text
) LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'check_server_wrapper';
COMMENT ON FUNCTION clerk_fdw.check_server(pg_catalog.text) IS
  'asks Clerk for the instance that the key of the caller''s queries on a server belongs to, in one row: whether that worked, development or production, the instance''s id, the API version that is asked for, how long Clerk took in milliseconds, how many requests are left of rate_limit now, and whether all backends count together against it (else each one for itself); else the error and what to do about it. Source: GET /instance';
