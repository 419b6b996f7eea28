COMMENT ON FUNCTION clerk_fdw.pretended(pg_catalog.text, integer) IS 'of a version that there is not';
