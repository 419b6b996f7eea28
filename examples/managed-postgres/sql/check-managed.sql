DO $$
BEGIN
  IF current_setting('server_version_num')::int < 150000 THEN
    RAISE EXCEPTION 'the managed database has PostgreSQL %, and 15 is needed', current_setting('server_version');
  ELSIF pg_is_in_recovery() THEN
    RAISE EXCEPTION 'the managed database is a read replica' USING HINT = 'Connect to its primary.';
  ELSIF current_setting('max_logical_replication_workers')::int < 2
    OR current_setting('max_worker_processes')::int < 3 THEN
    RAISE EXCEPTION 'max_logical_replication_workers or max_worker_processes of the managed database is too small'
      USING HINT = 'A subscription needs one worker, and one more while it copies tables.';
  END IF;
END $$;
