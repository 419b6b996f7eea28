//! The policies on a mirror's tables, and the views beside the tables.
//!
//! A policy selects rows, not columns, but what the members of an organization may see of each other is a question of
//! columns. So the tables show users only their own rows, and the views show the profile of every user whom they may
//! see.

use clerk_api::catalog::{Access, Visibility};

use crate::error::FdwError;
use crate::mirror::model::{Entry, MirrorRef, Table, oid_of};
use crate::mirror::store;
use crate::pg::quote::quote_identifier;
use crate::pg::sandbox::{can_act_as, run_as};
use crate::pg::spi;

const POLICY: &str = "clerk_fdw_read";

/// Enables row security on a mirror's tables.
pub fn enable(name: &str, show_members: bool) -> Result<(), FdwError> {
    let mirror = Entry::load(MirrorRef::Name(name))?;
    let tables = mirror.tables(None)?;
    let memberships = tables.iter().find(|table| table.object.access == Access::Membership);
    for table in &tables {
        let state = store::row(
            "SELECT c.relrowsecurity, c.relforcerowsecurity, t.visible::oid, to_regclass($2)::oid,
                    EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = $4::name)
               FROM clerk_fdw_internal.mirror_table t JOIN pg_class c ON c.oid = t.relation
              WHERE t.mirror = $1::int4 AND t.object = $3",
            &[Some(&mirror.key()), Some(&view_name(&mirror.name, table)), Some(table.object.name), Some(POLICY)],
        )?
        .unwrap_or_default();
        let [is_enabled, is_forced, recorded_view, existing_view, has_policy] = &state[..] else { continue };
        if is_forced.as_deref() == Some("t") {
            return Err(FdwError::ForcedRowSecurity { mirror: name.to_owned(), table: table.name.clone() });
        }
        if existing_view.is_some() && existing_view != recorded_view {
            return Err(FdwError::ViewInTheWay(view_name(&mirror.name, table)));
        }
        let mut commands = Vec::new();
        if has_policy.as_deref() == Some("t") {
            commands.push(format!("DROP POLICY {POLICY} ON {}", table.name));
        }
        if let Some(conditions) = RowConditions::new(&mirror, table, memberships) {
            let condition = if show_members { conditions.visible() } else { conditions.own() };
            commands.push(format!("CREATE POLICY {POLICY} ON {} FOR SELECT USING ({condition})", table.name));
            commands.push(conditions.create_view_sql());
        }
        if is_enabled.as_deref() != Some("t") {
            commands.push(format!("ALTER TABLE {} ENABLE ROW LEVEL SECURITY", table.name));
        }
        table.sandboxed(|| commands.iter().try_for_each(|command| spi::run(command, &[])))?;
        store::run(
            "UPDATE clerk_fdw_internal.mirror_table t
                SET visible = to_regclass($2), row_security = row_security OR NOT $4::bool
              WHERE t.mirror = $1::int4 AND t.object = $3",
            &[
                Some(&mirror.key()),
                Some(&view_name(&mirror.name, table)),
                Some(table.object.name),
                Some(store::boolean(is_enabled.as_deref() == Some("t"))),
            ],
        )?;
    }
    Ok(())
}

/// The qualified name of the view beside a table, which is in the mirror's schema.
fn view_name(schema: &str, table: &Table) -> String {
    format!("{}.visible_{}", quote_identifier(schema), table.object.name)
}

/// Builds the conditions for the rows of a table that the user behind a request may see.
struct RowConditions<'r> {
    mirror: &'r Entry,
    table: &'r Table,
    /// The mirror's memberships, if the table's owner owns them as well.
    memberships: Option<&'r Table>,
    /// The quoted columns for the row's user and its organization, as far as the table has them.
    user: Option<&'r str>,
    organization: Option<&'r str>,
}

impl<'r> RowConditions<'r> {
    fn new(mirror: &'r Entry, table: &'r Table, memberships: Option<&'r Table>) -> Option<RowConditions<'r>> {
        let memberships = memberships.filter(|memberships| memberships.owner() == table.owner());
        let (user, organization) = match table.object.access {
            Access::Nobody => return None,
            Access::User => (Some(table.id()), None),
            Access::Organization => (None, Some(table.id())),
            Access::Membership => {
                (Some(table.parent_with_access(Access::User)?), Some(table.parent_with_access(Access::Organization)?))
            }
        };
        Some(RowConditions { mirror, table, memberships, user, organization })
    }

    /// The condition for rows that are about the user, or about one of the user's organizations.
    fn own(&self) -> String {
        let banned = self.table.banned().map_or(String::new(), |banned| format!(" AND {banned} IS NOT TRUE"));
        let user = self.user.map(|user| format!("{user}::text = {CURRENT_USER_ID}{banned}"));
        let organization = self.organization.map(|organization| self.is_own_organization(organization));
        let conditions: Vec<_> = [Some(self.is_live()), user, organization].into_iter().flatten().collect();
        conditions.join(" AND ")
    }

    /// The condition for rows that are about anybody whom the user may see.
    fn visible(&self) -> String {
        let condition = match (self.organization, self.user) {
            (Some(organization), _) => self.is_own_organization(organization),
            (None, Some(user)) => {
                // Without the check, null as the function's second argument would ask for all visible users.
                let visible_user_ids =
                    format!("clerk_fdw.current_visible_user_ids({}, {user}::text)", self.mirror.number);
                format!("{user} IS NOT NULL AND ({} OR {user}::text = ANY ({visible_user_ids}))", self.own())
            }
            (None, None) => "false".to_owned(),
        };
        format!("{} AND {condition}", self.is_live())
    }

    /// The same condition for the view. The view reads with its owner's rights, so it can look at the memberships
    /// itself. That avoids making the list of a large organization's members for every row.
    fn visible_in_view(&self) -> String {
        let (Some(memberships), Some(user), None) = (self.memberships, self.user, self.organization) else {
            return self.visible();
        };
        let (Some(member), Some(organization)) =
            (memberships.parent_with_access(Access::User), memberships.parent_with_access(Access::Organization))
        else {
            return self.visible();
        };
        format!(
            "{} AND ({} OR EXISTS (SELECT FROM {} member WHERE member.{member} = {}.{user} AND member.{} IS NULL AND {}))",
            self.is_live(),
            self.own(),
            memberships.name,
            self.table.name,
            memberships.deleted_at(),
            self.is_own_organization(&format!("member.{organization}"))
        )
    }

    fn is_live(&self) -> String {
        format!("{} IS NULL", self.table.deleted_at())
    }

    fn is_own_organization(&self, organization: &str) -> String {
        format!("{organization}::text = ANY ((SELECT clerk_fdw.current_organizations({}))::text[])", self.mirror.number)
    }

    /// The command that creates the view. It shows the shared columns of every visible row, and the own columns of the
    /// user's row. It has no columns that only the backend may see, nor columns that a column map computes.
    fn create_view_sql(&self) -> String {
        let columns = self.table.object.columns.iter().filter_map(|column| {
            let name = self.table.column(column.name)?;
            match (column.visibility, self.user) {
                (Visibility::Shared, _) => Some(name.to_owned()),
                (Visibility::Own, Some(user)) => {
                    Some(format!("CASE WHEN {user}::text = {CURRENT_USER_ID} THEN {name} END AS {name}"))
                }
                _ => None,
            }
        });
        format!(
            "CREATE OR REPLACE VIEW {} WITH (security_barrier) AS SELECT {} FROM {} WHERE {}",
            view_name(&self.mirror.name, self.table),
            columns.collect::<Vec<_>>().join(", "),
            self.table.name,
            self.visible_in_view()
        )
    }
}

/// The current user's id. The subquery makes Postgres evaluate it once per query instead of once per row.
const CURRENT_USER_ID: &str = "(SELECT clerk_fdw.current_user_id())";

/// Undoes what [`enable`] has done. It also disables row security on tables on which the extension enabled it, unless
/// other policies rely on it.
pub fn disable(entry: &Entry) -> Result<(), FdwError> {
    remove_policies(entry, true)?;
    store::run(
        "UPDATE clerk_fdw_internal.mirror_table SET row_security = false, visible = NULL WHERE mirror = $1::int4",
        &[Some(&entry.number.to_string())],
    )
}

/// Removes the policies and views, which would outlive the mirror. Row security stays enabled, so tables that are kept
/// remain hidden.
pub fn remove_for_drop(entry: &Entry) -> Result<(), FdwError> {
    remove_policies(entry, false)
}

fn remove_policies(entry: &Entry, disable_row_security: bool) -> Result<(), FdwError> {
    let tables = store::rows(
        "SELECT format('%I.%I', n.nspname, c.relname), c.relowner,
                (SELECT format('%I.%I', vn.nspname, v.relname) FROM pg_class v JOIN pg_namespace vn ON vn.oid = v.relnamespace
                  WHERE v.oid = t.visible AND v.relkind = 'v'),
                t.row_security AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname <> $2::name),
                EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = $2::name)
           FROM clerk_fdw_internal.mirror_table t JOIN pg_class c ON c.oid = t.relation
           JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE t.mirror = $1::int4 AND c.relkind IN ('r', 'p')",
        &[Some(&entry.number.to_string()), Some(POLICY)],
    )?;
    for row in tables {
        let [Some(table), Some(owner), view, can_disable, has_policy] = &row[..] else { continue };
        let owner = oid_of(owner);
        if !can_act_as(entry.owner, owner) {
            continue;
        }
        let is_true = |value: &Option<String>| value.as_deref() == Some("t");
        let mut commands = Vec::new();
        commands.extend(is_true(has_policy).then(|| format!("DROP POLICY {POLICY} ON {table}")));
        commands.extend(view.as_ref().map(|view| format!("DROP VIEW {view}")));
        let disables = disable_row_security && is_true(can_disable);
        commands.extend(disables.then(|| format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")));
        run_as(owner, || commands.iter().try_for_each(|command| spi::run(command, &[])))?;
    }
    Ok(())
}
