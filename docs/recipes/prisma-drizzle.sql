-- Lets an ORM run its migrations beside a mirror: a role that may refer to the mirror's tables and read them, but not change
-- or drop them. docs/recipes/prisma-drizzle.md explains it.
--
-- Run it as the mirror's owner, or as a superuser, before the first migration. The mirror is called app.

-- The role of the migrations, which is often the application's too. A shadow database (prisma migrate dev) takes CREATEDB,
-- which only development needs.
CREATE ROLE migrator LOGIN;
GRANT CREATE ON SCHEMA public TO migrator;
-- Drizzle keeps its journal in a schema that it creates, and Prisma runs CREATE SCHEMA IF NOT EXISTS for each of its schemas.
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO migrator', current_database()); END $$;

-- REFERENCES is all that a foreign key takes, and it can be granted for the one column that is referred to.
GRANT USAGE ON SCHEMA app TO migrator;
GRANT REFERENCES (user_id) ON app.users TO migrator;
GRANT REFERENCES (organization_id) ON app.organizations TO migrator;

-- Which columns the application reads, and which rows: row security is on in the mirror's tables, and shows nobody but
-- their owner anything until a policy says so.
GRANT SELECT (user_id, email, first_name, last_name, deleted_at) ON app.users TO migrator;
CREATE POLICY migrator_reads ON app.users FOR SELECT TO migrator USING (true);
