ALTER FUNCTION clerk_fdw.has_scheduler() VOLATILE;
