-- Turns off the settings that would write a statement with a password down, as far as this role may do that.
DO $$
DECLARE
  s record;
BEGIN
  FOR s IN SELECT w.* FROM (VALUES ('log_statement', 'none'), ('log_min_duration_statement', '-1'),
                                   ('log_min_error_statement', 'panic'), ('pgaudit.log', 'none'),
                                   ('pg_stat_statements.track_utility', 'off')) AS w(name, value)
             JOIN pg_settings p ON p.name = w.name AND p.setting <> w.value LOOP
    BEGIN
      PERFORM set_config(s.name, s.value, false);
    EXCEPTION WHEN insufficient_privilege THEN
      -- An error of these statements is rare; whatever else is set here writes each of them down.
      IF s.name <> 'log_min_error_statement' THEN
        RAISE WARNING '% is %, and % may not change it: the password of the next statements may be written down',
          s.name, current_setting(s.name), current_user
          USING HINT = 'Restrict who reads the server''s log and pg_stat_statements.';
      END IF;
    END;
  END LOOP;
END $$;
