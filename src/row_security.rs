//! Whom the person behind a request may see: what the policies of `sql/row_security.sql` ask.
//!
//! A policy that read memberships would come upon the policy on memberships, and so without end. So these functions
//! read them with the rights of the mirror's owner, whom policies do not concern, and tell only of the current user.

use pgrx::prelude::*;

use crate::attempt::as_role;
use crate::error::{FdwError, OrRaise};
use crate::mirror::config::{Mirror, Table, lender};
use crate::spi;

extension_sql_file!("../sql/row_security.sql", name = "row_security", requires = ["webhook"]);

#[pg_extern(sql = false)]
fn current_organizations(mirror: Option<&str>) -> Vec<String> {
    let Some(mirror) = existing(mirror) else { return Vec::new() };
    let organizations = || match memberships(&mirror)? {
        Some(memberships) => memberships.organizations(),
        None => texts("SELECT clerk_fdw.current_org_id()", &[]),
    };
    as_role(mirror.owner, organizations).or_raise()
}

#[pg_extern(sql = false)]
fn current_people(mirror: Option<&str>) -> Vec<String> {
    let Some(mirror) = existing(mirror) else { return Vec::new() };
    let people = || {
        let mut people = texts("SELECT clerk_fdw.current_user_id()", &[])?;
        if let Some(memberships) = memberships(&mirror)? {
            people.extend(memberships.people()?);
        }
        Ok(people)
    };
    as_role(mirror.owner, people).or_raise()
}

/// The mirror; of one that was dropped while its tables were kept, nobody sees anything.
fn existing(name: Option<&str>) -> Option<Mirror> {
    match as_role(lender().or_raise(), || Mirror::of_anyone(name.unwrap_or_default())) {
        Err(FdwError::NoMirror(_)) => None,
        mirror => Some(mirror.or_raise()),
    }
}

/// The mirror's table of memberships.
struct Memberships {
    table: Table,
    /// Its columns, quoted.
    user_id: String,
    organization_id: String,
}

fn memberships(mirror: &Mirror) -> Result<Option<Memberships>, FdwError> {
    let table = match mirror.table("organization_memberships") {
        Err(FdwError::NotMirrored { .. }) => return Ok(None),
        table => table?,
    };
    let column = |name| table.column(name).map(str::to_owned);
    let (Some(user_id), Some(organization_id)) = (column("user_id"), column("organization_id")) else {
        return Ok(None);
    };
    Ok(Some(Memberships { table, user_id, organization_id }))
}

impl Memberships {
    /// The organizations of the current user.
    fn organizations(&self) -> Result<Vec<String>, FdwError> {
        let Memberships { table, user_id, organization_id } = self;
        let (name, deleted_at) = (&table.name, table.deleted_at());
        texts(
            &format!(
                "SELECT DISTINCT t.{organization_id} FROM {name} t WHERE t.{deleted_at} IS NULL
                    AND t.{user_id}::pg_catalog.text OPERATOR(pg_catalog.=) (SELECT clerk_fdw.current_user_id())"
            ),
            &[],
        )
    }

    /// The members of these organizations.
    fn people(&self) -> Result<Vec<String>, FdwError> {
        let Memberships { table, user_id, organization_id } = self;
        let (name, deleted_at) = (&table.name, table.deleted_at());
        let organizations = serde_json::to_string(&self.organizations()?).unwrap_or_default();
        texts(
            &format!(
                "SELECT DISTINCT t.{user_id} FROM {name} t WHERE t.{deleted_at} IS NULL
                    AND t.{organization_id}::pg_catalog.text IN
                        (SELECT pg_catalog.jsonb_array_elements_text($1::pg_catalog.jsonb))"
            ),
            &[Some(&organizations)],
        )
    }
}

/// The first column of all rows.
fn texts(query: &str, values: &[spi::Value]) -> Result<Vec<String>, FdwError> {
    Ok(spi::rows(query, values)?.into_iter().flatten().flatten().collect())
}
