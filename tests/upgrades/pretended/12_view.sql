CREATE OR REPLACE VIEW clerk_fdw.webhook_secrets WITH (security_barrier) AS
  SELECT m.name AS mirror, s.id, s.vault_name, s.added_at, s.mirror AS pretended
    FROM clerk_fdw_internal.webhook_secret s
    JOIN clerk_fdw_internal.visible_mirror m ON m.number OPERATOR(pg_catalog.=) s.mirror;
