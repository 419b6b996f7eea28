import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: "./schema.ts",
  out: "./migrations",
  dbCredentials: { url: process.env.DATABASE_URL! },
  // Never the mirror's schema: `push` drops what is in a schema that it manages and not in schema.ts.
  schemaFilter: ["public"],
});
