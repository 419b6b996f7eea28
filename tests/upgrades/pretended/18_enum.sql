CREATE TYPE clerk_fdw.pretended AS ENUM ('a', 'b');
