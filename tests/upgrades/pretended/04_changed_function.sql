CREATE OR REPLACE FUNCTION clerk_fdw_internal.find_by_name() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.server := (SELECT s.oid FROM pg_foreign_server s WHERE s.srvname = NEW.server_name);
  NEW.owner := (SELECT r.oid FROM pg_roles r WHERE r.rolname = NEW.owner_name);
  RETURN NEW; -- changed
END $$;
