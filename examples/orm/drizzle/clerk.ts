// The mirror's tables, with the columns that the application reads. drizzle.config.ts does not name this file: drizzle-kit
// would create whatever a file that it knows exports.
import { pgSchema, text, timestamp } from "drizzle-orm/pg-core";

export const clerkUsers = pgSchema("app").table("users", {
  userId: text("user_id").primaryKey(),
  email: text("email"),
  deletedAt: timestamp("deleted_at", { withTimezone: true }),
});
