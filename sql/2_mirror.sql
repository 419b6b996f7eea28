-- Functions that create, change and drop mirrors. 3_sync.sql has those that sync them.

CREATE FUNCTION clerk_fdw.columns() RETURNS TABLE (
  object pg_catalog.text, column_name pg_catalog.text, aliases pg_catalog.text[], data_type pg_catalog.text,
  is_id boolean, is_looked_up boolean, description pg_catalog.text, visibility pg_catalog.text
) LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'columns_wrapper';
COMMENT ON FUNCTION clerk_fdw.columns() IS
  'every column of every Clerk object that a foreign table can show: its name, other names that mean it, the type that IMPORT FOREIGN SCHEMA declares, whether it is the object''s id, whether objects are looked up by it, a description, and who may see it (shared: members of an organization of each other; own: the person whom it is about; private: the backend alone)';

CREATE FUNCTION clerk_fdw.objects() RETURNS TABLE (
  object pg_catalog.text, aliases pg_catalog.text[], endpoint pg_catalog.text, parent pg_catalog.text[],
  columns pg_catalog.text[], secret_columns pg_catalog.text[], key_columns pg_catalog.text[],
  filters pg_catalog.text[], orders pg_catalog.text[], operations pg_catalog.text[],
  mirrorable boolean, mirrored_by_default boolean, events pg_catalog.text[], description pg_catalog.text
) LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'objects_wrapper';
COMMENT ON FUNCTION clerk_fdw.objects() IS
  'every Clerk object that a foreign table can show: its name and its other names, the endpoint that lists it (null if it is listed below a parent only), the columns of which a query then has to compare one, all columns, those that are secrets and neither imported nor mirrored unless they are named, the columns by which Clerk looks objects up, filters and sorts them, what SQL can do with it, whether mirrors can contain it and do by default, and the webhook events that change it';

CREATE FUNCTION clerk_fdw.create_mirror(
  server pg_catalog.text, schema pg_catalog.text DEFAULT NULL, objects pg_catalog.text[] DEFAULT NULL,
  tables pg_catalog.jsonb DEFAULT '{}', columns pg_catalog.jsonb DEFAULT '{}',
  deletes pg_catalog.text DEFAULT 'soft', full_every interval DEFAULT '1 day'
) RETURNS pg_catalog.text LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'create_mirror_wrapper';
COMMENT ON FUNCTION clerk_fdw.create_mirror(pg_catalog.text, pg_catalog.text, pg_catalog.text[], pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.text, interval) IS
  'makes the tables of a mirror of a server in a schema (the server''s name with _mirror after it, if none is named), and returns its name: the objects (users, organizations and organization_memberships by default; {*} for all that can be mirrored), tables that are there already by object, what their columns take, soft or hard deletes, and how often everything is read';

CREATE FUNCTION clerk_fdw.alter_mirror(
  mirror pg_catalog.text, owner pg_catalog.text DEFAULT NULL, server pg_catalog.text DEFAULT NULL,
  deletes pg_catalog.text DEFAULT NULL, full_every interval DEFAULT NULL, keep_webhook_bodies boolean DEFAULT NULL
) RETURNS void LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'alter_mirror_wrapper';
COMMENT ON FUNCTION clerk_fdw.alter_mirror(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, interval, boolean) IS
  'changes a mirror: its owner (as with ALTER TABLE, one whose rights the caller has), the foreign server that it reads from, soft or hard deletes, how often everything is read, and whether the bodies of webhooks are kept; what is null stays';

CREATE FUNCTION clerk_fdw.drop_mirror(mirror pg_catalog.text, keep_tables boolean DEFAULT false) RETURNS void
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'drop_mirror_wrapper';
COMMENT ON FUNCTION clerk_fdw.drop_mirror(pg_catalog.text, boolean) IS
  'drops a mirror with its log, its secrets and the tables that came with it, unless they are to be kept; tables that were there before stay';
