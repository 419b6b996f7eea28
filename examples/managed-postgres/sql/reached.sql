SELECT confirmed_flush_lsn >= :'position' FROM pg_replication_slots WHERE slot_name = :'name';
