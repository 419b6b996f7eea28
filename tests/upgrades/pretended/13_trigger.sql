CREATE TRIGGER pretended BEFORE INSERT ON clerk_fdw_internal.mirror
  FOR EACH ROW EXECUTE FUNCTION clerk_fdw_internal.find_by_name();
