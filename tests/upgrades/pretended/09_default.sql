ALTER TABLE clerk_fdw_internal.mirror ALTER COLUMN failed_starts SET DEFAULT 7;
