-- Credentials of organizations for third-party services: encrypted, tested before they are used, and audited. The page is
-- docs/recipes/credentials.md.
--
-- Run it as a superuser where the mirror app exists. It needs pgcrypto.

CREATE EXTENSION IF NOT EXISTS pgcrypto;
SELECT extnamespace::regnamespace AS schema FROM pg_extension WHERE extname = 'pgcrypto' \gset pgcrypto_

-- The owner of everything here, the role that people's requests run as, and the role that your jobs run as. The last two
-- may only call the functions that are granted at the end.
CREATE ROLE credentials_owner NOLOGIN;
CREATE ROLE credentials_request NOLOGIN;
CREATE ROLE credentials_worker NOLOGIN;
CREATE SCHEMA credentials AUTHORIZATION credentials_owner;

-- The owner reads in the mirror who is an admin.
GRANT USAGE ON SCHEMA app, clerk_fdw TO credentials_owner;
GRANT SELECT (user_id, organization_id, role, deleted_at) ON app.organization_memberships TO credentials_owner;
GRANT SELECT (user_id, banned, deleted_at) ON app.users TO credentials_owner;
GRANT SELECT (organization_id, deleted_at) ON app.organizations TO credentials_owner;
CREATE POLICY credentials ON app.organization_memberships FOR SELECT TO credentials_owner USING (true);
CREATE POLICY credentials ON app.users FOR SELECT TO credentials_owner USING (true);
CREATE POLICY credentials ON app.organizations FOR SELECT TO credentials_owner USING (true);
GRANT EXECUTE ON FUNCTION clerk_fdw.current_user_id TO credentials_owner;
SELECT to_regclass('vault.decrypted_secrets') IS NOT NULL AS has_vault \gset
\if :has_vault
GRANT USAGE ON SCHEMA vault TO credentials_owner;
GRANT SELECT ON vault.decrypted_secrets TO credentials_owner;
SELECT format('GRANT EXECUTE ON FUNCTION %s TO credentials_owner', oid::regprocedure) FROM pg_proc
 WHERE pronamespace = 'vault'::regnamespace AND proname = '_crypto_aead_det_decrypt' \gexec
\endif
SET ROLE credentials_owner;

CREATE TABLE credentials.stored (
  credential_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id text NOT NULL,
  service text NOT NULL,
  name text NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'active')),
  settings jsonb NOT NULL DEFAULT '{}',
  ciphertext bytea NOT NULL,
  key_id text NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  activated_at timestamptz,
  UNIQUE (organization_id, service, name, state)
);
COMMENT ON COLUMN credentials.stored.settings IS 'what is not secret, such as a host';
COMMENT ON COLUMN credentials.stored.key_id IS 'which master key encrypted it';
CREATE INDEX ON credentials.stored (key_id);

-- Who did what. Nobody changes or removes an entry.
CREATE TABLE credentials.audit (
  entry uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  action text NOT NULL,
  credential_id uuid NOT NULL,
  organization_id text NOT NULL,
  service text NOT NULL,
  name text NOT NULL,
  user_id text,
  login name NOT NULL DEFAULT session_user,
  detail text,
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX ON credentials.audit (organization_id, at);
CREATE INDEX ON credentials.audit (credential_id, at);
CREATE FUNCTION credentials.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE insufficient_privilege USING MESSAGE = 'the audit trail is append-only';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON credentials.audit
  FOR EACH STATEMENT EXECUTE FUNCTION credentials.refuse_change();

CREATE FUNCTION credentials.note(action text, credential credentials.stored, detail text DEFAULT NULL) RETURNS uuid
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  INSERT INTO credentials.audit (action, credential_id, organization_id, service, name, user_id, detail)
  VALUES (action, (credential).credential_id, (credential).organization_id, (credential).service, (credential).name, clerk_fdw.current_user_id(), detail)
  RETURNING entry;
END;

-- Master keys: those given with the call, newest first, else those in Vault.
\if :has_vault
CREATE FUNCTION credentials.keys_in_vault() RETURNS text[] LANGUAGE sql STABLE
RETURN (SELECT array_agg(decrypted_secret ORDER BY created_at DESC) FROM vault.decrypted_secrets
         WHERE starts_with(name, 'credentials_key_'));
\else
CREATE FUNCTION credentials.keys_in_vault() RETURNS text[] LANGUAGE sql STABLE RETURN NULL::text[];
\endif
CREATE FUNCTION credentials.keys(given text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  keys text[] := coalesce(given, credentials.keys_in_vault());
BEGIN
  IF coalesce(cardinality(keys), 0) = 0 OR EXISTS (SELECT FROM unnest(keys) key WHERE coalesce(length(key), 0) < 32) THEN
    RAISE invalid_parameter_value USING MESSAGE = 'a master key of at least 32 characters is needed',
      HINT = 'Make one with: openssl rand -hex 32';
  END IF;
  RETURN keys;
END $$;
-- A name for a key that tells nothing about it.
CREATE FUNCTION credentials.key_id(key text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN left(encode(sha256(convert_to('clerk_fdw credentials ' || key, 'UTF8')), 'hex'), 12);

-- What is encrypted says whose secret it is, so that a ciphertext copied to another row is of no use there.
CREATE FUNCTION credentials.seal(secret text, credential_id uuid, organization_id text, key text) RETURNS bytea
LANGUAGE sql
RETURN :"pgcrypto_schema".pgp_sym_encrypt(
  jsonb_build_object('of', credential_id || ' ' || organization_id, 'secret', secret)::text, key, 'cipher-algo=aes256');
CREATE FUNCTION credentials.decrypt(ciphertext bytea, key text) RETURNS jsonb LANGUAGE sql
RETURN :"pgcrypto_schema".pgp_sym_decrypt(ciphertext, key)::jsonb;
CREATE FUNCTION credentials.unseal(credential credentials.stored, keys text[]) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  key text := (SELECT k FROM unnest(keys) k WHERE credentials.key_id(k) = (credential).key_id LIMIT 1);
  opened jsonb;
BEGIN
  IF key IS NULL THEN
    RAISE invalid_parameter_value USING MESSAGE = format('the master key %s is needed', (credential).key_id);
  END IF;
  opened := credentials.decrypt((credential).ciphertext, key);
  IF opened ->> 'of' IS DISTINCT FROM (credential).credential_id || ' ' || (credential).organization_id THEN
    RAISE data_corrupted USING MESSAGE = format('credential %s holds the ciphertext of another one', (credential).credential_id);
  END IF;
  RETURN opened ->> 'secret';
END $$;

-- Fails unless the user behind the request is an admin of the organization, by the mirror.
CREATE FUNCTION credentials.require_admin(organization_id text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM app.organization_memberships m
      JOIN app.users u ON u.user_id = m.user_id AND u.deleted_at IS NULL AND u.banned IS NOT TRUE
      JOIN app.organizations o ON o.organization_id = m.organization_id AND o.deleted_at IS NULL
     WHERE m.user_id = clerk_fdw.current_user_id() AND m.organization_id = require_admin.organization_id
       AND m.role = 'org:admin' AND m.deleted_at IS NULL)
  THEN
    RAISE insufficient_privilege USING MESSAGE = 'only admins of the organization may do this';
  END IF;
END $$;

--
-- For requests of people, with request.jwt.claims set
--

-- Stores a secret as pending. The active one, if there is one, stays in use until the new one is confirmed.
CREATE FUNCTION credentials.store(
  organization_id text, service text, name text, secret text, settings jsonb DEFAULT '{}', keys text[] DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  key text := (credentials.keys(keys))[1];
  new credentials.stored;
BEGIN
  PERFORM credentials.require_admin(organization_id);
  IF coalesce(secret, '') = '' THEN
    RAISE null_value_not_allowed USING MESSAGE = 'a secret is needed';
  END IF;
  DELETE FROM credentials.stored s WHERE s.state = 'pending'
     AND (s.organization_id, s.service, s.name) = (store.organization_id, store.service, store.name);
  new.credential_id := gen_random_uuid();
  INSERT INTO credentials.stored (credential_id, organization_id, service, name, settings, ciphertext, key_id, created_by)
  VALUES (new.credential_id, organization_id, service, name, settings,
          credentials.seal(secret, new.credential_id, organization_id, key), credentials.key_id(key), clerk_fdw.current_user_id())
  RETURNING * INTO new;
  PERFORM credentials.note('stored', new);
  RETURN new.credential_id;
END $$;

CREATE FUNCTION credentials.remove(credential_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  old credentials.stored := credentials.of_own_organization(credential_id);
BEGIN
  DELETE FROM credentials.stored s WHERE s.credential_id = old.credential_id;
  PERFORM credentials.note('removed', old);
END $$;

CREATE FUNCTION credentials.list(organization_id text) RETURNS TABLE (
  credential_id uuid, service text, name text, state text, settings jsonb, created_by text, created_at timestamptz,
  last_used_at timestamptz
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM credentials.require_admin(organization_id);
  RETURN QUERY SELECT s.credential_id, s.service, s.name, s.state, s.settings, s.created_by, s.created_at,
      (SELECT max(a.at) FROM credentials.audit a WHERE a.credential_id = s.credential_id AND a.action = 'use')
    FROM credentials.stored s WHERE s.organization_id = list.organization_id ORDER BY s.service, s.name, s.state;
END $$;

-- Announces that the user wants to see a secret. What it returns is for reveal, in another transaction.
CREATE FUNCTION credentials.request_reveal(credential_id uuid, reason text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN credentials.note('reveal', credentials.of_own_organization(credential_id), reason);
END $$;

CREATE FUNCTION credentials.of_own_organization(credential_id uuid) RETURNS credentials.stored
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_one credentials.stored;
BEGIN
  SELECT * INTO found_one FROM credentials.stored s WHERE s.credential_id = of_own_organization.credential_id FOR UPDATE;
  -- The same error where there is no such credential: its id tells nothing.
  PERFORM credentials.require_admin(found_one.organization_id);
  RETURN found_one;
END $$;

--
-- For jobs
--

-- Announces that a job is going to use the active secret, or to test a pending one.
CREATE FUNCTION credentials.request_use(organization_id text, service text, name text, purpose text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  active credentials.stored;
BEGIN
  SELECT * INTO active FROM credentials.stored s WHERE s.state = 'active'
     AND (s.organization_id, s.service, s.name) = (request_use.organization_id, request_use.service, request_use.name);
  IF NOT FOUND THEN
    RAISE no_data_found USING MESSAGE = format('organization %s has no active credential %L for %L', organization_id, name, service);
  END IF;
  RETURN credentials.note('use', active, purpose);
END $$;
CREATE FUNCTION credentials.request_test(credential_id uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  pending credentials.stored;
BEGIN
  SELECT * INTO pending FROM credentials.stored s
   WHERE s.credential_id = request_test.credential_id AND s.state = 'pending';
  IF NOT FOUND THEN
    RAISE no_data_found USING MESSAGE = format('there is no pending credential %s', credential_id);
  END IF;
  RETURN credentials.note('test', pending);
END $$;

-- The secret that was announced, within a minute, by the same user and login. The announcement must have been committed:
-- in one transaction a ROLLBACK would take it back, and the secret would have been read without a trace.
CREATE FUNCTION credentials.reveal(ticket uuid, keys text[] DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  announced credentials.stored;
BEGIN
  SELECT s.* INTO announced FROM credentials.audit a JOIN credentials.stored s USING (credential_id)
   WHERE a.entry = ticket AND a.action IN ('reveal', 'use', 'test') AND a.at > clock_timestamp() - interval '1 minute'
     AND a.user_id IS NOT DISTINCT FROM clerk_fdw.current_user_id() AND a.login = session_user
     AND a.transaction <> pg_current_xact_id();
  IF NOT FOUND THEN
    RAISE insufficient_privilege USING MESSAGE = 'the secret was not announced',
      HINT = 'Call request_reveal, request_use or request_test, commit, and call reveal with its result within a minute.';
  END IF;
  RETURN credentials.unseal(announced, credentials.keys(keys));
END $$;

-- Says how the test of a pending credential ended. If it works it replaces the active one, else it is deleted.
CREATE FUNCTION credentials.confirm(credential_id uuid, works boolean, detail text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  tested credentials.stored;
  old credentials.stored;
BEGIN
  SELECT * INTO tested FROM credentials.stored s
   WHERE s.credential_id = confirm.credential_id AND s.state = 'pending' FOR UPDATE;
  IF NOT FOUND THEN
    RAISE no_data_found USING MESSAGE = format('there is no pending credential %s', credential_id);
  ELSIF works THEN
    DELETE FROM credentials.stored s WHERE s.state = 'active'
       AND (s.organization_id, s.service, s.name) = (tested.organization_id, tested.service, tested.name)
    RETURNING * INTO old;
    IF FOUND THEN
      PERFORM credentials.note('replaced', old);
    END IF;
    UPDATE credentials.stored s SET state = 'active', activated_at = now() WHERE s.credential_id = tested.credential_id;
    PERFORM credentials.note('activated', tested, detail);
  ELSE
    DELETE FROM credentials.stored s WHERE s.credential_id = tested.credential_id;
    PERFORM credentials.note('refused', tested, detail);
  END IF;
END $$;

-- Encrypts up to so many secrets with the first of the keys that are encrypted with another one, and returns their number.
CREATE FUNCTION credentials.rotate_key(up_to integer DEFAULT 1000, keys text[] DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  all_keys text[] := credentials.keys(keys);
  new_key text := all_keys[1];
  one credentials.stored;
  done integer := 0;
BEGIN
  FOR one IN SELECT * FROM credentials.stored WHERE key_id <> credentials.key_id(new_key)
              ORDER BY credential_id LIMIT up_to FOR UPDATE SKIP LOCKED
  LOOP
    UPDATE credentials.stored s SET key_id = credentials.key_id(new_key),
        ciphertext = credentials.seal(credentials.unseal(one, all_keys), one.credential_id, one.organization_id, new_key)
     WHERE s.credential_id = one.credential_id;
    PERFORM credentials.note('rotated', one, credentials.key_id(new_key));
    done := done + 1;
  END LOOP;
  RETURN done;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA credentials FROM PUBLIC;
GRANT USAGE ON SCHEMA credentials TO credentials_request, credentials_worker;
GRANT EXECUTE ON FUNCTION credentials.store, credentials.remove, credentials.list, credentials.request_reveal,
  credentials.reveal TO credentials_request;
GRANT EXECUTE ON FUNCTION credentials.request_use, credentials.request_test, credentials.reveal, credentials.confirm,
  credentials.rotate_key TO credentials_worker;
RESET ROLE;
