//! The objects of the catalogue: each file defines one [`Object`], and the list below is the only place that names them
//! all.

use super::Object;

macro_rules! objects {
    ($($file:ident),* $(,)?) => {
        $(mod $file;)*

        /// Every object that a foreign table can show, parents before their children. Tables are imported, mirrored and
        /// locked in this order.
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
