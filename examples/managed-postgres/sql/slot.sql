SELECT coalesce((SELECT CASE WHEN wal_status = 'lost' THEN 'lost' WHEN active THEN 'active' ELSE 'inactive' END
                   FROM pg_replication_slots WHERE slot_name = :'name'), 'none');
