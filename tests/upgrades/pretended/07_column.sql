ALTER TABLE clerk_fdw_internal.tombstone ADD COLUMN pretended integer NOT NULL DEFAULT 0;
