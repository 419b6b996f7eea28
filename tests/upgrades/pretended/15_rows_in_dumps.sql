SELECT pg_catalog.pg_extension_config_dump('clerk_fdw_internal.pretended'::pg_catalog.regclass, '');
