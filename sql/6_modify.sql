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
'Null. It is the default of the ids of imported tables, which Clerk assigns to new rows, and makes sure that the extension is loaded before ON CONFLICT is planned.';

CREATE FUNCTION clerk_fdw.request(
  server pg_catalog.text, method pg_catalog.text, path pg_catalog.text, query pg_catalog.jsonb DEFAULT '{}',
  body pg_catalog.jsonb DEFAULT NULL
) RETURNS pg_catalog.jsonb LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'request_wrapper';
COMMENT ON FUNCTION clerk_fdw.request(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS
'Sends any request to Clerk''s Backend API, and returns the answer; null if it has no body. A POST whose answer is lost is not repeated, all others are. The answer is not shown to mirrors. The server needs the option updatable for all methods but GET.

server: The foreign server, whose key is used. The caller needs USAGE on it.
method: GET, POST, PATCH, PUT or DELETE.
path: The path below the API''s URL, such as /users/user_2x/metadata.
query: The parameters of the query; an array is sent once for each element.
body: The body; null sends none.

Errors: 22023 for a path that leaves the API or a method that there is not, 55000 if the server is not updatable, 08007 if the answer to a POST was lost, HV000 if Clerk refuses the request, and those of a query on a foreign table.';

CREATE FUNCTION clerk_fdw.ban_user(server pg_catalog.text, user_id pg_catalog.text) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ban_user_wrapper';
COMMENT ON FUNCTION clerk_fdw.ban_user(pg_catalog.text, pg_catalog.text) IS
'Bans a user from signing in, which ends all of the user''s sessions, and returns the user. Request: POST /users/{user_id}/ban.

server: The foreign server, whose key is used. It needs the option updatable, and the caller USAGE on it.
user_id: The user''s id.

Errors: 55000 if the server is not updatable, HV000 if Clerk refuses it, for example because there is no such user.';

CREATE FUNCTION clerk_fdw.unban_user(server pg_catalog.text, user_id pg_catalog.text) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'unban_user_wrapper';
COMMENT ON FUNCTION clerk_fdw.unban_user(pg_catalog.text, pg_catalog.text) IS
'Lets a banned user sign in again, and returns the user. Request: POST /users/{user_id}/unban.

server: The foreign server, whose key is used. It needs the option updatable, and the caller USAGE on it.
user_id: The user''s id.

Errors: 55000 if the server is not updatable, HV000 if Clerk refuses it, for example because there is no such user.';

CREATE FUNCTION clerk_fdw.lock_user(server pg_catalog.text, user_id pg_catalog.text) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'lock_user_wrapper';
COMMENT ON FUNCTION clerk_fdw.lock_user(pg_catalog.text, pg_catalog.text) IS
'Locks a user out until the lock expires or is removed, and returns the user. Request: POST /users/{user_id}/lock.

server: The foreign server, whose key is used. It needs the option updatable, and the caller USAGE on it.
user_id: The user''s id.

Errors: 55000 if the server is not updatable, HV000 if Clerk refuses it, for example because there is no such user.';

CREATE FUNCTION clerk_fdw.unlock_user(server pg_catalog.text, user_id pg_catalog.text) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'unlock_user_wrapper';
COMMENT ON FUNCTION clerk_fdw.unlock_user(pg_catalog.text, pg_catalog.text) IS
'Removes the lock of a user, and returns the user. Request: POST /users/{user_id}/unlock.

server: The foreign server, whose key is used. It needs the option updatable, and the caller USAGE on it.
user_id: The user''s id.

Errors: 55000 if the server is not updatable, HV000 if Clerk refuses it, for example because there is no such user.';

CREATE FUNCTION clerk_fdw.revoke_session(server pg_catalog.text, session_id pg_catalog.text) RETURNS pg_catalog.jsonb
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'revoke_session_wrapper';
COMMENT ON FUNCTION clerk_fdw.revoke_session(pg_catalog.text, pg_catalog.text) IS
'Ends a session, so that its user is signed out there, and returns the session. Request: POST /sessions/{session_id}/revoke.

server: The foreign server, whose key is used. It needs the option updatable, and the caller USAGE on it.
session_id: The session''s id.

Errors: 55000 if the server is not updatable, HV000 if Clerk refuses it, for example because there is no such session.';

CREATE FUNCTION clerk_fdw.merge_user_metadata(
  server pg_catalog.text, user_id pg_catalog.text, public_metadata pg_catalog.jsonb DEFAULT NULL,
  private_metadata pg_catalog.jsonb DEFAULT NULL, unsafe_metadata pg_catalog.jsonb DEFAULT NULL
) RETURNS pg_catalog.jsonb LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'merge_user_metadata_wrapper';
COMMENT ON FUNCTION clerk_fdw.merge_user_metadata(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.jsonb) IS
'Merges members into a user''s metadata, at every depth, and returns the user. A member that is null is removed; members that are not given stay. Request: PATCH /users/{user_id}/metadata.

server: The foreign server, whose key is used. It needs the option updatable, and the caller USAGE on it.
user_id: The user''s id.
public_metadata: What is merged into the metadata that the user''s own frontend can read; null leaves it as it is.
private_metadata: The same for the metadata that only the backend can read.
unsafe_metadata: The same for the metadata that the user can write.

Errors: 55000 if the server is not updatable, HV000 if Clerk refuses it, for example because there is no such user. 22023 if no metadata is given or it is not a JSON object.';

CREATE FUNCTION clerk_fdw.merge_organization_metadata(
  server pg_catalog.text, organization_id pg_catalog.text, public_metadata pg_catalog.jsonb DEFAULT NULL,
  private_metadata pg_catalog.jsonb DEFAULT NULL
) RETURNS pg_catalog.jsonb LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'merge_organization_metadata_wrapper';
COMMENT ON FUNCTION clerk_fdw.merge_organization_metadata(pg_catalog.text, pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) IS
'Merges members into an organization''s metadata, at every depth, and returns the organization. A member that is null is removed; members that are not given stay. Request: PATCH /organizations/{organization_id}/metadata.

server: The foreign server, whose key is used. It needs the option updatable, and the caller USAGE on it.
organization_id: The organization''s id.
public_metadata: What is merged into the metadata that members can read; null leaves it as it is.
private_metadata: The same for the metadata that only the backend can read.

Errors: 55000 if the server is not updatable, HV000 if Clerk refuses it, for example because there is no such organization. 22023 if no metadata is given or it is not a JSON object.';

CREATE FUNCTION clerk_fdw.ensure_organization(
  server pg_catalog.text, slug pg_catalog.text, name pg_catalog.text, created_by pg_catalog.text DEFAULT NULL
) RETURNS pg_catalog.jsonb LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'ensure_organization_wrapper';
COMMENT ON FUNCTION clerk_fdw.ensure_organization(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text) IS
'Returns the organization that has a slug, unchanged, or creates it. However often and by however many sessions at once it is called, there is one organization. Requests: GET /organizations/{slug} and POST /organizations.

server: The foreign server, whose key is used. It needs the option updatable, and the caller USAGE on it.
slug: The slug.
name: The name of a new organization.
created_by: The id of the user who becomes the first admin of a new organization; null for none.

Errors: 22023 if the instance''s settings turn slugs off, 55000 if the server is not updatable, HV000 if Clerk refuses it, for example because there is no such user.';

CREATE FUNCTION clerk_fdw.check_server(server pg_catalog.text) RETURNS TABLE (
  ok boolean, environment pg_catalog.text, instance_id pg_catalog.text, api_version pg_catalog.text,
  latency_ms double precision, remaining_budget integer, shared_budget boolean,
  error pg_catalog.text, hint pg_catalog.text
) LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'check_server_wrapper';
COMMENT ON FUNCTION clerk_fdw.check_server(pg_catalog.text) IS
'Checks that a server works: asks Clerk for the instance that the key of the caller''s queries belongs to. Returns one row, also if that fails. Request: GET /instance.

server: The foreign server. The caller needs USAGE on it.
ok: Whether Clerk answered.
environment: development or production; null if Clerk did not answer.
instance_id: The id of the Clerk instance; null if Clerk did not answer.
api_version: The version of the API that is asked for.
latency_ms: How long Clerk took, in milliseconds.
remaining_budget: How many requests are left of rate_limit at the moment.
shared_budget: Whether all backends count together against rate_limit; false if each counts for itself.
error: The error; null if there was none.
hint: What to do about the error.

Errors: 42704 if there is no such server, 42501 without USAGE on it, 42809 if it is not one of clerk_fdw.';
