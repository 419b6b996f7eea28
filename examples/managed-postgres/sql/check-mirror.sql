DO $$
DECLARE
  wanted name := current_setting('clerk.name');
  has_slot bool := EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = wanted);
  relation text;
BEGIN
  IF current_setting('server_version_num')::int < 150000 THEN
    RAISE EXCEPTION 'the mirror host has PostgreSQL %, and 15 is needed', current_setting('server_version');
  ELSIF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    RAISE EXCEPTION '% is no superuser of the mirror host', current_user
      USING HINT = 'Only a superuser makes roles for replication.';
  ELSIF to_regclass('clerk_fdw.mirror_status') IS NULL THEN
    RAISE EXCEPTION 'the database % of the mirror host does not have the extension clerk_fdw', current_database();
  ELSIF NOT EXISTS (SELECT FROM clerk_fdw.mirror_status s WHERE s.mirror = current_setting('clerk.mirror')) THEN
    RAISE EXCEPTION 'there is no mirror "%"', current_setting('clerk.mirror')
      USING HINT = 'SELECT clerk_fdw.create_mirror(''clerk'', ''app''); CALL clerk_fdw.sync(''app'');';
  ELSIF current_setting('wal_level') <> 'logical' THEN
    RAISE EXCEPTION 'wal_level of the mirror host is %', current_setting('wal_level')
      USING HINT = 'ALTER SYSTEM SET wal_level = ''logical''; and restart it.';
  ELSIF NOT has_slot
    AND current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots) < 3 THEN
    RAISE EXCEPTION 'the mirror host has no three replication slots left'
      USING HINT = 'One is for the subscription, two are for copying tables: raise max_replication_slots and restart it.';
  ELSIF NOT has_slot AND current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication) < 3 THEN
    RAISE EXCEPTION 'the mirror host has no three WAL senders left' USING HINT = 'Raise max_wal_senders and restart it.';
  ELSIF EXISTS (SELECT FROM pg_roles WHERE rolname = wanted
                   AND shobj_description(oid, 'pg_authid') IS DISTINCT FROM 'Made by connect.sh of clerk_fdw.') THEN
    RAISE EXCEPTION 'the mirror host has a role "%" that is none of this script''s', wanted
      USING HINT = 'Choose another --name.';
  END IF;
  -- Without a replica identity, updates and deletes of a published table fail, the mirror's own among them.
  SELECT c.oid::regclass INTO relation FROM clerk_fdw.mirror_status s JOIN pg_class c ON c.oid = s.relation
   WHERE s.mirror = current_setting('clerk.mirror')
     AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid
                        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END);
  IF FOUND THEN
    RAISE EXCEPTION '% has neither a primary key nor a replica identity by an index', relation
      USING HINT = format('ALTER TABLE %s ADD PRIMARY KEY (…); or, with a unique index on a column that is NOT NULL: '
                          'ALTER TABLE %s REPLICA IDENTITY USING INDEX …;', relation, relation);
  END IF;
  IF current_setting('max_slot_wal_keep_size') = '-1' THEN
    RAISE WARNING 'max_slot_wal_keep_size of the mirror host is -1: while the managed database is away, WAL fills its disk'
      USING HINT = 'ALTER SYSTEM SET max_slot_wal_keep_size = ''10GB''; SELECT pg_reload_conf();';
  END IF;
END $$;
