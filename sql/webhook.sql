-- Webhooks: the secrets that verify them, what came, and what is known to be deleted.
--
-- clerk_fdw.receive_webhook and clerk_fdw.webhook are for roles that have no rights in a mirror: the signature says
-- whose the delivery is. They read the secrets and write the log with the rights of these tables' owner, and apply
-- the event with those of the mirror's owner. Their search_path is fixed, so that the caller's cannot decide what
-- runs with the rights of others.

CREATE TABLE clerk_fdw.webhook_secret (
  mirror name REFERENCES clerk_fdw.mirror ON UPDATE CASCADE ON DELETE CASCADE,
  id bigint GENERATED ALWAYS AS IDENTITY,
  secret text,
  vault_name text,
  added_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (mirror, id),
  CHECK (num_nonnulls(secret, vault_name) = 1)
);
COMMENT ON TABLE clerk_fdw.webhook_secret IS
  'the signing secrets of each mirror''s webhooks; several at once while one is being replaced';
COMMENT ON COLUMN clerk_fdw.webhook_secret.secret IS 'the secret itself: whsec_ followed by base64';
COMMENT ON COLUMN clerk_fdw.webhook_secret.vault_name IS 'or its name in Vault, read with the rights of the mirror''s owner';

CREATE TABLE clerk_fdw.webhook_event (
  mirror name REFERENCES clerk_fdw.mirror ON UPDATE CASCADE ON DELETE CASCADE,
  id text,
  type text NOT NULL,
  object text,
  object_id text,
  happened_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  revalidate boolean NOT NULL DEFAULT false,
  outcome text NOT NULL,
  reason text,
  body text,
  PRIMARY KEY (mirror, id)
);
CREATE INDEX ON clerk_fdw.webhook_event (mirror, received_at);
CREATE INDEX ON clerk_fdw.webhook_event (mirror, received_at) WHERE outcome = 'failed';
COMMENT ON TABLE clerk_fdw.webhook_event IS
  'every webhook that was verified, claimed by its id; clerk_fdw.webhook_events shows it';
COMMENT ON COLUMN clerk_fdw.webhook_event.id IS 'the header svix-id, the same in every attempt to deliver the event';
COMMENT ON COLUMN clerk_fdw.webhook_event.revalidate IS 'whether Clerk is to be asked for the object';
COMMENT ON COLUMN clerk_fdw.webhook_event.body IS 'kept while the event has failed, and if the mirror keeps bodies';

CREATE TABLE clerk_fdw.tombstone (
  mirror name REFERENCES clerk_fdw.mirror ON UPDATE CASCADE ON DELETE CASCADE,
  object text,
  id text,
  deleted_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (mirror, object, id)
);
CREATE INDEX ON clerk_fdw.tombstone (mirror, recorded_at);
COMMENT ON TABLE clerk_fdw.tombstone IS 'objects that are known to be deleted, so that nothing older brings them back';
COMMENT ON COLUMN clerk_fdw.tombstone.deleted_at IS 'when Clerk deleted it, or when it was found to be gone';

ALTER TABLE clerk_fdw.mirror ADD COLUMN keep_webhook_bodies boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN clerk_fdw.mirror.keep_webhook_bodies IS 'whether the bodies of webhooks stay in clerk_fdw.webhook_event';

CREATE SEQUENCE clerk_fdw.webhook_refusals MINVALUE 0;
SELECT pg_catalog.setval('clerk_fdw.webhook_refusals', 0);
COMMENT ON SEQUENCE clerk_fdw.webhook_refusals IS
  'last_value is the number of deliveries that were refused; a sequence, because the refusal undoes all that it writes';

ALTER TABLE clerk_fdw.webhook_secret ENABLE ROW LEVEL SECURITY;
ALTER TABLE clerk_fdw.webhook_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE clerk_fdw.tombstone ENABLE ROW LEVEL SECURITY;
CREATE POLICY ours ON clerk_fdw.webhook_secret USING (mirror IN (SELECT m.mirror FROM clerk_fdw.mirror m));
CREATE POLICY ours ON clerk_fdw.webhook_event USING (mirror IN (SELECT m.mirror FROM clerk_fdw.mirror m));
CREATE POLICY ours ON clerk_fdw.tombstone USING (mirror IN (SELECT m.mirror FROM clerk_fdw.mirror m));

SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.webhook_secret', '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.webhook_secret_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.webhook_event', '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.tombstone', '');
SELECT pg_catalog.pg_extension_config_dump('clerk_fdw.webhook_refusals', '');

CREATE VIEW clerk_fdw.webhook_events AS
  SELECT e.id, e.mirror, e.type, e.object, e.object_id, e.received_at, e.outcome, e.reason
    FROM clerk_fdw.webhook_event e JOIN clerk_fdw.mirror m USING (mirror)
   WHERE clerk_fdw.is_ours(m.owner);
COMMENT ON VIEW clerk_fdw.webhook_events IS
  'the webhooks that were verified, kept for clerk_fdw.log_retention and at least 7 days. outcome: applied, stale (older than what is known), ignored (nothing of the mirror), failed (clerk_fdw.retry_webhooks and every sync try it again)';

CREATE FUNCTION clerk_fdw.check_webhook_secret(secret text) RETURNS void
  LANGUAGE c AS 'MODULE_PATHNAME', 'check_webhook_secret_wrapper';
COMMENT ON FUNCTION clerk_fdw.check_webhook_secret(text) IS 'raises an error, which does not show it, for what is no signing secret';

CREATE FUNCTION clerk_fdw.add_webhook_secret(mirror text, secret text DEFAULT NULL, vault_name text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  added bigint;
BEGIN
  IF num_nonnulls(secret, vault_name) <> 1 THEN
    RAISE EXCEPTION 'either secret or vault_name is to be given' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF NOT EXISTS (SELECT FROM clerk_fdw.mirror m WHERE m.mirror = add_webhook_secret.mirror) THEN
    RAISE EXCEPTION 'mirror "%" does not exist', mirror USING ERRCODE = 'undefined_object';
  END IF;
  IF secret IS NOT NULL THEN
    PERFORM clerk_fdw.check_webhook_secret(secret);
  END IF;
  INSERT INTO clerk_fdw.webhook_secret (mirror, secret, vault_name) VALUES (mirror, secret, vault_name)
    RETURNING id INTO added;
  RETURN added;
END $$;
COMMENT ON FUNCTION clerk_fdw.add_webhook_secret(text, text, text) IS
  'adds a signing secret for a mirror''s webhooks, or its name in Vault, beside those that are there, and returns its id';

CREATE FUNCTION clerk_fdw.remove_webhook_secret(mirror text, id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM clerk_fdw.webhook_secret s
   WHERE s.mirror = remove_webhook_secret.mirror AND s.id = remove_webhook_secret.id;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'mirror "%" has no webhook secret %', mirror, id USING ERRCODE = 'undefined_object';
  END IF;
END $$;
COMMENT ON FUNCTION clerk_fdw.remove_webhook_secret(text, bigint) IS
  'removes a signing secret: what is signed with it verifies no more';

CREATE FUNCTION clerk_fdw.receive_webhook(
  mirror text, body text, svix_id text, svix_timestamp text, svix_signature text, revalidate boolean DEFAULT false
) RETURNS text LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'receive_webhook_wrapper';
COMMENT ON FUNCTION clerk_fdw.receive_webhook(text, text, text, text, text, boolean) IS
  'takes in one of Clerk''s webhooks: its raw body and its three headers. Answers applied, duplicate, stale, ignored or failed; failed is stored and to be answered with a status that makes the sender try again. A delivery that does not verify is an error. revalidate: asks Clerk for the object instead of taking it from the body';

CREATE FUNCTION clerk_fdw.retry_webhooks(mirror text) RETURNS TABLE (id text, outcome text)
  LANGUAGE c AS 'MODULE_PATHNAME', 'retry_webhooks_wrapper';
COMMENT ON FUNCTION clerk_fdw.retry_webhooks(text) IS
  'tries a mirror''s failed webhooks again, oldest first, and tells what became of each; every sync does so at its beginning';

-- PostgREST hands a single unnamed parameter of type json the body as it came, which json, unlike jsonb, keeps.
CREATE FUNCTION clerk_fdw.webhook(json) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  headers json := nullif(current_setting('request.headers', true), '')::json;
  mirror text := nullif(current_setting('clerk_fdw.webhook_mirror', true), '');
  outcome text;
BEGIN
  IF mirror IS NULL THEN
    SELECT min(s.mirror::text) INTO mirror FROM clerk_fdw.webhook_secret s HAVING count(DISTINCT s.mirror) = 1;
  END IF;
  IF mirror IS NULL THEN
    RAISE EXCEPTION 'it is not known which mirror the webhook is for' USING
      ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'Set clerk_fdw.webhook_mirror for the role or the function, unless exactly one mirror has webhook secrets.';
  END IF;
  outcome := clerk_fdw.receive_webhook(mirror, $1::text,
    coalesce(headers ->> 'svix-id', headers ->> 'webhook-id'),
    coalesce(headers ->> 'svix-timestamp', headers ->> 'webhook-timestamp'),
    coalesce(headers ->> 'svix-signature', headers ->> 'webhook-signature'));
  IF outcome = 'failed' THEN
    -- An error would undo what is stored; with this PostgREST commits, and the sender comes again.
    PERFORM set_config('response.status', '500', true);
  END IF;
  RETURN json_build_object('outcome', outcome);
END $$;
COMMENT ON FUNCTION clerk_fdw.webhook(json) IS
  'a complete endpoint for Clerk''s webhooks where PostgREST or Supabase calls it: the raw body as its parameter, the headers in request.headers';
