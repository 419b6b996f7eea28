SELECT coalesce((SELECT CASE WHEN s.subenabled THEN 'enabled' ELSE 'disabled' END
                   FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
                  WHERE d.datname = current_database() AND s.subname = :'name'), 'none');
