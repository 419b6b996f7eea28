-- The test of a credential for a Postgres database, by dblink. The page is docs/recipes/credentials.md.
--
-- Run it as a superuser after credentials.sql.

CREATE EXTENSION IF NOT EXISTS dblink;
SELECT extnamespace::regnamespace AS schema FROM pg_extension WHERE extname = 'dblink' \gset dblink_
SET ROLE credentials_owner;

-- Where this server may connect to, as patterns of LIKE. What people enter as a host is an address in your network, seen
-- from your database server, until you say otherwise.
CREATE TABLE credentials.allowed_hosts (pattern text PRIMARY KEY);

CREATE FUNCTION credentials.quoted(value text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN '''' || replace(replace(value, '\', '\\'), '''', '\''') || '''';

-- Connects with what a ticket of request_test stands for. Returns null if that works, else what went wrong. As the owner is
-- no superuser, dblink insists that the other server really asks for the password.
CREATE FUNCTION credentials.test_postgres(ticket uuid, keys text[] DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, :"dblink_schema", pg_temp AS $$
DECLARE
  secret text := credentials.reveal(ticket, keys);
  settings jsonb := (SELECT s.settings FROM credentials.stored s JOIN credentials.audit a USING (credential_id)
                      WHERE a.entry = ticket);
  host text := coalesce(settings ->> 'host', '');
  message text;
  detail text;
BEGIN
  IF host LIKE '%,%' OR NOT EXISTS (SELECT FROM credentials.allowed_hosts WHERE host LIKE pattern) THEN
    RETURN format('connections to %L are not allowed', host);
  END IF;
  PERFORM dblink_connect('credentials.test_postgres'::text, format(
    'host=%s port=%s dbname=%s user=%s password=%s sslmode=require connect_timeout=5', credentials.quoted(host),
    credentials.quoted(coalesce(settings ->> 'port', '5432')), credentials.quoted(coalesce(settings ->> 'dbname', 'postgres')),
    credentials.quoted(coalesce(settings ->> 'user', 'postgres')), credentials.quoted(secret)));
  PERFORM dblink_disconnect('credentials.test_postgres'::text);
  RETURN NULL;
EXCEPTION WHEN sqlclient_unable_to_establish_sqlconnection OR insufficient_privilege OR sqlstate '2F003' THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
  RETURN concat_ws(': ', message, nullif(detail, ''));
END $$;
REVOKE ALL ON FUNCTION credentials.test_postgres, credentials.quoted FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credentials.test_postgres TO credentials_worker;
RESET ROLE;
