//! Settings of the instance: its domains, redirect URLs, JWT templates, and what organizations may do.

use serde_json::{Value, json};

use super::kind::{Amount, Kind, no_event, same_data};
use super::maker::Maker;
use super::route::{COUNTED, Form, Route, Shape};
use crate::endpoint::ParameterKind::Boolean;
use crate::endpoint::{Endpoint, PAGE, Parameter, parameter};

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "domains",
        noun: "domain",
        hidden: &["created_at", "updated_at"],
        owners: &[],
        amount: Amount::Exactly(4),
        make: domain,
        event: no_event,
        event_data: same_data,
    },
    Kind {
        name: "redirect_urls",
        noun: "redirect URL",
        hidden: &[],
        owners: &[],
        amount: Amount::Many,
        make: redirect_url,
        event: no_event,
        event_data: same_data,
    },
    Kind {
        name: "jwt_templates",
        noun: "JWT template",
        hidden: &[],
        owners: &[],
        amount: Amount::Exactly(4),
        make: jwt_template,
        event: no_event,
        event_data: same_data,
    },
    Kind {
        name: "organization_settings",
        noun: "organization settings",
        hidden: &["id", "created_at", "updated_at"],
        owners: &[],
        amount: Amount::Exactly(1),
        make: organization_settings,
        event: no_event,
        event_data: same_data,
    },
];

const PAGINATED: &[Parameter] = &[parameter("paginated", Boolean)];

pub(super) const ROUTES: &[Route] = &[
    Route::list("domains", Endpoint { path: "/domains", parameters: &[] }, COUNTED),
    Route::list("redirect_urls", Endpoint { path: "/redirect_urls", parameters: &[PAGINATED, PAGE] }, Shape::Bare),
    Route::one("redirect_urls", "/redirect_urls/{id}"),
    Route::list("jwt_templates", Endpoint { path: "/jwt_templates", parameters: &[PAGINATED, PAGE] }, Shape::Bare),
    Route::one("jwt_templates", "/jwt_templates/{template_id}"),
    Route {
        answer: Form::One { finds: |_, _| true },
        ..Route::one("organization_settings", "/instance/organization_settings")
    },
];

fn domain(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("dmn_");
    let name = maker.domain();
    let is_satellite = maker.is_new || maker.index > 0;
    let mut domain = json!({
        "object": "domain",
        "id": id,
        "is_satellite": is_satellite,
        "frontend_api_url": format!("https://clerk.{name}"),
        "accounts_portal_url": (!is_satellite).then(|| format!("https://accounts.{name}")),
        "proxy_url": format!("https://{name}/__clerk"),
        "development_origin": "",
        "cname_targets": [
            { "host": format!("clerk.{name}"), "value": "frontend-api.example.net", "required": true },
            { "host": format!("clkmail.{name}"), "value": "mail.example.net", "required": !is_satellite },
        ],
        "name": name,
        "created_at": maker.at,
    });
    maker.thin(&mut domain, &["accounts_portal_url"], &["proxy_url", "cname_targets"]);
    Some(domain)
}

fn redirect_url(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("ru_");
    let scheme = maker.turn(&["https", "myapp", "https", "exp"]);
    Some(json!({
        "object": "redirect_url",
        "id": id,
        "url": format!("{scheme}://{}/callback?from=größe", maker.domain()),
        "created_at": maker.at,
        "updated_at": maker.updated(),
    }))
}

fn jwt_template(maker: &mut Maker) -> Option<Value> {
    let id = maker.id("jtmp_");
    let claims = match maker.index % 3 {
        0 => json!({}),
        1 => json!({ "aud": "api", "role": "{{user.public_metadata.role}}", "größe": 42 }),
        _ => json!({ "nested": { "list": [1, null, { "a": true }], "note": maker.sentence() } }),
    };
    let is_custom = maker.chance(0.5);
    Some(json!({
        "object": "jwt_template",
        "id": id,
        "name": maker.name(),
        "claims": claims,
        "lifetime": maker.number(30, 3600),
        "allowed_clock_skew": 5,
        "custom_signing_key": is_custom,
        "signing_algorithm": if is_custom { "HS256" } else { "RS256" },
        "created_at": maker.at,
        "updated_at": maker.updated(),
    }))
}

fn organization_settings(maker: &mut Maker) -> Option<Value> {
    let mut settings = json!({
        // Clerk's settings have no id. This one is only for changes.
        "id": "organization_settings",
        "created_at": maker.at,
        "object": "organization_settings",
        "enabled": true,
        "max_allowed_memberships": 5,
        "max_allowed_roles": 10,
        "max_role_sets_allowed": 3,
        "max_allowed_domains": 10,
        "max_allowed_permissions": 50,
        "creator_role": "org:admin",
        "admin_delete_enabled": true,
        "domains_enabled": true,
        "slug_disabled": false,
        "domains_enrollment_modes": ["manual_invitation", "automatic_invitation"],
        "domains_default_role": "org:member",
        "initial_role_set_key": "role_set:default",
    });
    maker.thin(&mut settings, &["max_role_sets_allowed", "slug_disabled"], &["initial_role_set_key"]);
    Some(settings)
}
