CREATE FUNCTION clerk_fdw_internal.pretended() RETURNS event_trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$ BEGIN END $$;
REVOKE ALL ON FUNCTION clerk_fdw_internal.pretended() FROM PUBLIC;
CREATE EVENT TRIGGER clerk_fdw_pretended ON sql_drop EXECUTE FUNCTION clerk_fdw_internal.pretended();
