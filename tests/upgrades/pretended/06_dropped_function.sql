DROP FUNCTION clerk_fdw.cancel_sync(bigint);
