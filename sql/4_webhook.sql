-- Functions that manage the secrets of webhooks and receive their deliveries, and views that report on them.
--
-- clerk_fdw.receive_webhook and clerk_fdw.webhook are meant for roles that have no rights in a mirror: the signature
-- proves which mirror a delivery is for.

CREATE FUNCTION clerk_fdw.add_webhook_secret(
  mirror pg_catalog.text, secret pg_catalog.text DEFAULT NULL, vault_name pg_catalog.text DEFAULT NULL
) RETURNS bigint LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'add_webhook_secret_wrapper';
COMMENT ON FUNCTION clerk_fdw.add_webhook_secret(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS
  'adds a signing secret for a mirror''s webhooks, or its name in Vault, beside those that are there, and returns its id';

CREATE FUNCTION clerk_fdw.remove_webhook_secret(mirror pg_catalog.text, id bigint) RETURNS void
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'remove_webhook_secret_wrapper';
COMMENT ON FUNCTION clerk_fdw.remove_webhook_secret(pg_catalog.text, bigint) IS
  'removes a signing secret: what is signed with it verifies no more';

CREATE FUNCTION clerk_fdw.receive_webhook(
  mirror pg_catalog.text, body pg_catalog.text, svix_id pg_catalog.text, svix_timestamp pg_catalog.text,
  svix_signature pg_catalog.text, revalidate boolean DEFAULT false
) RETURNS pg_catalog.text LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'receive_webhook_wrapper';
COMMENT ON FUNCTION clerk_fdw.receive_webhook(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, boolean) IS
  'takes in one of Clerk''s webhooks: its raw body and its three headers. Answers applied, duplicate, stale, ignored or failed; failed is stored and to be answered with a status that makes the sender try again. A delivery that does not verify is an error. revalidate: asks Clerk for the object instead of taking it from the body';

CREATE FUNCTION clerk_fdw.retry_webhooks(mirror pg_catalog.text, most integer DEFAULT 100)
  RETURNS TABLE (id pg_catalog.text, outcome pg_catalog.text)
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'retry_webhooks_wrapper';
COMMENT ON FUNCTION clerk_fdw.retry_webhooks(pg_catalog.text, integer) IS
  'tries a mirror''s failed webhooks again, oldest first and at most so many, and tells what became of each; every sync does so at its beginning, committing one by one';

-- PostgREST passes the unchanged body to a function with a single unnamed parameter of type json. Unlike jsonb, json
-- keeps the text as it is.
CREATE FUNCTION clerk_fdw.webhook(pg_catalog.json) RETURNS pg_catalog.json
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'webhook_wrapper';
COMMENT ON FUNCTION clerk_fdw.webhook(pg_catalog.json) IS
  'a complete endpoint for Clerk''s webhooks where PostgREST or Supabase calls it: the raw body as its parameter, the headers in request.headers';

CREATE VIEW clerk_fdw.webhook_events WITH (security_barrier) AS
  SELECT e.id, m.name AS mirror, e.type, e.object, e.object_id, e.received_at, e.outcome, e.reason, e.body
    FROM clerk_fdw_internal.webhook_event e
    JOIN clerk_fdw_internal.visible_mirror m ON m.number OPERATOR(pg_catalog.=) e.mirror;
COMMENT ON VIEW clerk_fdw.webhook_events IS
  'the webhooks that were verified, kept for clerk_fdw.log_retention and at least 7 days. outcome: applied, stale (older than what is known), ignored (nothing of the mirror), failed (clerk_fdw.retry_webhooks and every sync try it again)';

CREATE VIEW clerk_fdw.webhook_secrets WITH (security_barrier) AS
  SELECT m.name AS mirror, s.id, s.vault_name, s.added_at
    FROM clerk_fdw_internal.webhook_secret s
    JOIN clerk_fdw_internal.visible_mirror m ON m.number OPERATOR(pg_catalog.=) s.mirror;
COMMENT ON VIEW clerk_fdw.webhook_secrets IS
  'the signing secrets of each mirror''s webhooks: their ids and when they were added, not what they are';

CREATE VIEW clerk_fdw.webhook_refusals WITH (security_barrier) AS
  SELECT r.last_value FROM clerk_fdw_internal.webhook_refusals r;
COMMENT ON VIEW clerk_fdw.webhook_refusals IS 'how many deliveries did not verify, of all mirrors of this database';
