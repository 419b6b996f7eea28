//! The permissions, roles and role sets of organizations.

use serde_json::{Value, json};

use super::kind::{Amount, Kind, no_event, same_data};
use super::maker::Maker;
use super::route::{COUNTED, Form, Route};
use crate::endpoint::Condition::Matches;
use crate::endpoint::ParameterKind::{OrderBy, Text};
use crate::endpoint::{Endpoint, PAGE, Parameter, filter, parameter};
use crate::entry::Entry;
use crate::schema;
use crate::table::Row;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "organization_permissions",
        noun: "permission",
        hidden: &[],
        owners: &[],
        amount: Amount::Exactly(PERMISSIONS.len()),
        make: permission,
        event: |change| change.event("permission.created", "permission.updated", Some("permission.deleted")),
        event_data: same_data,
    },
    Kind {
        name: "organization_roles",
        noun: "role",
        hidden: &[],
        owners: &[],
        amount: Amount::Exactly(ROLES.len()),
        make: role,
        event: |change| change.event("role.created", "role.updated", Some("role.deleted")),
        event_data: same_data,
    },
    Kind {
        name: "role_sets",
        noun: "role set",
        hidden: &[],
        owners: &[],
        amount: Amount::Exactly(ROLE_SETS.len()),
        make: role_set,
        event: no_event,
        event_data: same_data,
    },
];

const FILTERS: &[Parameter] = &[
    filter("query", Text, Matches { part: &["name", "key"], exactly: &["id"] }),
    parameter("order_by", OrderBy(&["created_at", "name", "key"])),
];

pub(super) const ROUTES: &[Route] = &[
    Route::list(
        "organization_permissions",
        Endpoint { path: "/organization_permissions", parameters: &[FILTERS, PAGE] },
        COUNTED,
    ),
    Route::one("organization_permissions", "/organization_permissions/{permission_id}"),
    Route::list("organization_roles", Endpoint { path: "/organization_roles", parameters: &[FILTERS, PAGE] }, COUNTED),
    Route::one("organization_roles", "/organization_roles/{organization_role_id}"),
    Route::list("role_sets", Endpoint { path: "/role_sets", parameters: &[FILTERS, PAGE] }, COUNTED),
    Route {
        answer: Form::One { finds: |ask, entry| entry.id() == ask.id || entry.is("key", ask.id) },
        ..Route::one("role_sets", "/role_sets/{role_set_key_or_id}")
    },
];

/// The keys and names of the permissions, which are those of the memberships' roles and a few of the application's own.
const PERMISSIONS: &[(&str, &str)] = &[
    ("org:sys_profile:manage", "Manage organization profile"),
    ("org:sys_profile:delete", "Delete organization"),
    ("org:sys_memberships:read", "Read members"),
    ("org:sys_memberships:manage", "Manage members"),
    ("org:sys_domains:read", "Read domains"),
    ("org:sys_domains:manage", "Manage domains"),
    ("org:sys_billing:read", "Read billing"),
    ("org:sys_billing:manage", "Manage billing"),
    ("org:invoices:export", "Rechnungen exportieren"),
    ("org:reports:read", "レポートの閲覧"),
];

/// The keys of the roles, which are those of the memberships and two that nobody has.
const ROLES: &[&str] = &["org:admin", "org:member", "org:billing_manager", "org:auditor", "org:support"];

/// The keys and names of the role sets.
const ROLE_SETS: &[(&str, &str)] = &[
    ("role_set:default", "Default role set"),
    ("role_set:contractors", "Auftragnehmer & Gäste"),
    ("role_set:legacy", "Legacy roles"),
];

fn permission(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("perm_");
    let (key, name) = match PERMISSIONS.get(maker.index) {
        Some((key, name)) if !maker.is_new => ((*key).to_owned(), (*name).to_owned()),
        _ => (format!("org:feature_{}:read", maker.index), maker.name()),
    };
    Some(json!({
        "object": "permission",
        "id": id,
        "name": name,
        "type": if key.starts_with("org:sys_") { "system" } else { "user" },
        "key": key,
        "description": maker.sentence(),
        "created_at": maker.at,
        "updated_at": maker.updated(),
    }))
}

fn role(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("role_");
    let key = match ROLES.get(maker.index) {
        Some(key) if !maker.is_new => (*key).to_owned(),
        _ => maker.given_text("key").map_or_else(|| format!("org:role_{}", maker.index), str::to_owned),
    };
    let (name, keys) = schema::role(&key);
    let permissions: Vec<Value> = maker
        .state
        .entries("organization_permissions")
        .filter(|permission| keys.contains(&permission.text("key")))
        .filter_map(|permission| serde_json::from_str(&permission.json).ok())
        .collect();
    let mut role = json!({
        "object": "role",
        "id": id,
        "name": name,
        "key": key,
        "description": maker.sentence(),
        "is_creator_eligible": key == "org:admin",
        "permissions": permissions,
        "created_at": maker.at,
        "updated_at": maker.updated(),
    });
    maker.thin(&mut role, &[], &["description"]);
    Some(role)
}

fn role_set(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("roleset_");
    let (key, name) = match ROLE_SETS.get(maker.index) {
        Some((key, name)) if !maker.is_new => ((*key).to_owned(), (*name).to_owned()),
        _ => (format!("role_set:number_{}", maker.index), maker.name()),
    };
    let roles: Vec<&Entry> = maker.state.entries("organization_roles").collect();
    let mut items: Vec<Value> = roles.iter().map(|role| role_set_item(maker, role)).collect();
    let item_of = |items: &[Value], key: &str| items.iter().find(|item| item["key"] == key).cloned();
    let (default_role, creator_role) = (item_of(&items, "org:member"), item_of(&items, "org:admin"));
    items.truncate(roles.len().saturating_sub(maker.index));
    let is_migrating = key == "role_set:legacy";
    let migration = json!({
        "object": "role_set_migration",
        "id": maker.id("rsm_"),
        "organization_id": null,
        "instance_id": maker.state.instance.id,
        "source_role_set_id": id,
        "dest_role_set_id": null,
        "trigger_type": "deletion",
        "status": "running",
        "migrated_members": 3,
        "mappings": { "org:auditor": "org:member" },
        "started_at": maker.at,
        "completed_at": null,
        "created_at": maker.at,
        "updated_at": maker.at,
    });
    let mut set = json!({
        "object": "role_set",
        "id": id,
        "name": name,
        "key": key,
        "description": maker.sentence(),
        "roles": items,
        "default_role": default_role,
        "creator_role": creator_role,
        "type": if key == "role_set:default" { "initial" } else { "custom" },
        "role_set_migration": is_migrating.then_some(migration),
        "created_at": maker.at,
        "updated_at": maker.updated(),
    });
    maker.thin(&mut set, &["default_role", "creator_role"], &["description"]);
    Some(set)
}

/// A role as role sets contain it.
fn role_set_item(maker: &mut Maker, role: &Entry) -> Value {
    let members = maker.number(0, 40);
    let mut item = json!({
        "object": "role_set_item",
        "id": role.id(),
        "name": role.value("name"),
        "key": role.value("key"),
        "description": role.value("description"),
        "members_count": members,
        "has_members": members > 0,
        "created_at": role.created_at(),
        "updated_at": role.value("updated_at"),
    });
    maker.thin(&mut item, &["members_count"], &["has_members"]);
    item
}
