//! Reads the claims of the token that a request was sent with.

use serde_json::Value;

use crate::error::FdwError;
use crate::pg::settings;

/// The claims that row security needs.
#[derive(Default, Debug, PartialEq)]
pub struct Claims {
    pub user_id: Option<String>,
    /// The organization that is active in the user's session.
    pub organization_id: Option<String>,
    /// The user's role in that organization, always with the prefix, as in `org:admin`.
    pub role: Option<String>,
}

/// The claims of this request. A request without claims has no user; claims that are not valid JSON are an error.
pub fn claims() -> Claims {
    let text = settings::setting_value("request.jwt.claims").unwrap_or_default();
    if text.is_empty() {
        return Claims::default();
    }
    let claims: Value = serde_json::from_str(&text).unwrap_or_else(|error| FdwError::Claims(error.to_string()).raise());
    let claims = parse(&claims);
    let texts = [&claims.user_id, &claims.organization_id, &claims.role];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        FdwError::Claims("Postgres cannot store \\u0000".to_owned()).raise();
    }
    claims
}

fn parse(claims: &Value) -> Claims {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let active = &claims["o"];
    let role = text(&active["rol"]).or_else(|| text(&claims["org_role"]));
    Claims {
        user_id: text(&claims["sub"]),
        organization_id: text(&active["id"]).or_else(|| text(&claims["org_id"])),
        // The newer claim has no prefix; the older one and the roles of Clerk's memberships have it.
        role: role.map(|role| if role.starts_with("org:") { role } else { format!("org:{role}") }),
    }
}
