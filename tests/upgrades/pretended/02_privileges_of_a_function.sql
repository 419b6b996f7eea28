REVOKE ALL ON FUNCTION clerk_fdw.pretended(pg_catalog.text, integer) FROM PUBLIC;
