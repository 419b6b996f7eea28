//! What an endpoint consists of: its path, and which parameters it has and which values they accept. The endpoints of
//! users, organizations and memberships are here, too; those of other objects are in `resources`.

/// How many objects a page may have where nothing else is documented.
const MAX_PER_PAGE: i64 = 500;

/// An endpoint: its path, as in Clerk's OpenAPI file, and its query parameters.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// Such as `/users/{user_id}`.
    pub path: &'static str,
    pub(crate) parameters: &'static [&'static [Parameter]],
}

impl Endpoint {
    /// The names of the endpoint's query parameters.
    pub fn parameter_names(&self) -> impl Iterator<Item = &'static str> {
        self.parameters().map(|parameter| parameter.name)
    }

    pub(crate) fn parameters(&self) -> impl Iterator<Item = &'static Parameter> {
        self.parameters.iter().copied().flatten()
    }
}

/// The parts of the path that stand for `{…}`; `None` if it is another path.
pub(crate) fn ids<'a>(template: &str, path: &[&'a str]) -> Option<Vec<&'a str>> {
    let template: Vec<&str> = template.split('/').skip(1).collect();
    if template.len() != path.len() {
        return None;
    }
    let mut ids = Vec::new();
    for (expected, given) in template.into_iter().zip(path) {
        if expected.starts_with('{') && !given.is_empty() {
            ids.push(*given);
        } else if expected != *given {
            return None;
        }
    }
    Some(ids)
}

/// A query parameter of an endpoint.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: ParameterKind,
    pub(crate) condition: Option<Condition>,
}

/// What a parameter demands of an object. Endpoints of users, organizations and memberships have code for theirs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition {
    /// This field has the value, or one of the values.
    Is(&'static str),
    /// The value is a part of one of these fields, in lower or upper case, or exactly one of the others.
    Matches {
        /// The fields of which the value may be a part.
        part: &'static [&'static str],
        /// The fields that the value may be.
        exactly: &'static [&'static str],
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ParameterKind {
    /// Repeated values, one of which has to match.
    List,
    /// Like `List`, for phone numbers, whose plus sign many clients do not encode.
    Phones,
    /// Repeated values with a prefix: `+` to include and `-` to exclude objects.
    IncludeExclude,
    /// Like `IncludeExclude`, of these values.
    Choices(&'static [&'static str]),
    Text,
    /// A text without which the request is refused.
    Required,
    /// A text without which the request is refused, unless it has the parameter of this name.
    RequiredWithout(&'static str),
    /// A text that is not blank.
    Phrase,
    /// One of these texts.
    Choice(&'static [&'static str]),
    Integer,
    Boolean,
    /// A number from 1 to this one.
    Limit(i64),
    Offset,
    OrderBy(&'static [&'static str]),
    /// Like `OrderBy`, where the oldest objects come first unless another order is requested.
    OldestFirst(&'static [&'static str]),
}

impl ParameterKind {
    pub(crate) fn is_array(self) -> bool {
        matches!(
            self,
            ParameterKind::List | ParameterKind::Phones | ParameterKind::IncludeExclude | ParameterKind::Choices(_)
        )
    }
}

pub(crate) const fn parameter(name: &'static str, kind: ParameterKind) -> Parameter {
    Parameter { name, kind, condition: None }
}

/// A parameter that objects are filtered by.
pub(crate) const fn filter(name: &'static str, kind: ParameterKind, condition: Condition) -> Parameter {
    Parameter { name, kind, condition: Some(condition) }
}

pub(crate) const PAGE: &[Parameter] =
    &[parameter("limit", ParameterKind::Limit(MAX_PER_PAGE)), parameter("offset", ParameterKind::Offset)];

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

pub(crate) const EMAIL_ADDRESS: Endpoint = Endpoint { path: "/email_addresses/{email_address_id}", parameters: &[] };

pub(crate) const PHONE_NUMBER: Endpoint = Endpoint { path: "/phone_numbers/{phone_number_id}", parameters: &[] };

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
