CREATE INDEX tombstone_pretended ON clerk_fdw_internal.tombstone (mirror, deleted_at);
