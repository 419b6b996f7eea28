ALTER TYPE clerk_fdw.pretended OWNER TO upgrade_reader;
