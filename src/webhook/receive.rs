//! Receives deliveries of webhooks, from their verification to their entry in the log.

use std::time::SystemTime;

use clerk_api::webhook::{Event, verify};
use pgrx::pg_sys;
use secrecy::SecretString;

use super::apply::{Outcome, apply};
use crate::error::{FdwError, OrRaise};
use crate::mirror::lock;
use crate::mirror::model::{Entry, Mirror, MirrorRef};
use crate::mirror::store;
use crate::mirror::sync::log::{RETENTIONS, Retention};
use crate::pg::deferral::in_subtransaction_beside_caller;
use crate::pg::subtransaction::{Failure, in_subtransaction};
use crate::pg::transactions::Transactions;
use crate::remote::credentials::vault_secret;

/// What the sender has sent. A header that is missing is empty.
pub struct Delivery<'d> {
    pub body: &'d str,
    pub id: &'d str,
    pub timestamp: &'d str,
    pub signature: &'d str,
}

/// A verified delivery whose event is to be applied.
struct VerifiedDelivery<'e> {
    id: &'e str,
    event: Event<'e>,
    body: &'e str,
    /// In Unix milliseconds.
    happened_at: i64,
    revalidate: bool,
}

/// What applying an event has led to, in the words of its log entry.
struct EventResult {
    outcome: &'static str,
    reason: Option<String>,
}

/// The outcome of an event that could not be applied.
pub const FAILED: &str = "failed";

/// Verifies a delivery, and applies its event unless that has already been done. An error leaves nothing behind except
/// a higher count of refused deliveries.
pub fn receive(mirror_ref: MirrorRef, delivery: &Delivery, revalidate: bool) -> &'static str {
    check_isolation().or_raise();
    let mirror = Mirror::load_for_anyone(mirror_ref).or_raise();
    let event = verify_delivery(&mirror, delivery).unwrap_or_else(|error| refuse(error));
    let sent_at = delivery.timestamp.parse::<i64>().unwrap_or_default().saturating_mul(1000);
    let happened_at = event.timestamp_ms.unwrap_or(sent_at);
    let received = VerifiedDelivery { id: delivery.id, event, body: delivery.body, happened_at, revalidate };
    // What is written for a mirror that another transaction has just dropped would stay for ever.
    lock::against_drop(&mirror);
    // If another transaction is processing the same delivery, this one waits for it.
    lock::webhook(&mirror, received.id);
    if is_duplicate(&mirror, &received).or_raise() {
        return "duplicate";
    }
    let result = apply_event(&mirror, &received).unwrap_or_else(|failure| failure.raise());
    log_event(&mirror, &received, &result).or_raise();
    delete_old_entries(&mirror).or_raise();
    result.outcome
}

/// The mirror that a delivery is for if the caller does not say so: the only mirror that has secrets, or else the one
/// whose secret has signed the delivery.
pub fn mirror_of_delivery(delivery: &Delivery) -> MirrorRef<'static> {
    let mirrors =
        store::column("SELECT DISTINCT s.mirror FROM clerk_fdw_internal.webhook_secret s ORDER BY s.mirror", &[])
            .or_raise();
    let mut numbers: Vec<i32> = mirrors.iter().filter_map(|number| number.parse().ok()).collect();
    if numbers.len() > 1 {
        let Delivery { body, id, timestamp, signature } = *delivery;
        numbers.retain(|number| {
            let Ok(mirror) = Entry::load_for_anyone(MirrorRef::Number(*number)) else { return false };
            let secrets = secrets(&mirror).or_raise();
            verify(&secrets, id, timestamp, signature, body.as_bytes(), SystemTime::now()).is_ok()
        });
        if numbers.is_empty() {
            let refusal = clerk_api::webhook::Refusal::BadSignature;
            refuse(FdwError::Delivery { refusal, mirror: String::new() });
        }
    }
    match numbers[..] {
        [number] => MirrorRef::Number(number),
        _ => FdwError::NoMirrorForWebhook.raise(),
    }
}

/// Counts a refused delivery, and raises the error.
fn refuse(error: FdwError) -> ! {
    store::run("SELECT nextval('clerk_fdw_internal.webhook_refusals')", &[]).or_raise();
    error.raise()
}

/// Retries the failed events of a mirror, at most `max_events` of them, in the order of their arrival. `after` is
/// called with the id and the outcome of each one after these have been logged.
pub fn retry(mirror: &Mirror, max_events: u32, mut after: impl FnMut(String, &'static str)) -> Result<(), Failure> {
    let failed = in_subtransaction(|| {
        store::column(
            "SELECT id FROM clerk_fdw_internal.webhook_event WHERE mirror = $1::int4 AND outcome = 'failed'
              ORDER BY received_at LIMIT $2::int8",
            &[Some(&mirror.key()), Some(&max_events.to_string())],
        )
    })?;
    for id in failed {
        let row = in_subtransaction(|| {
            // If the mirror was dropped meanwhile, the event is gone with it.
            lock::against_drop(mirror);
            // If another transaction has the lock, it is retrying this event.
            match lock::try_webhook(mirror, &id) {
                false => Ok(None),
                true => store::row(
                    "SELECT body, (date_part('epoch', happened_at) * 1000)::int8, revalidate
                       FROM clerk_fdw_internal.webhook_event
                      WHERE mirror = $1::int4 AND id = $2 AND outcome = 'failed'",
                    &[Some(&mirror.key()), Some(&id)],
                ),
            }
        })?;
        let Some([Some(body), Some(happened_at), revalidate]) = row.as_deref() else { continue };
        // An event that could be parsed when it arrived and cannot be parsed now must not hold up the others.
        let Ok(event) = Event::parse(body.as_bytes()) else { continue };
        let happened_at = happened_at.parse().unwrap_or_default();
        let received =
            VerifiedDelivery { id: &id, event, body, happened_at, revalidate: revalidate.as_deref() == Some("t") };
        let result = apply_event(mirror, &received)?;
        in_subtransaction(|| log_event(mirror, &received, &result))?;
        after(id, result.outcome);
    }
    Ok(())
}

/// The most failed events that a sync retries, so that a long outage does not delay the sync itself without end. The
/// next sync retries the rest.
const MAX_RETRIES: u32 = 10_000;

/// Retries the failed events of a mirror before it is synced. Each one is committed by itself, because its locks are
/// held until the transaction ends.
pub fn retry_all(mirror: &Mirror, transactions: &Transactions) -> Result<(), Failure> {
    retry(mirror, MAX_RETRIES, |_, _| transactions.commit())
}

/// Refuses transactions that keep one snapshot: it would not show what another delivery for the same object has just
/// committed.
fn check_isolation() -> Result<(), FdwError> {
    // SAFETY: XactIsoLevel is an int that Postgres sets at the start of a transaction, and only this thread of the
    // backend reads or writes it.
    match unsafe { pg_sys::XactIsoLevel } > pg_sys::XACT_READ_COMMITTED as i32 {
        true => Err(FdwError::Isolation),
        false => Ok(()),
    }
}

/// Verifies a delivery, and returns its event if it is from the mirror's Clerk instance.
fn verify_delivery<'d>(mirror: &Mirror, delivery: &Delivery<'d>) -> Result<Event<'d>, FdwError> {
    let Delivery { body, id, timestamp, signature } = *delivery;
    let secrets = secrets(mirror)?;
    verify(&secrets, id, timestamp, signature, body.as_bytes(), SystemTime::now())
        .map_err(|refusal| FdwError::Delivery { refusal, mirror: mirror.name.clone() })?;
    let mut event = Event::parse(body.as_bytes()).map_err(FdwError::Event)?;
    if let (Some(known), Some(found)) = (&mirror.instance_id, &event.instance_id)
        && known != found
    {
        return Err(FdwError::EventOfOtherInstance {
            mirror: mirror.name.clone(),
            known: known.clone(),
            found: found.clone(),
        });
    }
    // Postgres cannot store NUL in a text. It is replaced here as it is in pages.
    for text in [Some(&mut event.type_), event.id.as_mut()].into_iter().flatten() {
        *text = text.replace('\0', "\u{FFFD}");
    }
    Ok(event)
}

/// The mirror's secrets. A secret that cannot be read from Vault is left out: another one may verify the delivery.
fn secrets(mirror: &Entry) -> Result<Vec<SecretString>, FdwError> {
    let query =
        "SELECT secret, vault_name FROM clerk_fdw_internal.webhook_secret WHERE mirror = $1::int4 ORDER BY id DESC";
    let secrets =
        store::rows(query, &[Some(&mirror.key())])?.into_iter().filter_map(
            |row| match <[Option<String>; 2]>::try_from(row).ok()? {
                [Some(secret), _] => Some(secret),
                [None, vault_name] => vault_secret(&[mirror.owner], "webhook secret", &vault_name?).ok(),
            },
        );
    Ok(secrets.map(SecretString::from).collect())
}

/// Whether the event was processed before. One that failed counts as new, so that it is retried. An error if the mirror
/// is gone.
fn is_duplicate(mirror: &Mirror, received: &VerifiedDelivery) -> Result<bool, FdwError> {
    let row = store::row(
        "SELECT e.outcome FROM clerk_fdw_internal.mirror m
           LEFT JOIN clerk_fdw_internal.webhook_event e ON e.mirror = m.number AND e.id = $2
          WHERE m.number = $1::int4",
        &[Some(&mirror.key()), Some(received.id)],
    )?;
    match row.as_deref() {
        Some([outcome]) => Ok(outcome.as_ref().is_some_and(|outcome| outcome != FAILED)),
        _ => Err(FdwError::NoMirror(mirror.name.clone())),
    }
}

/// Applies an event. If that fails, its changes are undone and the reason is returned. Only a failure that may pass is
/// an error, such as a cancel or a lack of memory.
fn apply_event(mirror: &Mirror, received: &VerifiedDelivery) -> Result<EventResult, Failure> {
    let result = in_subtransaction_beside_caller(mirror.owner, || {
        apply(mirror, &received.event, received.happened_at, received.revalidate)
    });
    let (outcome, reason) = match result {
        Ok(Outcome::Applied) => ("applied", None),
        Ok(Outcome::Stale(reason)) => ("stale", Some(reason.to_owned())),
        Ok(Outcome::Ignored(reason)) => ("ignored", Some(reason.to_owned())),
        Err(failure) if failure.is_transient() => return Err(failure),
        Err(failure) => (FAILED, Some(failure.message())),
    };
    Ok(EventResult { outcome, reason })
}

/// Logs an event and its outcome. The row is written only once, unless the event fails at first.
fn log_event(mirror: &Mirror, received: &VerifiedDelivery, result: &EventResult) -> Result<(), FdwError> {
    let VerifiedDelivery { id, event, body, happened_at, revalidate } = received;
    let keeps_body = mirror.keep_webhook_bodies || result.outcome == FAILED;
    store::run(
        "INSERT INTO clerk_fdw_internal.webhook_event
           (mirror, id, type, object, object_id, happened_at, revalidate, outcome, reason, body)
         VALUES ($1::int4, $2, $3, $4, $5, to_timestamp($6::float8 / 1000), $7::bool, $8, $9, $10)
         ON CONFLICT (mirror, id) DO UPDATE
            SET revalidate = excluded.revalidate, outcome = excluded.outcome, reason = excluded.reason,
                body = excluded.body",
        &[
            Some(&mirror.key()),
            Some(id),
            Some(&event.type_),
            event.object.map(|object| object.name),
            event.id.as_deref(),
            Some(&happened_at.to_string()),
            Some(store::boolean(*revalidate)),
            Some(result.outcome),
            result.reason.as_deref(),
            keeps_body.then_some(*body),
        ],
    )
}

/// Deletes old log entries and tombstones, at most 10 of each per delivery, so that a delivery stays fast. A mirror
/// that only receives webhooks has no sync that would delete them.
fn delete_old_entries(mirror: &Mirror) -> Result<(), FdwError> {
    let is_from_webhooks = |retention: &&Retention| ["webhook_event", "tombstone"].contains(&retention.table);
    for retention in RETENTIONS.iter().filter(is_from_webhooks) {
        let Retention { table, time_column, .. } = retention;
        let seconds = retention.seconds().to_string();
        store::run(
            &format!(
                "DELETE FROM clerk_fdw_internal.{table} WHERE ctid = ANY (ARRAY(
                   SELECT o.ctid FROM clerk_fdw_internal.{table} o
                    WHERE o.mirror = $1::int4
                      AND o.{time_column} < (now() - make_interval(secs => $2::float8))
                    ORDER BY o.{time_column} LIMIT 10 FOR UPDATE SKIP LOCKED))"
            ),
            &[Some(&mirror.key()), Some(&seconds)],
        )?;
    }
    Ok(())
}
