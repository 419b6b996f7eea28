//! Clerk's errors, with the statuses, codes and messages that its documentation lists.

use serde::Serialize;

/// An error that a request is answered with.
#[derive(Clone, Debug)]
pub(crate) struct ClerkError {
    pub(crate) status: u16,
    code: &'static str,
    message: String,
    long_message: String,
    /// The parameter that caused the error.
    parameter: Option<Box<str>>,
    /// The value of the header `Retry-After`, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// The value of the header `Allow`, for a method that is not allowed.
    pub(crate) allow: Option<Box<str>>,
}

impl ClerkError {
    fn new(status: u16, code: &'static str, message: &str, long_message: impl Into<String>) -> ClerkError {
        ClerkError {
            status,
            code,
            message: message.to_owned(),
            long_message: long_message.into(),
            parameter: None,
            retry_after: None,
            allow: None,
        }
    }

    fn about(self, parameter: &str) -> ClerkError {
        ClerkError { parameter: Some(parameter.into()), ..self }
    }

    pub(crate) fn no_key() -> ClerkError {
        ClerkError::new(
            401,
            "authorization_header_format_invalid",
            "Invalid Authorization header format",
            r#"Invalid Authorization header format. Must be "Bearer <YOUR_API_KEY>""#,
        )
    }

    pub(crate) fn wrong_key() -> ClerkError {
        let message = "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.";
        ClerkError::new(401, "clerk_key_invalid", message, message)
    }

    pub(crate) fn not_found(kind: &str, id: &str) -> ClerkError {
        ClerkError::new(404, "resource_not_found", "not found", format!("No {kind} was found with id {id}"))
    }

    pub(crate) fn no_such_route() -> ClerkError {
        ClerkError::new(404, "resource_not_found", "not found", "The URL was not found")
    }

    /// `allowed` are the methods that the path has.
    pub(crate) fn method_not_allowed(method: &str, allowed: &[&str]) -> ClerkError {
        ClerkError {
            allow: Some(allowed.join(", ").into()),
            ..ClerkError::new(
                405,
                "method_not_allowed",
                "Method not allowed",
                format!("The simulator does not answer {method} here"),
            )
        }
    }

    pub(crate) fn unsupported_content_type(given: &str) -> ClerkError {
        ClerkError::new(
            415,
            "unsupported_content_type",
            "Content-Type is not supported",
            format!("The body has to be application/json, not {given}"),
        )
    }

    pub(crate) fn too_many_requests(retry_after: u64) -> ClerkError {
        ClerkError {
            retry_after: Some(retry_after),
            ..ClerkError::new(429, "too_many_requests", "Too many requests", "Too many requests, retry later")
        }
    }

    pub(crate) fn wrong_type(parameter: &str, expected: &str) -> ClerkError {
        ClerkError::new(422, "form_param_type_invalid", "is invalid", format!("`{parameter}` must be a `{expected}`."))
            .about(parameter)
    }

    pub(crate) fn invalid_value(parameter: &str, why: &str) -> ClerkError {
        ClerkError::new(422, "form_param_value_invalid", "is invalid", format!("{parameter} is invalid: {why}"))
            .about(parameter)
    }

    pub(crate) fn too_large(parameter: &str, max: i64) -> ClerkError {
        ClerkError::new(
            422,
            "form_param_value_too_large",
            "Value too large",
            format!("The value of {parameter} can't be greater than {max}"),
        )
        .about(parameter)
    }

    pub(crate) fn too_many_values(parameter: &str, max: usize) -> ClerkError {
        ClerkError::new(
            422,
            "form_param_array_size_exceeded",
            "exceeds maximum size",
            format!("{parameter} should not exceed {max} items."),
        )
        .about(parameter)
    }

    pub(crate) fn required(parameter: &str) -> ClerkError {
        ClerkError::new(422, "form_param_missing", "is missing", format!("{parameter} must be included."))
            .about(parameter)
    }

    pub(crate) fn unknown(parameter: &str) -> ClerkError {
        ClerkError::new(
            422,
            "form_param_unknown",
            "is unknown",
            format!("{parameter} is not a valid parameter for this request."),
        )
        .about(parameter)
    }

    pub(crate) fn null(parameter: &str) -> ClerkError {
        ClerkError::new(422, "form_param_nil", "is missing", format!("{parameter} can't be null.")).about(parameter)
    }

    pub(crate) fn too_small(parameter: &str, min: i64) -> ClerkError {
        ClerkError::new(
            422,
            "form_param_value_too_small",
            "Value too small",
            format!("The value of {parameter} can't be less than {min}"),
        )
        .about(parameter)
    }

    pub(crate) fn too_long(parameter: &str, max: usize) -> ClerkError {
        ClerkError::new(
            422,
            "form_param_max_length_exceeded",
            "exceeds maximum length",
            format!("{parameter} should not exceed {max} characters."),
        )
        .about(parameter)
    }

    pub(crate) fn too_short(parameter: &str, min: usize) -> ClerkError {
        ClerkError::new(
            422,
            "form_param_min_length_not_met",
            "is too short",
            format!("{parameter} must have {min} characters or more."),
        )
        .about(parameter)
    }

    pub(crate) fn wrong_format(parameter: &str, expected: &str) -> ClerkError {
        ClerkError::new(422, "form_param_format_invalid", "is invalid", format!("{parameter} must be {expected}."))
            .about(parameter)
    }

    pub(crate) fn password_too_short(min: usize) -> ClerkError {
        let message = format!("Passwords must be {min} characters or more.");
        ClerkError::new(422, "form_password_length_too_short", &message, message.clone()).about("password")
    }

    /// Another object has the value already. `what` is what people call it, such as `email address`.
    pub(crate) fn taken(parameter: &str, what: &str) -> ClerkError {
        let message = format!("That {what} is taken. Please try another.");
        ClerkError::new(422, "form_identifier_exists", &message, message.clone()).about(parameter)
    }

    /// There is such an object already, where Clerk does not take that for a mistake in one of the fields.
    pub(crate) fn duplicate(what: &str) -> ClerkError {
        ClerkError::new(400, "duplicate_record", "duplicate record", format!("There is already {what}."))
    }

    /// The state of an object does not allow what is asked for.
    pub(crate) fn wrong_state(status: u16, code: &'static str, why: &str) -> ClerkError {
        ClerkError::new(status, code, why, why)
    }

    pub(crate) fn already_a_member(user_id: &str) -> ClerkError {
        ClerkError::new(
            400,
            "already_a_member_in_organization",
            "already a member",
            format!("User {user_id} is already a member of the organization."),
        )
    }

    pub(crate) fn no_creator_role() -> ClerkError {
        let why = "The role lacks permissions that the creator of an organization needs.";
        ClerkError::wrong_state(422, "organization_missing_creator_role_permissions", why)
    }

    pub(crate) fn user_quota_exceeded(max: usize) -> ClerkError {
        ClerkError::new(
            403,
            "user_quota_exceeded",
            "You have reached your limit of users",
            format!("You have reached your limit of {max} users. If you need more users, use a production instance."),
        )
    }

    pub(crate) fn quota_exceeded(max: i64) -> ClerkError {
        ClerkError::new(
            403,
            "organization_membership_quota_exceeded",
            "organization membership quota exceeded",
            format!("The organization has reached its limit of {max} memberships."),
        )
    }

    pub(crate) fn missing(parameter: &str, because_of: &str) -> ClerkError {
        ClerkError::new(
            422,
            "form_conditional_param_missing",
            "is missing",
            format!("`{parameter}` is required when `{because_of}` is present."),
        )
        .about(parameter)
    }

    pub(crate) fn not_together(parameter: &str, with: &str) -> ClerkError {
        ClerkError::new(
            422,
            "form_conditional_param_disallowed",
            "is not allowed",
            format!("`{parameter}` isn't allowed when `{with}` is present."),
        )
        .about(parameter)
    }

    pub(crate) fn missing_resource(parameter: &str) -> ClerkError {
        ClerkError::new(
            422,
            "form_resource_not_found",
            "is missing",
            format!("The resource associated with the supplied {parameter} was not found."),
        )
        .about(parameter)
    }

    pub(crate) fn bad_body(why: impl ToString) -> ClerkError {
        ClerkError::new(400, "request_body_invalid", "Request body invalid", why.to_string())
    }

    /// Clerk's error for a status, for faults.
    pub(crate) fn with_status(status: u16, retry_after: Option<u64>) -> ClerkError {
        let error = match status {
            400 => ClerkError::bad_body("The request body is invalid. Please consult the API documentation."),
            401 => ClerkError::wrong_key(),
            402 => ClerkError::new(402, "payment_required", "Payment required", "Payment required"),
            403 => ClerkError::new(
                403,
                "authorization_invalid",
                "Unauthorized request",
                "You are not authorized to perform this request",
            ),
            404 => ClerkError::no_such_route(),
            409 => ClerkError::new(409, "conflict", "Conflict", "The request conflicts with another one"),
            422 => ClerkError::invalid_value("parameter", "it is not accepted"),
            429 => ClerkError::too_many_requests(retry_after.unwrap_or(1)),
            status => ClerkError::new(
                status,
                "internal_clerk_error",
                "Oops, an unexpected error occurred",
                "There was an internal error on our servers. We've been notified and are working on fixing it.",
            ),
        };
        ClerkError { retry_after, ..error }
    }

    /// The error as the JSON body of an answer.
    pub(crate) fn body(&self, trace_id: &str) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            errors: [Entry<'a>; 1],
            clerk_trace_id: &'a str,
        }

        #[derive(Serialize)]
        struct Entry<'a> {
            message: &'a str,
            long_message: &'a str,
            code: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            meta: Option<Meta<'a>>,
        }

        #[derive(Serialize)]
        struct Meta<'a> {
            param_name: &'a str,
        }

        let entry = Entry {
            message: &self.message,
            long_message: &self.long_message,
            code: self.code,
            meta: self.parameter.as_deref().map(|param_name| Meta { param_name }),
        };
        // Serializing plain strings cannot fail.
        serde_json::to_string(&Body { errors: [entry], clerk_trace_id: trace_id }).unwrap_or_default()
    }
}

/// JSON that cannot be read is the fault of who sent it.
impl From<serde_json::Error> for ClerkError {
    fn from(error: serde_json::Error) -> ClerkError {
        ClerkError::bad_body(error)
    }
}
