//! The query string: which parameters each endpoint has, and which values they accept.
//!
//! [`ENDPOINTS`] is the complete list, which a test compares with Clerk's OpenAPI file. Other parameters are ignored,
//! as Clerk does.

use crate::error::ClerkError;
use crate::fault::Distortions;

/// How many values an array parameter may have.
const MAX_VALUES: usize = 100;
const DEFAULT_LIMIT: i64 = 10;
const MAX_PER_PAGE: i64 = 500;

/// An endpoint: its path, as in Clerk's OpenAPI file, and its query parameters.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Such as `/users/{user_id}`.
    pub path: &'static str,
    parameters: &'static [&'static [Parameter]],
}

impl Endpoint {
    /// The names of the endpoint's query parameters.
    pub fn parameter_names(&self) -> impl Iterator<Item = &'static str> {
        self.parameters().map(|parameter| parameter.name)
    }

    fn parameters(&self) -> impl Iterator<Item = &'static Parameter> {
        self.parameters.iter().copied().flatten()
    }
}

#[derive(Debug)]
struct Parameter {
    name: &'static str,
    kind: ParameterKind,
}

#[derive(Clone, Copy, Debug)]
enum ParameterKind {
    /// Repeated values, one of which has to match.
    List,
    /// Like `List`, for phone numbers, whose plus sign many clients do not encode.
    Phones,
    /// Repeated values with a prefix: `+` to include and `-` to exclude objects.
    IncludeExclude,
    Text,
    Integer,
    Boolean,
    Limit,
    Offset,
    OrderBy(&'static [&'static str]),
}

impl ParameterKind {
    fn is_array(self) -> bool {
        matches!(self, ParameterKind::List | ParameterKind::Phones | ParameterKind::IncludeExclude)
    }
}

const fn parameter(name: &'static str, kind: ParameterKind) -> Parameter {
    Parameter { name, kind }
}

const PAGE: &[Parameter] = &[parameter("limit", ParameterKind::Limit), parameter("offset", ParameterKind::Offset)];

const USER_FILTERS: &[Parameter] = &[
    parameter("email_address", ParameterKind::List),
    parameter("phone_number", ParameterKind::Phones),
    parameter("username", ParameterKind::List),
    parameter("web3_wallet", ParameterKind::List),
    parameter("query", ParameterKind::Text),
    parameter("email_address_query", ParameterKind::Text),
    parameter("phone_number_query", ParameterKind::Text),
    parameter("username_query", ParameterKind::Text),
    parameter("name_query", ParameterKind::Text),
    parameter("last_active_at_before", ParameterKind::Integer),
    parameter("last_active_at_after", ParameterKind::Integer),
    parameter("created_at_before", ParameterKind::Integer),
    parameter("created_at_after", ParameterKind::Integer),
];

const USER_LIST_FILTERS: &[Parameter] = &[
    parameter("organization_id", ParameterKind::IncludeExclude),
    parameter("banned", ParameterKind::Boolean),
    parameter("last_active_at_since", ParameterKind::Integer),
    parameter("last_sign_in_at_before", ParameterKind::Integer),
    parameter("last_sign_in_at_after", ParameterKind::Integer),
    parameter("provider", ParameterKind::Text),
    parameter("provider_user_id", ParameterKind::List),
];

const MEMBERSHIP_ORDER: ParameterKind =
    ParameterKind::OrderBy(&["phone_number", "email_address", "created_at", "first_name", "last_name", "username"]);

const ORGANIZATION_EXTRAS: &[Parameter] = &[
    parameter("include_members_count", ParameterKind::Boolean),
    parameter("include_missing_member_with_elevated_permissions", ParameterKind::Boolean),
];

pub(crate) const INSTANCE: Endpoint = Endpoint { path: "/instance", parameters: &[] };

pub(crate) const USERS: Endpoint = Endpoint {
    path: "/users",
    parameters: &[
        USER_FILTERS,
        USER_LIST_FILTERS,
        &[
            parameter("user_id", ParameterKind::IncludeExclude),
            parameter("external_id", ParameterKind::IncludeExclude),
            parameter("starting_after", ParameterKind::Text),
            parameter(
                "order_by",
                ParameterKind::OrderBy(&[
                    "created_at",
                    "updated_at",
                    "email_address",
                    "web3wallet",
                    "first_name",
                    "last_name",
                    "phone_number",
                    "username",
                    "last_active_at",
                    "last_sign_in_at",
                ]),
            ),
        ],
        PAGE,
    ],
};

pub(crate) const USER_COUNT: Endpoint = Endpoint {
    path: "/users/count",
    parameters: &[
        USER_FILTERS,
        USER_LIST_FILTERS,
        // The OpenAPI file does not mention prefixes here. But Clerk's JavaScript client sends the filters of the list,
        // including prefixes, to the count as well.
        &[parameter("user_id", ParameterKind::IncludeExclude), parameter("external_id", ParameterKind::IncludeExclude)],
    ],
};

pub(crate) const USER: Endpoint = Endpoint { path: "/users/{user_id}", parameters: &[] };

pub(crate) const USER_MEMBERSHIPS: Endpoint =
    Endpoint { path: "/users/{user_id}/organization_memberships", parameters: &[PAGE] };

pub(crate) const ORGANIZATIONS: Endpoint = Endpoint {
    path: "/organizations",
    parameters: &[
        ORGANIZATION_EXTRAS,
        &[
            parameter("query", ParameterKind::Text),
            parameter("user_id", ParameterKind::IncludeExclude),
            parameter("organization_id", ParameterKind::IncludeExclude),
            parameter("order_by", ParameterKind::OrderBy(&["name", "created_at", "members_count"])),
        ],
        PAGE,
    ],
};

pub(crate) const ORGANIZATION: Endpoint =
    Endpoint { path: "/organizations/{organization_id}", parameters: &[ORGANIZATION_EXTRAS] };

pub(crate) const ORGANIZATION_MEMBERSHIPS: Endpoint = Endpoint {
    path: "/organizations/{organization_id}/memberships",
    parameters: &[
        USER_FILTERS,
        &[
            parameter("user_id", ParameterKind::IncludeExclude),
            parameter("role", ParameterKind::List),
            parameter("order_by", MEMBERSHIP_ORDER),
        ],
        PAGE,
    ],
};

pub(crate) const MEMBERSHIPS: Endpoint =
    Endpoint { path: "/organization_memberships", parameters: &[&[parameter("order_by", MEMBERSHIP_ORDER)], PAGE] };

/// Every endpoint of Clerk's Backend API that the simulator answers, all of them with GET.
pub const ENDPOINTS: &[Endpoint] = &[
    INSTANCE,
    USERS,
    USER_COUNT,
    USER,
    USER_MEMBERSHIPS,
    ORGANIZATIONS,
    ORGANIZATION,
    ORGANIZATION_MEMBERSHIPS,
    MEMBERSHIPS,
];

/// Values to include and values to exclude.
#[derive(Debug, Default)]
pub(crate) struct IncludeExclude {
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) field: &'static str,
    pub(crate) descending: bool,
}

#[derive(Debug)]
enum Value {
    List(Vec<String>),
    IncludeExclude(IncludeExclude),
    Text(String),
    Integer(i64),
    Boolean(bool),
    Order(Order),
}

/// The parameters of one request, which were checked against those of the endpoint.
#[derive(Debug)]
pub(crate) struct Query {
    values: Vec<(&'static str, Value)>,
    distortions: Distortions,
}

impl Query {
    /// Reads decoded pairs of names and values.
    ///
    /// # Errors
    /// Clerk's error with status 422 if a value is not acceptable.
    pub(crate) fn read(
        endpoint: &Endpoint,
        pairs: &[(String, String)],
        distortions: Distortions,
    ) -> Result<Query, ClerkError> {
        let mut values = Vec::new();
        for parameter in endpoint.parameters() {
            let given: Vec<&str> =
                pairs.iter().filter(|(name, _)| name == parameter.name).map(|(_, value)| value.as_str()).collect();
            // If a parameter that takes one value is repeated, Clerk uses the first value. An empty one counts as
            // missing.
            if let Some(first) = given.first()
                && (parameter.kind.is_array() || !first.is_empty())
            {
                values.push((parameter.name, read_value(parameter, first, &given)?));
            }
        }
        Ok(Query { values, distortions })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let mut values = self.values.iter();
        values.find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The values of an array without prefixes; `None` if it was not given.
    pub(crate) fn list(&self, name: &str) -> Option<&[String]> {
        match self.get(name)? {
            Value::List(values) => Some(values),
            _ => None,
        }
    }

    /// The values of an array with prefixes.
    pub(crate) fn include_exclude(&self, name: &str) -> IncludeExclude {
        match self.get(name) {
            Some(Value::IncludeExclude(values)) => {
                IncludeExclude { include: values.include.clone(), exclude: values.exclude.clone() }
            }
            _ => IncludeExclude::default(),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }

    /// The requested order; without one, the newest objects come first.
    pub(crate) fn order(&self) -> Order {
        match self.get("order_by") {
            Some(Value::Order(order)) => *order,
            _ => Order { field: "created_at", descending: true },
        }
    }

    pub(crate) fn limit(&self) -> usize {
        let limit = self.integer("limit").unwrap_or(DEFAULT_LIMIT);
        let limit = usize::try_from(limit).unwrap_or_default();
        self.distortions.max_objects.map_or(limit, |max| limit.min(max))
    }

    /// The seed for the order of equal rows, if ties are unstable.
    pub(crate) fn tie_seed(&self) -> Option<u64> {
        self.distortions.tie_seed
    }

    pub(crate) fn offset(&self) -> usize {
        let offset = self.integer("offset").unwrap_or_default();
        usize::try_from(offset).unwrap_or_default()
    }
}

fn read_value(parameter: &Parameter, first: &str, given: &[&str]) -> Result<Value, ClerkError> {
    let name = parameter.name;
    let list = || -> Result<Vec<String>, ClerkError> {
        if given.len() > MAX_VALUES {
            return Err(ClerkError::too_many_values(name, MAX_VALUES));
        }
        Ok(given.iter().map(|value| (*value).to_owned()).collect())
    };
    let integer = || first.parse::<i64>().map_err(|_| ClerkError::wrong_type(name, "integer"));

    Ok(match parameter.kind {
        ParameterKind::List => Value::List(list()?),
        ParameterKind::Phones => Value::List(list()?.iter().map(|value| restore_plus(value)).collect()),
        ParameterKind::IncludeExclude => {
            let mut values = IncludeExclude::default();
            for value in list()? {
                let value = restore_plus(&value);
                match value.strip_prefix('-') {
                    Some(excluded) => values.exclude.push(excluded.to_owned()),
                    None => values.include.push(value.strip_prefix('+').unwrap_or(&value).to_owned()),
                }
            }
            Value::IncludeExclude(values)
        }
        ParameterKind::Text => Value::Text(first.to_owned()),
        ParameterKind::Integer => Value::Integer(integer()?),
        ParameterKind::Boolean => match first {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => return Err(ClerkError::wrong_type(name, "boolean")),
        },
        ParameterKind::Limit => match integer()? {
            limit if limit < 1 => {
                return Err(ClerkError::invalid_value(name, "it has to be 1 or more"));
            }
            limit if limit > MAX_PER_PAGE => {
                return Err(ClerkError::too_large(name, MAX_PER_PAGE));
            }
            limit => Value::Integer(limit),
        },
        ParameterKind::Offset => match integer()? {
            offset if offset < 0 => {
                return Err(ClerkError::invalid_value(name, "it has to be 0 or more"));
            }
            offset => Value::Integer(offset),
        },
        ParameterKind::OrderBy(fields) => Value::Order(read_order(name, &restore_plus(first), fields)?),
    })
}

/// Replaces a leading space, which was a plus sign that the client did not encode.
fn restore_plus(value: &str) -> String {
    match value.strip_prefix(' ') {
        Some(rest) => format!("+{rest}"),
        None => value.to_owned(),
    }
}

fn read_order(name: &str, value: &str, fields: &[&'static str]) -> Result<Order, ClerkError> {
    let (descending, wanted) = match value.strip_prefix('-') {
        Some(field) => (true, field),
        None => (false, value.strip_prefix('+').unwrap_or(value)),
    };
    let mut known = fields.iter();
    let field = known
        .find(|field| **field == wanted)
        .ok_or_else(|| ClerkError::invalid_value(name, &format!("it is not one of {}", fields.join(", "))))?;
    Ok(Order { field, descending })
}
