-- Functions that manage the secrets of webhooks and receive their deliveries, and views that report on them.
--
-- clerk_fdw.receive_webhook and clerk_fdw.webhook are meant for roles that have no rights in a mirror: the signature
-- proves which mirror a delivery is for.

CREATE FUNCTION clerk_fdw.add_webhook_secret(
  mirror pg_catalog.text, secret pg_catalog.text DEFAULT NULL, vault_name pg_catalog.text DEFAULT NULL
) RETURNS bigint LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'add_webhook_secret_wrapper';
COMMENT ON FUNCTION clerk_fdw.add_webhook_secret(pg_catalog.text, pg_catalog.text, pg_catalog.text) IS
'Adds a signing secret for a mirror''s webhooks, beside those that it has, and returns its id. Give either the secret or its name in Supabase Vault. A mirror can have ten, so that a secret can be replaced without a gap.

mirror: The mirror''s name.
secret: The signing secret that Clerk''s dashboard shows, which begins with whsec_.
vault_name: The secret''s name in Vault. The mirror''s owner must be able to read it there.

Errors: 22023 if neither or both are given or the secret is not valid, 54000 if there are ten already, 42704 if there is no such mirror.';

CREATE FUNCTION clerk_fdw.remove_webhook_secret(mirror pg_catalog.text, id bigint) RETURNS void
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'remove_webhook_secret_wrapper';
COMMENT ON FUNCTION clerk_fdw.remove_webhook_secret(pg_catalog.text, bigint) IS
'Removes a signing secret. Webhooks that are signed with it are refused from then on.

mirror: The mirror''s name.
id: The secret''s id in clerk_fdw.webhook_secrets.

Errors: 42704 if there is no such mirror or secret.';

CREATE FUNCTION clerk_fdw.receive_webhook(
  mirror pg_catalog.text, body pg_catalog.text, svix_id pg_catalog.text, svix_timestamp pg_catalog.text,
  svix_signature pg_catalog.text, revalidate boolean DEFAULT false
) RETURNS pg_catalog.text LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'receive_webhook_wrapper';
COMMENT ON FUNCTION clerk_fdw.receive_webhook(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, boolean) IS
'Receives one of Clerk''s webhooks: verifies its signature and applies its event to a mirror, once and in any order. The caller needs no privilege but EXECUTE on this function.

Returns applied; duplicate, if it was received before; stale, if something newer is known; ignored, if it is about nothing in the mirror; or failed, if it was stored but could not be applied: answer that with status 500, so that it is sent again.

mirror: The mirror''s name.
body: The raw body of the request, unchanged.
svix_id: The header svix-id.
svix_timestamp: The header svix-timestamp.
svix_signature: The header svix-signature.
revalidate: Asks Clerk for the object instead of taking it from the body, which costs two requests.

Errors, which store nothing: 28000 for a wrong signature, a time more than five minutes away or another Clerk instance, 22023 for a missing header or a body that is no event, 54000 for a body of more than 1 MiB, 55000 without a secret, 25001 unless at READ COMMITTED.';

CREATE FUNCTION clerk_fdw.retry_webhooks(mirror pg_catalog.text, most integer DEFAULT 100)
  RETURNS TABLE (id pg_catalog.text, outcome pg_catalog.text)
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'retry_webhooks_wrapper';
COMMENT ON FUNCTION clerk_fdw.retry_webhooks(pg_catalog.text, integer) IS
'Retries a mirror''s failed webhooks, the oldest first. Every sync does so at its beginning.

mirror: The mirror''s name.
most: How many to retry at most.
id: The header svix-id of the webhook.
outcome: applied, stale, ignored or failed.

Errors: 42704 if there is no such mirror or it belongs to another role.';

-- PostgREST passes the unchanged body to a function with a single unnamed parameter of type json. Unlike jsonb, json
-- keeps the text as it is.
CREATE FUNCTION clerk_fdw.webhook(pg_catalog.json) RETURNS pg_catalog.json
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'webhook_wrapper';
COMMENT ON FUNCTION clerk_fdw.webhook(pg_catalog.json) IS
'Receives one of Clerk''s webhooks where PostgREST calls it. Its only argument, which has no name, is the raw body. The headers are read from the setting request.headers, and the mirror from clerk_fdw.webhook_mirror or else from the secret that signed the webhook. Returns {"outcome": "..."} with the outcomes of clerk_fdw.receive_webhook; for failed it sets response.status to 500.

Errors: as of clerk_fdw.receive_webhook, and 55000 if it is not known which mirror the webhook is for.';

CREATE VIEW clerk_fdw.webhook_events WITH (security_barrier) AS
  SELECT e.id, m.name AS mirror, e.type, e.object, e.object_id, e.received_at, e.outcome, e.reason, e.body
    FROM clerk_fdw_internal.webhook_event e
    JOIN clerk_fdw_internal.visible_mirror m ON m.number OPERATOR(pg_catalog.=) e.mirror;
COMMENT ON VIEW clerk_fdw.webhook_events IS
  'The verified webhooks of the mirrors that belong to the current role. Entries are kept for clerk_fdw.log_retention, and for 7 days at least.';
COMMENT ON COLUMN clerk_fdw.webhook_events.id IS 'The header svix-id, which is the same in every attempt to deliver the webhook.';
COMMENT ON COLUMN clerk_fdw.webhook_events.mirror IS 'The mirror''s name.';
COMMENT ON COLUMN clerk_fdw.webhook_events.type IS 'The type of the event, such as user.updated.';
COMMENT ON COLUMN clerk_fdw.webhook_events.object IS 'The object that it is about; null if it is none of the catalogue.';
COMMENT ON COLUMN clerk_fdw.webhook_events.object_id IS 'The object''s id.';
COMMENT ON COLUMN clerk_fdw.webhook_events.received_at IS 'When it was received.';
COMMENT ON COLUMN clerk_fdw.webhook_events.outcome IS 'applied, stale (older than what is known), ignored (about nothing in the mirror) or failed (clerk_fdw.retry_webhooks and every sync retry it).';
COMMENT ON COLUMN clerk_fdw.webhook_events.reason IS 'Why it failed or was ignored.';
COMMENT ON COLUMN clerk_fdw.webhook_events.body IS 'The body, while it has failed or if the mirror keeps bodies.';

CREATE VIEW clerk_fdw.webhook_secrets WITH (security_barrier) AS
  SELECT m.name AS mirror, s.id, s.vault_name, s.added_at
    FROM clerk_fdw_internal.webhook_secret s
    JOIN clerk_fdw_internal.visible_mirror m ON m.number OPERATOR(pg_catalog.=) s.mirror;
COMMENT ON VIEW clerk_fdw.webhook_secrets IS
  'The signing secrets of the webhooks of the mirrors that belong to the current role, without the secrets themselves.';
COMMENT ON COLUMN clerk_fdw.webhook_secrets.mirror IS 'The mirror''s name.';
COMMENT ON COLUMN clerk_fdw.webhook_secrets.id IS 'The secret''s id, for clerk_fdw.remove_webhook_secret.';
COMMENT ON COLUMN clerk_fdw.webhook_secrets.vault_name IS 'The secret''s name in Vault; null if it is not kept there.';
COMMENT ON COLUMN clerk_fdw.webhook_secrets.added_at IS 'When it was added.';

CREATE VIEW clerk_fdw.webhook_refusals WITH (security_barrier) AS
  SELECT r.last_value FROM clerk_fdw_internal.webhook_refusals r;
COMMENT ON VIEW clerk_fdw.webhook_refusals IS
  'How many webhooks were refused, in one row for all mirrors of the database.';
COMMENT ON COLUMN clerk_fdw.webhook_refusals.last_value IS 'How many did not verify.';
