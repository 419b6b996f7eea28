//! One file per object, which fills in the form [`Object`]. This list is the only place that names them all.

use super::Object;

macro_rules! objects {
    ($($file:ident),* $(,)?) => {
        $(mod $file;)*

        /// Every object that a foreign table can show, parents before their children: in this order tables are
        /// imported, mirrored and locked.
        pub const OBJECTS: &[&Object] = &[$(&$file::OBJECT),*];
    };
}

objects! {
    users,
    organizations,
    organization_memberships,
}

mod instance;

pub use instance::INSTANCE;
