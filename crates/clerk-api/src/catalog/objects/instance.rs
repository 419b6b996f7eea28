//! The Clerk instance that a key belongs to. It has no foreign table, so [`super::OBJECTS`] does not contain it.

use crate::catalog::Kind::Text;
use crate::catalog::Source::Path;
use crate::catalog::column::column;
use crate::catalog::{Access, List, Mirroring, Object, Paging};

/// The object that `GET /instance` answers with.
pub const INSTANCE: Object = Object {
    name: "instance",
    description: "The Clerk instance itself.",
    list: Some(List { path: "/instance", paging: Paging::Single }),
    key_columns: &[],
    sort_columns: &[],
    columns: &[column("instance_id", Text, Path(&["id"]), "The instance's id, which begins with ins_.").id()],
    events: &[],
    access: Access::Nobody,
    mirroring: Mirroring::Never,
};
