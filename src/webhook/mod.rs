//! Webhooks: what Clerk tells by itself, verified and applied once, in whatever order it comes.
//!
//! The tables and what is called stand in `sql/webhook.sql`.
//!
//! | room | question |
//! | --- | --- |
//! | [`receive`] | Is a delivery Clerk's own and new, and what is written down about it? |
//! | [`apply`] | What becomes of the object that an event tells of? |

use pgrx::prelude::*;

use crate::error::{FdwError, OrRaise};
use crate::mirror::config::Mirror;
use crate::option::hide_statement;
use receive::Delivery;

mod apply;
mod receive;

pub use receive::retry;

extension_sql_file!("../../sql/webhook.sql", name = "webhook", requires = ["sync"]);

#[pg_extern(sql = false)]
fn receive_webhook(
    mirror: Option<&str>,
    body: Option<&str>,
    svix_id: Option<&str>,
    svix_timestamp: Option<&str>,
    svix_signature: Option<&str>,
    revalidate: Option<bool>,
) -> &'static str {
    let mirror = mirror.ok_or(FdwError::Null("mirror")).or_raise();
    let delivery = Delivery {
        body: body.unwrap_or_default(),
        id: svix_id.unwrap_or_default(),
        timestamp: svix_timestamp.unwrap_or_default(),
        signature: svix_signature.unwrap_or_default(),
    };
    receive::receive(mirror, &delivery, revalidate.unwrap_or(false))
}

#[pg_extern(sql = false)]
fn retry_webhooks(mirror: Option<&str>) -> TableIterator<'static, (name!(id, String), name!(outcome, &'static str))> {
    let mirror = Mirror::load(mirror.ok_or(FdwError::Null("mirror")).or_raise()).or_raise();
    TableIterator::new(retry(&mirror).unwrap_or_else(|failure| failure.raise()))
}

#[pg_extern(sql = false)]
fn check_webhook_secret(secret: Option<&str>) {
    if let Err(refusal) = clerk_api::webhook::check_secret(secret.unwrap_or_default()) {
        hide_statement();
        FdwError::WebhookSecret(refusal).raise();
    }
}
