//! What a sync's worker is to do, as the text that is passed to it when it is started.

use clerk_api::catalog::OBJECTS;

use crate::mirror::sync::log::{Mode, SyncOptions};

/// The parameters of a sync's worker. As text they fit into the 128 bytes that Postgres passes to a worker.
#[derive(Debug, PartialEq)]
pub struct Order {
    pub database: u32,
    /// The transaction that has to end before the worker begins.
    pub transaction: u32,
    /// The role that the worker connects as; 0 is the bootstrap superuser.
    pub role: u32,
    pub mirror: i32,
    pub run: i64,
    pub options: SyncOptions,
}

impl Order {
    pub fn to_text(&self) -> String {
        let SyncOptions { mode, objects, dry_run, force } = &self.options;
        // One bit for each object of the catalogue.
        let bits = objects.as_ref().map(|objects| {
            let has = |name: &str| u64::from(objects.iter().any(|object| object == name));
            OBJECTS.iter().enumerate().fold(0, |bits, (index, object)| bits | has(object.name) << index)
        });
        format!(
            "{} {} {} {} {} {} {} {} {}",
            self.database,
            self.transaction,
            self.role,
            self.mirror,
            self.run,
            mode.map_or("due", Mode::name),
            u8::from(*dry_run),
            u8::from(*force),
            bits.map_or("all".to_owned(), |bits: u64| format!("{bits:x}")),
        )
    }

    pub fn parse(text: &str) -> Option<Order> {
        let parts: Vec<&str> = text.split(' ').collect();
        let [database, transaction, role, mirror, run, mode, dry_run, force, objects] = parts[..] else { return None };
        let object_names = |bits: u64| {
            let selected = OBJECTS.iter().enumerate().filter(move |(index, _)| bits >> index & 1 == 1);
            selected.map(|(_, object)| object.name.to_owned()).collect()
        };
        let objects = match objects {
            "all" => None,
            bits => Some(object_names(u64::from_str_radix(bits, 16).ok()?)),
        };
        Some(Order {
            database: database.parse().ok()?,
            transaction: transaction.parse().ok()?,
            role: role.parse().ok()?,
            mirror: mirror.parse().ok()?,
            run: run.parse().ok()?,
            options: SyncOptions { mode: Mode::parse(mode), objects, dry_run: dry_run == "1", force: force == "1" },
        })
    }
}
