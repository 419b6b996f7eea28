// The application's own tables, which drizzle-kit manages.
import { bigserial, pgTable, text } from "drizzle-orm/pg-core";
import { clerkUsers } from "./clerk";

export const projects = pgTable("projects", {
  id: bigserial("id", { mode: "number" }).primaryKey(),
  name: text("name").notNull(),
  ownerId: text("owner_id").notNull().references(() => clerkUsers.userId),
});
