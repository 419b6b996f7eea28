CREATE FUNCTION clerk_fdw.pretended(a pg_catalog.text, b integer DEFAULT 1) RETURNS pg_catalog.text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT a || b $$;
