//! The email addresses and phone numbers of users.

use super::form::FieldKind::{Boolean, Choice, Text};
use super::form::{Call, Field, Write, field};
use super::given::{Given, Patch};
use super::members::{is_true, set, text};
use super::parts::{self, Part};
use super::{identifiers, users};
use crate::error::ClerkError;
use crate::generate::id;
use crate::identification::{self, Status};
use crate::object::{Fields, User, raw};
use crate::state::State;

/// What email addresses and phone numbers differ in.
struct Sort {
    /// The field with the address itself.
    field: &'static str,
    part: Part,
    ids: fn(&User) -> Vec<&str>,
}

const EMAIL: &Sort = &Sort {
    field: "email_address",
    part: Part { noun: "email address", array: "email_addresses", primary: "primary_email_address_id" },
    ids: User::email_ids,
};

const PHONE: &Sort = &Sort {
    field: "phone_number",
    part: Part { noun: "phone number", array: "phone_numbers", primary: "primary_phone_number_id" },
    ids: User::phone_ids,
};

const COMMON: &[Field] = &[field("verified", Boolean).nullable(), field("primary", Boolean).nullable()];

const NOTIFICATION: Field = field("notify_primary_email_address_changed", Boolean).nullable();
const SECOND_FACTOR: Field = field("reserved_for_second_factor", Boolean).nullable();
const STATUS: Field = field("identification_status", Choice(&["verified", "reserved", "unverified"]));

pub(super) const WRITES: &[Write] = &[
    Write::with_body(
        "POST",
        "/email_addresses",
        &[COMMON, &[field("user_id", Text).required(), field("email_address", Text).required(), NOTIFICATION]],
        |state, call| create(state, call, EMAIL),
    )
    .optional(),
    Write::with_body("PATCH", "/email_addresses/{email_address_id}", &[COMMON, &[NOTIFICATION]], |state, call| {
        update(state, call, EMAIL)
    })
    .optional()
    .refusing_with(400),
    Write::plain("DELETE", "/email_addresses/{email_address_id}", |state, call| delete(state, call, EMAIL)),
    Write::with_body(
        "PUT",
        "/users/{user_id}/email_address",
        &[&[field("email_address", Text).required(), STATUS, NOTIFICATION]],
        |state, call| replace(state, call, EMAIL),
    )
    .closed(),
    Write::with_body(
        "POST",
        "/phone_numbers",
        &[COMMON, &[field("user_id", Text).required(), field("phone_number", Text).required(), SECOND_FACTOR]],
        |state, call| create(state, call, PHONE),
    )
    .optional(),
    Write::with_body("PATCH", "/phone_numbers/{phone_number_id}", &[COMMON, &[SECOND_FACTOR]], |state, call| {
        update(state, call, PHONE)
    })
    .optional()
    .refusing_with(400),
    Write::plain("DELETE", "/phone_numbers/{phone_number_id}", |state, call| delete(state, call, PHONE)),
    Write::with_body(
        "PUT",
        "/users/{user_id}/phone_number",
        &[&[field("phone_number", Text).required(), STATUS]],
        |state, call| replace(state, call, PHONE),
    )
    .closed(),
];

fn create(state: &mut State, call: &Call, sort: &Sort) -> Result<String, ClerkError> {
    let given = &call.given;
    let user_id = given.required("user_id");
    let mut objects = users::found(state, &user_id)?.objects(sort.part.array)?;
    check(state, given, sort, "")?;
    let status = if given.is_true("verified") { Status::Verified } else { Status::Unverified };
    let (id, object) = new(state, given, sort, status)?;
    objects.push(object);
    let place = objects.len() - 1;
    reserve(&mut objects, place, given)?;
    let mut patch = Patch::default();
    if place == 0 || given.is_true("primary") {
        patch.set(sort.part.primary, &id)?;
    }
    save(state, &user_id, sort, objects, patch)?;
    show(state, &user_id, sort, &id)
}

fn update(state: &mut State, call: &Call, sort: &Sort) -> Result<String, ClerkError> {
    let given = &call.given;
    let user = owner(state, sort, call.id())?;
    let user_id = user.id.clone();
    let mut objects = user.objects(sort.part.array)?;
    let place = parts::place(&objects, &sort.part, call.id())?;
    let now = state.clock;
    if let Some(object) = objects.get_mut(place) {
        if let Some(verified) = given.boolean("verified") {
            let is_reserved = !verified && is_true(object, "reserved");
            set(object, "verification", verified.then(identification::by_admin))?;
            set(object, "reserved", is_reserved)?;
        }
        set(object, "updated_at", now)?;
    }
    reserve(&mut objects, place, given)?;
    let mut patch = Patch::default();
    if given.is_true("primary") {
        patch.set(sort.part.primary, call.id())?;
    }
    save(state, &user_id, sort, objects, patch)?;
    show(state, &user_id, sort, call.id())
}

fn delete(state: &mut State, call: &Call, sort: &Sort) -> Result<String, ClerkError> {
    let user = owner(state, sort, call.id())?;
    let user_id = user.id.clone();
    let (patch, deleted) = parts::removal(user, &sort.part, call.id())?;
    let mut objects = user.objects(sort.part.array)?;
    objects.retain(|object| text(object, "id") != call.id());
    save(state, &user_id, sort, objects, patch)?;
    Ok(deleted)
}

/// Puts one in the place of all that the user has.
fn replace(state: &mut State, call: &Call, sort: &Sort) -> Result<String, ClerkError> {
    let given = &call.given;
    let old = users::found(state, call.id())?.objects(sort.part.array)?;
    check(state, given, sort, call.id())?;
    if old.iter().any(|object| object.get("linked_to").is_some_and(|links| links.get() != "[]")) {
        let why = "An email address is linked to a connected account, which has to be removed first.";
        return Err(ClerkError::wrong_state(422, "identification_linked_to_external_account", why));
    }
    let status = match given.text("identification_status").as_deref() {
        Some("reserved") => Status::Reserved,
        Some("unverified") => Status::Unverified,
        _ => Status::Verified,
    };
    let (id, object) = new(state, given, sort, status)?;
    let mut patch = Patch::default();
    patch.set(sort.part.primary, &id)?;
    save(state, call.id(), sort, vec![object], patch)?;
    show(state, call.id(), sort, &id)
}

/// Refuses what is not such an address, and that of another user than this one.
fn check(state: &State, given: &Given, sort: &Sort, own_id: &str) -> Result<(), ClerkError> {
    let one = raw([given.required(sort.field)])?;
    identifiers::check(state, &Given(Fields::from_iter([(sort.field.to_owned(), one)])), own_id)
}

/// A new address with its id.
fn new(state: &mut State, given: &Given, sort: &Sort, status: Status) -> Result<(String, Fields), ClerkError> {
    let now = state.clock;
    let id = id::new("idn_", &mut state.random, now);
    let object = identification::identification(sort.field, &id, &given.required(sort.field), status, now)?;
    Ok((id, serde_json::from_str(object.get())?))
}

/// Makes a phone number a second factor, or no longer one. The first of them is the default.
fn reserve(numbers: &mut [Fields], place: usize, given: &Given) -> Result<(), ClerkError> {
    let Some(is_reserved) = given.boolean("reserved_for_second_factor") else { return Ok(()) };
    let Some(number) = numbers.get_mut(place) else { return Ok(()) };
    let is_verified = number.get("verification").is_some_and(|verification| verification.get() != "null");
    if is_reserved && !is_verified {
        return Err(ClerkError::invalid_value("reserved_for_second_factor", "the phone number has to be verified"));
    }
    set(number, "reserved_for_second_factor", is_reserved)?;
    if !is_reserved {
        set(number, "default_second_factor", false)?;
    }
    let reserved = |number: &&mut Fields| is_true(number, "reserved_for_second_factor");
    if !numbers.iter().any(|number| is_true(number, "default_second_factor"))
        && let Some(first) = numbers.iter_mut().find(reserved)
    {
        set(first, "default_second_factor", true)?;
    }
    Ok(())
}

/// Gives the user these addresses. A phone number may be the only second factor, or have been it.
fn save(
    state: &mut State,
    user_id: &str,
    sort: &Sort,
    objects: Vec<Fields>,
    mut patch: Patch,
) -> Result<(), ClerkError> {
    let user: Fields = serde_json::from_str(&users::found(state, user_id)?.json)?;
    let has_factor = objects.iter().any(|object| is_true(object, "reserved_for_second_factor"));
    let is_enabled = has_factor || is_true(&user, "totp_enabled");
    if sort.field == PHONE.field && is_enabled != is_true(&user, "two_factor_enabled") {
        patch.set("two_factor_enabled", is_enabled)?;
        patch.set(if is_enabled { "mfa_enabled_at" } else { "mfa_disabled_at" }, state.clock)?;
    }
    patch.set(sort.part.array, objects)?;
    Ok(state.update_user(user_id, patch)?)
}

/// The user with an address, or the answer is 404.
fn owner<'a>(state: &'a State, sort: &Sort, id: &str) -> Result<&'a User, ClerkError> {
    let owner = state.users.iter().find(|user| (sort.ids)(user).contains(&id));
    owner.ok_or_else(|| ClerkError::not_found(sort.part.noun, id))
}

fn show(state: &State, user_id: &str, sort: &Sort, id: &str) -> Result<String, ClerkError> {
    let objects = users::found(state, user_id)?.objects(sort.part.array)?;
    let place = parts::place(&objects, &sort.part, id)?;
    Ok(serde_json::to_string(&objects.get(place))?)
}
