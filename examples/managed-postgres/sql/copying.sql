SELECT (SELECT count(*) FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srsubstate <> 'r'),
       (SELECT t.sync_error_count + t.apply_error_count FROM pg_stat_subscription_stats t WHERE t.subid = s.oid)
  FROM pg_subscription s WHERE s.subname = :'name';
