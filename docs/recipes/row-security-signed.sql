-- Row security for connections whose claims are not trusted: the database verifies the token itself. The page is docs/recipes/row-security.md.
--
-- Run it as a superuser after row-security.sql. It needs pgcrypto, and tokens of a JWT template that Clerk signs with a key
-- of yours (HS256).

CREATE EXTENSION IF NOT EXISTS pgcrypto;
SELECT extnamespace::regnamespace AS schema FROM pg_extension WHERE extname = 'pgcrypto' \gset pgcrypto_

CREATE ROLE workspace_verifier NOLOGIN;
CREATE SCHEMA workspace_verifier AUTHORIZATION workspace_verifier;
SET ROLE workspace_verifier;
CREATE TABLE workspace_verifier.signing_keys (key text PRIMARY KEY CHECK (length(key) >= 32));

CREATE FUNCTION workspace_verifier.base64url(value text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT
RETURN decode(rpad(translate(value, '-_', '+/'), (length(value) + 3) / 4 * 4, '='), 'base64');

-- Whether request.jwt is a token that one of the keys has signed, that has not expired, and whose claims are those in
-- request.jwt.claims. The token's own header, in which an attacker could ask for another algorithm, is not read.
CREATE FUNCTION workspace_verifier.is_verified() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  parts text[] := string_to_array(current_setting('request.jwt', true), '.');
  claims jsonb;
BEGIN
  IF cardinality(parts) IS DISTINCT FROM 3 OR NOT EXISTS (
    -- Compared by their hashes, so that the time it takes tells nothing about the signature.
    SELECT FROM workspace_verifier.signing_keys
     WHERE sha256(workspace_verifier.signature(parts[1] || '.' || parts[2], key))
         = sha256(workspace_verifier.base64url(parts[3])))
  THEN
    RETURN false;
  END IF;
  claims := convert_from(workspace_verifier.base64url(parts[2]), 'UTF8');
  RETURN coalesce(claims = nullif(current_setting('request.jwt.claims', true), '')::jsonb
    AND (claims ->> 'exp')::numeric > extract(epoch FROM clock_timestamp())
    AND coalesce((claims ->> 'nbf')::numeric, 0) <= extract(epoch FROM clock_timestamp()), false);
END $$;
CREATE FUNCTION workspace_verifier.signature(message text, key text) RETURNS bytea LANGUAGE sql IMMUTABLE
RETURN :"pgcrypto_schema".hmac(convert_to(message, 'UTF8'), convert_to(key, 'UTF8'), 'sha256');

GRANT USAGE ON SCHEMA workspace_verifier TO workspace_owner, workspace_request;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA workspace_verifier FROM PUBLIC;
GRANT EXECUTE ON FUNCTION workspace_verifier.is_verified TO workspace_owner, workspace_request;
SET ROLE workspace_owner;

-- One more restrictive policy on each table.
CREATE POLICY verified ON workspace.projects AS RESTRICTIVE USING ((SELECT workspace_verifier.is_verified()));
CREATE POLICY verified ON workspace.tasks AS RESTRICTIVE USING ((SELECT workspace_verifier.is_verified()));
RESET ROLE;
