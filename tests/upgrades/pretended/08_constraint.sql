ALTER TABLE clerk_fdw_internal.mirror DROP CONSTRAINT mirror_deletes_check;
ALTER TABLE clerk_fdw_internal.mirror ADD CONSTRAINT mirror_deletes_check
    CHECK (deletes OPERATOR(pg_catalog.=) ANY (ARRAY['soft', 'hard', 'never']::pg_catalog.text[]));
