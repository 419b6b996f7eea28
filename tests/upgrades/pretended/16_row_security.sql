ALTER TABLE clerk_fdw_internal.sync_error ENABLE ROW LEVEL SECURITY;
CREATE POLICY pretended ON clerk_fdw_internal.sync_error FOR SELECT USING (false);
