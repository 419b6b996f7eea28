//! What the token says that a request came with.

use serde_json::Value;

use crate::error::FdwError;
use crate::pg::settings;

/// The claims that matter here.
#[derive(Default, Debug, PartialEq)]
pub struct Claims {
    pub user_id: Option<String>,
    /// The organization that is active in the session.
    pub organization_id: Option<String>,
    /// The role in it, always as in `org:admin`.
    pub role: Option<String>,
}

/// The claims of this request. Without any, the request is nobody's; claims that cannot be read are an error.
pub fn claims() -> Claims {
    let text = settings::read("request.jwt.claims").unwrap_or_default();
    if text.is_empty() {
        return Claims::default();
    }
    let claims: Value = serde_json::from_str(&text).unwrap_or_else(|error| FdwError::Claims(error.to_string()).raise());
    read(&claims)
}

fn read(claims: &Value) -> Claims {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let active = &claims["o"];
    let role = text(&active["rol"]).or_else(|| text(&claims["org_role"]));
    Claims {
        user_id: text(&claims["sub"]),
        organization_id: text(&active["id"]).or_else(|| text(&claims["org_id"])),
        // The newer claim has no prefix, the older one and Clerk's memberships have it.
        role: role.map(|role| if role.starts_with("org:") { role } else { format!("org:{role}") }),
    }
}
