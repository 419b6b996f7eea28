-- Functions that create, change and drop mirrors. 3_sync.sql has those that sync them.

CREATE FUNCTION clerk_fdw.columns() RETURNS TABLE (
  object pg_catalog.text, column_name pg_catalog.text, aliases pg_catalog.text[], data_type pg_catalog.text,
  is_id boolean, is_looked_up boolean, description pg_catalog.text, visibility pg_catalog.text
) LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'columns_wrapper';
COMMENT ON FUNCTION clerk_fdw.columns() IS
'Lists every column of every Clerk object that a foreign table can show.

object: The object, as the option object of a foreign table names it.
column_name: The column''s name.
aliases: Other names that mean the same column in a table of your own.
data_type: The type that IMPORT FOREIGN SCHEMA declares.
is_id: Whether it is the object''s id.
is_looked_up: Whether Clerk looks objects up by it, so that conditions with = and IN and joins ask for no more than those.
description: What the column shows, which is the comment of an imported column.
visibility: Who may see it with row security: shared (members of an organization, of each other), own (the person whom it is about) or private (the backend alone).';

CREATE FUNCTION clerk_fdw.objects() RETURNS TABLE (
  object pg_catalog.text, aliases pg_catalog.text[], endpoint pg_catalog.text, parent pg_catalog.text[],
  columns pg_catalog.text[], secret_columns pg_catalog.text[], key_columns pg_catalog.text[],
  filters pg_catalog.text[], orders pg_catalog.text[], operations pg_catalog.text[],
  mirrorable boolean, mirrored_by_default boolean, events pg_catalog.text[], description pg_catalog.text
) LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'objects_wrapper';
COMMENT ON FUNCTION clerk_fdw.objects() IS
'Lists every Clerk object that a foreign table can show.

object: The object, as the option object of a foreign table names it.
aliases: Other values of that option that mean the same object.
endpoint: The path that lists the objects; null if Clerk lists them below a parent only.
parent: Where Clerk lists the objects below a parent only: the columns of which a query has to compare one. Else empty.
columns: The columns that are imported and mirrored.
secret_columns: Columns that are secrets, and neither imported nor mirrored unless they are named.
key_columns: The columns by which Clerk looks objects up.
filters: The columns by which Clerk filters objects.
orders: The columns by which Clerk sorts objects.
operations: What SQL can do: SELECT, and INSERT, UPDATE and DELETE where Clerk has an endpoint for it.
mirrorable: Whether a mirror can contain the object.
mirrored_by_default: Whether a mirror contains it if objects are not named.
events: The types of the webhooks that change it.
description: What the object is, which is the comment of an imported table.';

CREATE FUNCTION clerk_fdw.create_mirror(
  server pg_catalog.text, schema pg_catalog.text DEFAULT NULL, objects pg_catalog.text[] DEFAULT NULL,
  tables pg_catalog.jsonb DEFAULT '{}', columns pg_catalog.jsonb DEFAULT '{}',
  deletes pg_catalog.text DEFAULT 'soft', full_every interval DEFAULT '1 day'
) RETURNS pg_catalog.text LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'create_mirror_wrapper';
COMMENT ON FUNCTION clerk_fdw.create_mirror(pg_catalog.text, pg_catalog.text, pg_catalog.text[], pg_catalog.jsonb, pg_catalog.jsonb, pg_catalog.text, interval) IS
'Creates a mirror: local tables that are kept in sync with a Clerk instance. Returns its name, which is the schema''s. The tables are empty until clerk_fdw.sync has been called. The mirror belongs to the caller, whose key its syncs use.

server: The foreign server to read from. The caller needs USAGE on it.
schema: The schema of the tables, which becomes the mirror''s name; created if there is none. Null is the server''s name with _mirror after it.
objects: The objects to mirror, as clerk_fdw.objects() lists them, or {*} for all that can be mirrored. Null is users, organizations and organization_memberships.
tables: Tables that exist already, by object and with their schema: {"users": "public.customers"}. They are used in place of new ones.
columns: What the columns of existing tables take, by object and column, as SQL expressions over the object''s columns: {"users": {"mail": "lower(email)"}}. Without an entry for an object, columns are matched by name.
deletes: soft sets deleted_at in the rows of objects that Clerk has deleted, hard deletes the rows.
full_every: How often a sync reads everything, whatever seems to have changed.

Errors: 22023 for an object that cannot be mirrored or a map that does not fit, 42501 without the privileges, 42704 if there is no such server, 42710 if there is a mirror of that name.';

CREATE FUNCTION clerk_fdw.alter_mirror(
  mirror pg_catalog.text, owner pg_catalog.text DEFAULT NULL, server pg_catalog.text DEFAULT NULL,
  deletes pg_catalog.text DEFAULT NULL, full_every interval DEFAULT NULL, keep_webhook_bodies boolean DEFAULT NULL
) RETURNS void LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'alter_mirror_wrapper';
COMMENT ON FUNCTION clerk_fdw.alter_mirror(pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, interval, boolean) IS
'Changes a mirror. Arguments that are null leave things as they are.

mirror: The mirror''s name.
owner: The role that the mirror is to belong to. As with ALTER TABLE, the caller must be able to SET ROLE to it.
server: The foreign server to read from, for example when the old one was dropped or after pg_upgrade.
deletes: soft or hard, as in clerk_fdw.create_mirror.
full_every: How often a sync reads everything.
keep_webhook_bodies: Whether clerk_fdw.webhook_events keeps the bodies of webhooks that were applied. Bodies contain personal data.

Errors: 42704 if there is no such mirror or it belongs to another role, 42501 without the privileges, 22023 for a value that is not valid.';

CREATE FUNCTION clerk_fdw.drop_mirror(mirror pg_catalog.text, keep_tables boolean DEFAULT false) RETURNS void
  LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'drop_mirror_wrapper';
COMMENT ON FUNCTION clerk_fdw.drop_mirror(pg_catalog.text, boolean) IS
'Drops a mirror with its log, its schedule and its webhook secrets. Tables and the schema that were created with it are dropped as well; tables that existed before stay, without the policies and views of clerk_fdw.enable_row_security.

mirror: The mirror''s name.
keep_tables: Whether the tables that were created with it stay, too.

Errors: 42704 if there is no such mirror or it belongs to another role, 55006 while it is being synced.';
