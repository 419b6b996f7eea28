# Makes the install script of the pretended version of that of a release: with each change where a developer would make
# it, for instance a column inside CREATE TABLE. The variable `parts` names the folder with the update's parts, of which
# those that add something stand in an install script as they are.
function part(name,   line) {
  while ((getline line < (parts "/" name ".sql")) > 0) print line
  close(parts "/" name ".sql")
}
/^CREATE FUNCTION clerk_fdw_internal.find_by_name/ { inside = "find_by_name" }
/^CREATE TABLE clerk_fdw_internal.tombstone/ { inside = "tombstone" }
/^CREATE TABLE clerk_fdw_internal.row_count/ { inside = "row_count" }
/^CREATE TABLE clerk_fdw_internal.mirror \(/ { inside = "mirror" }
/^CREATE FUNCTION clerk_fdw.has_scheduler/ { inside = "has_scheduler" }
/^(CREATE|COMMENT ON) FUNCTION clerk_fdw.cancel_sync/ { inside = "cancel_sync" }
/^CREATE VIEW clerk_fdw.webhook_secrets/ { inside = "webhook_secrets"; part("12_view") }

inside == "find_by_name" { sub(/RETURN NEW;/, "RETURN NEW; -- changed") }
inside == "tombstone" { sub(/^  PRIMARY KEY/, "  pretended integer NOT NULL DEFAULT 0,\n&") }
inside == "row_count" { sub(/fillfactor = 50/, "fillfactor = 60") }
inside == "mirror" { sub(/'soft', 'hard'/, "&, 'never'"); sub(/failed_starts integer NOT NULL DEFAULT 0/, "failed_starts integer NOT NULL DEFAULT 7") }
inside == "has_scheduler" { sub(/LANGUAGE c STABLE/, "LANGUAGE c VOLATILE") }
inside != "cancel_sync" && inside != "webhook_secrets" { print }
/;$/ && inside != "find_by_name" || /^END \$\$/ { inside = "" }

# Before the privileges are revoked, for all functions together.
/^CREATE FOREIGN DATA WRAPPER clerk_fdw/ {
  part("01_function"); part("03_comment"); part("10_index"); part("13_trigger"); part("14_table"); part("15_rows_in_dumps")
  part("16_row_security"); part("17_event_trigger"); part("18_enum"); part("19_owner")
}
