//! Invitations, the waitlist, and domains of organizations, changed over the API.

mod support;

use serde_json::{Value, json};
use support::get;
use support::writing::World;

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Invitations to the application.
#[test]
fn invitations() {
    let world = World::new(0, 0, 0);
    world.sim.create_user(json!({ "email_address": "ada@example.com" })).expect("a user");
    let before = get(&world.sim, "/invitations?limit=500").objects().len();
    let given = json!({
        "email_address": "bob@example.com",
        "public_metadata": { "a": 1 },
        "expires_in_days": 1,
        "notify": false,
    });
    let (invitation, events) = world.change("POST", "/invitations", given.clone());
    assert!(events.is_empty(), "Clerk tells of none");
    assert_eq!((&invitation["status"], &invitation["public_metadata"]), (&json!("pending"), &json!({ "a": 1 })));
    assert_eq!(get(&world.sim, "/invitations?query=bob@example.com").objects(), std::slice::from_ref(&invitation));

    world.refuse("POST", "/invitations", given, 400, "duplicate_record", "");
    let given = json!({ "email_address": "Ada@example.com" });
    world.refuse("POST", "/invitations", given, 422, "form_identifier_exists", "email_address");
    world.change("POST", "/invitations", json!({ "email_address": "ada@example.com", "ignore_existing": true }));
    world.refuse("POST", "/invitations", Value::Null, 422, "form_param_missing", "email_address");
    let given = json!({ "email_address": "c@example.com", "expires_in_days": 366 });
    world.refuse("POST", "/invitations", given, 422, "form_param_value_too_large", "expires_in_days");
    let given = json!({ "email_address": "c@example.com", "template_slug": "letter" });
    world.refuse("POST", "/invitations", given, 422, "form_param_value_invalid", "template_slug");

    let path = format!("/invitations/{}/revoke", text(&invitation["id"]));
    let (revoked, _) = world.change("POST", &path, Value::Null);
    assert_eq!((&revoked["status"], &revoked["revoked"]), (&json!("revoked"), &json!(true)));
    world.refuse("POST", &path, Value::Null, 400, "invitation_already_revoked", "");
    world.refuse("POST", "/invitations/inv_unknown/revoke", Value::Null, 404, "resource_not_found", "");

    let given =
        json!([{ "email_address": "d@example.com" }, { "email_address": "e@example.com", "redirect_url": null }]);
    assert_eq!(world.change("POST", "/invitations/bulk", given).0.as_array().map(Vec::len), Some(2));
    let given = json!([{ "email_address": "f@example.com" }, { "email_address": "d@example.com" }]);
    world.refuse("POST", "/invitations/bulk", given, 400, "duplicate_record", "");
    let given = json!([{ "email_address": "ada@example.com", "ignore_existing": true }]);
    world.refuse("POST", "/invitations/bulk", given, 422, "form_identifier_exists", "email_address");
    world.refuse("POST", "/invitations/bulk", json!([]), 400, "request_body_invalid", "");
    let many: Vec<Value> = (0..11).map(|place| json!({ "email_address": format!("g{place}@example.com") })).collect();
    world.refuse("POST", "/invitations/bulk", json!(many), 400, "request_body_invalid", "");
    assert_eq!(get(&world.sim, "/invitations?limit=500").objects().len(), before + 3);
    world.assert_all_done(&["/invitations"]);
}

/// Invitations to an organization.
#[test]
fn organization_invitations() {
    let world = World::new(3, 0, 0);
    let users: Vec<String> = world.sim.users().into_iter().map(|user| user.id).collect();
    world.sim.update_user(&users[1], json!({ "email_address": "member@example.com" })).expect("a user");
    let organization = world.sim.create_organization(json!({ "name": "Engines" })).expect("an organization");
    world.sim.create_membership(&users[0], &organization, json!({ "role": "org:admin" })).expect("a membership");
    world.sim.create_membership(&users[1], &organization, json!({})).expect("a membership");
    let list = format!("/organizations/{organization}/invitations");
    let given = json!({
        "email_address": "bob@example.com",
        "role": "org:member",
        "inviter_user_id": users[0],
        "private_metadata": { "a": 1 },
    });
    let (invitation, events) = world.change("POST", &list, given.clone());
    assert_eq!(events, ["organizationInvitation.created"]);
    assert_eq!(invitation["public_inviter_data"]["user_id"], users[0].as_str());
    let path = format!("{list}/{}", text(&invitation["id"]));
    assert_eq!(get(&world.sim, &path).json(), invitation);

    world.refuse("POST", &list, given, 400, "duplicate_record", "");
    let given = json!({ "email_address": "member@example.com", "role": "org:member" });
    world.refuse("POST", &list, given, 400, "already_a_member_in_organization", "");
    let given = json!({ "email_address": "c@example.com", "role": "org:pilot" });
    world.refuse("POST", &list, given, 422, "form_param_value_invalid", "role");
    let given = json!({ "email_address": "c@example.com", "role": "org:member", "inviter_user_id": users[1] });
    world.refuse("POST", &list, given, 403, "authorization_invalid", "");
    world.refuse("POST", &list, json!({ "role": "org:member" }), 422, "form_param_missing", "email_address");
    let given = json!({ "email_address": "c@example.com", "role": "org:member" });
    world.refuse("POST", "/organizations/org_unknown/invitations", given.clone(), 404, "resource_not_found", "");

    let (several, events) = world.change(
        "POST",
        &format!("{list}/bulk"),
        json!([given, { "email_address": "d@example.com", "role": "org:admin" }]),
    );
    assert_eq!((several["total_count"].as_u64(), events.len()), (Some(2), 2));
    world.refuse("POST", &format!("{list}/bulk"), json!([given]), 400, "duplicate_record", "");
    let (revoked, events) = world.change("POST", &format!("{path}/revoke"), json!({ "requesting_user_id": users[0] }));
    assert_eq!(
        (&revoked["status"], events.as_slice()),
        (&json!("revoked"), &["organizationInvitation.revoked".to_owned()][..])
    );
    world.refuse("POST", &format!("{path}/revoke"), Value::Null, 400, "organization_invitation_not_pending", "");
    world.refuse("POST", &format!("{list}/orginv_unknown/revoke"), Value::Null, 404, "resource_not_found", "");
    world.assert_all_done(&["/organizations/{organization_id}/invitations"]);
}

/// The domains of an organization.
#[test]
fn organization_domains() {
    let world = World::new(0, 0, 0);
    let organization = world.sim.create_organization(json!({ "name": "Engines" })).expect("an organization");
    let list = format!("/organizations/{organization}/domains");
    let given = json!({ "name": "engines.example.com", "enrollment_mode": "automatic_invitation", "verified": false });
    let (domain, events) = world.change("POST", &list, given.clone());
    assert_eq!(events, ["organizationDomain.created"]);
    assert_eq!(domain["verification"]["status"], "unverified");
    assert_eq!(get(&world.sim, &list).objects(), std::slice::from_ref(&domain));
    world.refuse("POST", &list, given, 422, "form_identifier_exists", "name");
    world.refuse("POST", &list, json!({ "name": "e" }), 422, "form_param_format_invalid", "name");
    world.refuse("POST", &list, json!({}), 422, "form_param_missing", "name");
    let path = format!("{list}/{}", text(&domain["id"]));
    let (domain, events) =
        world.change("PATCH", &path, json!({ "enrollment_mode": "manual_invitation", "verified": true }));
    assert_eq!((&domain["verification"]["status"], events.len()), (&json!("verified"), 1));
    world.refuse(
        "PATCH",
        &path,
        json!({ "enrollment_mode": "lottery" }),
        422,
        "form_param_value_invalid",
        "enrollment_mode",
    );
    let (domain, _) = world.change("POST", &format!("{path}/verify_ownership"), Value::Null);
    assert_eq!(domain["ownership_verification"]["status"], "verified");
    let (deleted, events) = world.change("DELETE", &path, Value::Null);
    assert_eq!(
        (&deleted["deleted"], events.as_slice()),
        (&json!(true), &["organizationDomain.deleted".to_owned()][..])
    );
    world.refuse("DELETE", &path, Value::Null, 404, "resource_not_found", "");
    world.assert_all_done(&["/organizations/{organization_id}/domains"]);
}

/// The waitlist.
#[test]
fn waitlist() {
    let world = World::new(0, 0, 0);
    let (entry, events) = world.change("POST", "/waitlist_entries", json!({ "email_address": "ada@example.com" }));
    assert_eq!((&entry["status"], events.as_slice()), (&json!("pending"), &["waitlistEntry.created".to_owned()][..]));
    let (same, events) = world.change("POST", "/waitlist_entries", json!({ "email_address": "Ada@example.com" }));
    assert_eq!((same, events.len()), (entry.clone(), 0));
    world.refuse(
        "POST",
        "/waitlist_entries",
        json!({ "email_address": "ada" }),
        422,
        "form_param_format_invalid",
        "email_address",
    );
    let several = json!([{ "email_address": "b@example.com" }, { "email_address": "c@example.com" }]);
    let (several, _) = world.change("POST", "/waitlist_entries/bulk", several);
    let path = format!("/waitlist_entries/{}", text(&entry["id"]));
    let (invited, events) = world.change("POST", &format!("{path}/invite"), Value::Null);
    assert_eq!((&invited["status"], events.as_slice()), (&json!("invited"), &["waitlistEntry.updated".to_owned()][..]));
    assert_eq!(invited["invitation"]["email_address"], "ada@example.com");
    for (method, rest) in [("POST", "/invite"), ("POST", "/reject"), ("DELETE", "")] {
        world.refuse(method, &format!("{path}{rest}"), Value::Null, 409, "waitlist_entry_not_pending", "");
    }
    let path = |place: usize| format!("/waitlist_entries/{}", text(&several[place]["id"]));
    assert_eq!(world.change("POST", &format!("{}/reject", path(0)), Value::Null).0["status"], "rejected");
    assert_eq!(world.change("DELETE", &path(1), Value::Null).0["deleted"], true);
    world.assert_all_done(&["/waitlist_entries"]);
}
