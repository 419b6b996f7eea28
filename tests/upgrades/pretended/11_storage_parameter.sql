ALTER TABLE clerk_fdw_internal.row_count SET (fillfactor = 60);
