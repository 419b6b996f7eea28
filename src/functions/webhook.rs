//! The SQL functions for webhooks: see `sql/4_webhook.sql`.

use pgrx::prelude::*;

use crate::error::{FdwError, OrRaise};
use crate::mirror::model::{Mirror, MirrorRef};
use crate::pg::settings;
use crate::webhook::receive::{self, Delivery};
use crate::webhook::secret;

extension_sql_file!("../../sql/4_webhook.sql", name = "webhook", requires = ["sync"]);

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
    receive::receive(MirrorRef::Name(mirror), &delivery, revalidate.unwrap_or(false))
}

/// `clerk_fdw.webhook(json)`. A value of type json is the text as it was sent, which the signature needs.
#[pg_extern(sql = false)]
fn webhook(body: Option<&str>) -> String {
    let body = body.ok_or(FdwError::Null("the body")).or_raise();
    let headers = settings::setting_value("request.headers").unwrap_or_default();
    let headers: serde_json::Value = serde_json::from_str(&headers).unwrap_or_default();
    let header = |name: &str, alternative: &str| {
        let value = headers.get(name).or_else(|| headers.get(alternative));
        value.and_then(|value| value.as_str()).unwrap_or_default().to_owned()
    };
    let id = header("svix-id", "webhook-id");
    let timestamp = header("svix-timestamp", "webhook-timestamp");
    let signature = header("svix-signature", "webhook-signature");
    let delivery = Delivery { body, id: &id, timestamp: &timestamp, signature: &signature };
    let configured = settings::webhook_mirror();
    let mirror_ref = match &configured {
        Some(name) => MirrorRef::Name(name),
        None => receive::mirror_of_delivery(&delivery),
    };
    let outcome = receive::receive(mirror_ref, &delivery, false);
    if outcome == receive::FAILED {
        // An error would roll back the stored event. With this setting, PostgREST commits and answers 500, so that the
        // sender retries.
        settings::set_until_commit(c"response.status", c"500");
    }
    // The spaces are those that Postgres' json_build_object writes.
    format!(r#"{{"outcome" : "{outcome}"}}"#)
}

#[pg_extern(sql = false)]
fn retry_webhooks(
    mirror: Option<&str>,
    most: Option<i32>,
) -> TableIterator<'static, (name!(id, String), name!(outcome, &'static str))> {
    let mirror = Mirror::load(MirrorRef::Name(mirror.ok_or(FdwError::Null("mirror")).or_raise())).or_raise();
    let most = most.and_then(|most| u32::try_from(most).ok()).unwrap_or(0);
    let mut outcomes = Vec::new();
    receive::retry(&mirror, most, |id, outcome| outcomes.push((id, outcome))).unwrap_or_else(|failure| failure.raise());
    TableIterator::new(outcomes)
}

#[pg_extern(sql = false)]
fn add_webhook_secret(mirror: Option<&str>, secret: Option<&str>, vault_name: Option<&str>) -> i64 {
    secret::add(mirror, secret, vault_name)
}

#[pg_extern(sql = false)]
fn remove_webhook_secret(mirror: Option<&str>, id: Option<i64>) {
    secret::remove(mirror, id);
}
