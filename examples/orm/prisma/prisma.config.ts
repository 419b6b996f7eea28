import { defineConfig } from "prisma/config";

export default defineConfig({
  schema: "schema.prisma",
  migrations: {
    path: "migrations",
    // The shadow database has neither clerk_fdw nor the mirror. A migration with a foreign key needs what it refers to.
    initShadowDb: `
      CREATE SCHEMA IF NOT EXISTS app;
      CREATE TABLE app.users (user_id text PRIMARY KEY);
    `,
  },
  datasource: { url: process.env.DATABASE_URL },
  // Queried, and never created, altered or dropped: every table of the mirror, also those without a model.
  experimental: { externalTables: true },
  tables: { external: ["app.users", "app.organizations", "app.organization_memberships"] },
});
