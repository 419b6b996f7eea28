DO $$
DECLARE
  t regclass;
BEGIN
  FOR t IN SELECT c.oid FROM pg_class c WHERE obj_description(c.oid, 'pg_class') = current_setting('clerk.mark') LOOP
    EXECUTE format('DROP TABLE %s', t);
    RAISE NOTICE 'dropped the table %', t;
  END LOOP;
END $$;
