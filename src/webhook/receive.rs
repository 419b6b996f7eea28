//! From a delivery to its entry in the log.

use std::time::SystemTime;

use clerk_api::webhook::{Event, verify};
use pgrx::pg_sys;
use secrecy::SecretString;

use super::apply::{Outcome, apply};
use crate::attempt::{Failure, as_role, attempt_as};
use crate::connection::vault_secret;
use crate::error::{FdwError, OrRaise};
use crate::mirror::config::{Mirror, lender};
use crate::settings;
use crate::spi;

/// What the sender has sent; what is missing is empty.
pub struct Delivery<'d> {
    pub body: &'d str,
    pub id: &'d str,
    pub timestamp: &'d str,
    pub signature: &'d str,
}

/// An entry of the log as it is tried.
struct Entry<'e> {
    id: &'e str,
    event: Event<'e>,
    body: &'e str,
    /// In Unix milliseconds.
    happened_at: i64,
    revalidate: bool,
}

const FAILED: &str = "failed";

/// Verifies a delivery, claims its id and applies its event. An error leaves nothing behind but a higher count of
/// refusals.
pub fn receive(name: &str, delivery: &Delivery, revalidate: bool) -> &'static str {
    check_isolation().or_raise();
    let lender = lender().or_raise();
    let mirror = as_role(lender, || Mirror::of_anyone(name)).or_raise();
    let event = verified(&mirror, lender, delivery).unwrap_or_else(|error| {
        as_role(lender, || spi::run("SELECT pg_catalog.nextval('clerk_fdw.webhook_refusals')", &[])).or_raise();
        error.raise()
    });
    let sent = delivery.timestamp.parse::<i64>().unwrap_or_default().saturating_mul(1000);
    let happened_at = event.timestamp_ms.unwrap_or(sent);
    let entry = Entry { id: delivery.id, event, body: delivery.body, happened_at, revalidate };
    if !as_role(lender, || claim(&mirror, &entry)).or_raise() {
        return "duplicate";
    }
    let (outcome, reason) = attempt(&mirror, &entry).unwrap_or_else(|failure| failure.raise());
    as_role(lender, || {
        settle(&mirror, &entry, outcome, reason.as_deref())?;
        forget(&mirror)
    })
    .or_raise();
    outcome
}

/// Tries the failed events of a mirror again, in the order in which they came.
pub fn retry(mirror: &Mirror) -> Result<Vec<(String, &'static str)>, Failure> {
    let failed = attempt_as(mirror.owner, || {
        spi::rows(
            "SELECT id FROM clerk_fdw.webhook_event WHERE mirror OPERATOR(pg_catalog.=) $1::pg_catalog.name
                AND outcome OPERATOR(pg_catalog.=) 'failed' ORDER BY received_at",
            &[Some(&mirror.name)],
        )
    })?;
    let mut outcomes = Vec::new();
    for id in failed.into_iter().flatten().flatten() {
        // Whoever has it locked is trying it just now.
        let row = attempt_as(mirror.owner, || {
            spi::row(
                "SELECT body, (pg_catalog.date_part('epoch', happened_at) OPERATOR(pg_catalog.*) 1000)::pg_catalog.int8, revalidate
                   FROM clerk_fdw.webhook_event WHERE mirror OPERATOR(pg_catalog.=) $1::pg_catalog.name
                    AND id OPERATOR(pg_catalog.=) $2 AND outcome OPERATOR(pg_catalog.=) 'failed' FOR UPDATE SKIP LOCKED",
                &[Some(&mirror.name), Some(&id)],
            )
        })?;
        let Some([Some(body), Some(happened_at), revalidate]) = row.as_deref() else { continue };
        let event = match Event::parse(body.as_bytes()) {
            Ok(event) => event,
            Err(malformed) => attempt_as(mirror.owner, || Err(FdwError::Event(malformed)))?,
        };
        let happened_at = happened_at.parse().unwrap_or_default();
        let entry = Entry { id: &id, event, body, happened_at, revalidate: revalidate.as_deref() == Some("t") };
        let (outcome, reason) = attempt(mirror, &entry)?;
        attempt_as(mirror.owner, || settle(mirror, &entry, outcome, reason.as_deref()))?;
        outcomes.push((id, outcome));
    }
    Ok(outcomes)
}

/// An older snapshot would not show what another delivery of the same object has just done.
fn check_isolation() -> Result<(), FdwError> {
    // SAFETY: reads a variable of this backend.
    match unsafe { pg_sys::XactIsoLevel } > pg_sys::XACT_READ_COMMITTED as i32 {
        true => Err(FdwError::Isolation),
        false => Ok(()),
    }
}

/// The event of a delivery that is Clerk's own and meant for this mirror.
fn verified<'d>(mirror: &Mirror, lender: pg_sys::Oid, delivery: &Delivery<'d>) -> Result<Event<'d>, FdwError> {
    let Delivery { body, id, timestamp, signature } = *delivery;
    let secrets = secrets(mirror, lender)?;
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
    // As in pages: what Postgres cannot store is replaced.
    for text in [Some(&mut event.type_), event.id.as_mut()].into_iter().flatten() {
        *text = text.replace('\0', "\u{FFFD}");
    }
    Ok(event)
}

/// The mirror's secrets. One that Vault does not give is left out: another may do.
fn secrets(mirror: &Mirror, lender: pg_sys::Oid) -> Result<Vec<SecretString>, FdwError> {
    let query = "SELECT secret, vault_name FROM clerk_fdw.webhook_secret
                  WHERE mirror OPERATOR(pg_catalog.=) $1::pg_catalog.name ORDER BY id DESC";
    let rows = as_role(lender, || spi::rows(query, &[Some(&mirror.name)]))?;
    let secrets = rows.into_iter().filter_map(|row| match <[Option<String>; 2]>::try_from(row).ok()? {
        [Some(secret), _] => Some(secret),
        [None, name] => vault_secret(mirror.owner, "webhook secret", &name?).ok(),
    });
    Ok(secrets.map(SecretString::from).collect())
}

/// Claims the id of an event. Not if that was done before, unless it failed; waits for whoever is doing it.
fn claim(mirror: &Mirror, entry: &Entry) -> Result<bool, FdwError> {
    let Entry { id, event, happened_at, revalidate, .. } = entry;
    let claimed = spi::rows(
        "INSERT INTO clerk_fdw.webhook_event AS e (mirror, id, type, object, object_id, happened_at, revalidate, outcome)
         VALUES ($1::pg_catalog.name, $2, $3, $4, $5,
                 pg_catalog.to_timestamp($6::pg_catalog.float8 OPERATOR(pg_catalog./) 1000), $7::pg_catalog.bool, 'claimed')
         ON CONFLICT (mirror, id) DO UPDATE SET revalidate = excluded.revalidate
          WHERE e.outcome OPERATOR(pg_catalog.=) 'failed'
         RETURNING 1",
        &[
            Some(&mirror.name),
            Some(id),
            Some(&event.type_),
            event.object.map(|object| object.name),
            event.id.as_deref(),
            Some(&happened_at.to_string()),
            Some(&revalidate.to_string()),
        ],
    )?;
    Ok(!claimed.is_empty())
}

/// Applies an event with the rights of the mirror's owner. What fails is undone and told; it is an error only where
/// the server could not go on.
fn attempt(mirror: &Mirror, entry: &Entry) -> Result<(&'static str, Option<String>), Failure> {
    let done = attempt_as(mirror.owner, || apply(mirror, &entry.event, entry.happened_at, entry.revalidate));
    match done {
        Ok(Outcome::Applied) => Ok(("applied", None)),
        Ok(Outcome::Stale(reason)) => Ok(("stale", Some(reason.to_owned()))),
        Ok(Outcome::Ignored(reason)) => Ok(("ignored", Some(reason.to_owned()))),
        Err(failure) if failure.is_about_the_server() => Err(failure),
        Err(failure) => Ok((FAILED, Some(failure.message()))),
    }
}

/// Writes down what became of an event.
fn settle(mirror: &Mirror, entry: &Entry, outcome: &str, reason: Option<&str>) -> Result<(), FdwError> {
    spi::run(
        "UPDATE clerk_fdw.webhook_event e
            SET outcome = $3, reason = $4,
                body = CASE WHEN m.keep_webhook_bodies OR $3 OPERATOR(pg_catalog.=) 'failed' THEN $5 END
           FROM clerk_fdw.mirror m
          WHERE m.mirror OPERATOR(pg_catalog.=) e.mirror AND e.mirror OPERATOR(pg_catalog.=) $1::pg_catalog.name
            AND e.id OPERATOR(pg_catalog.=) $2",
        &[Some(&mirror.name), Some(entry.id), Some(outcome), reason, Some(entry.body)],
    )
}

/// Forgets old claims and tombstones, a few each time. Svix goes on trying for days, and can be told to send again
/// what is three months old; an event whose claim is forgotten meets the object's newer state or its tombstone.
fn forget(mirror: &Mirror) -> Result<(), FdwError> {
    const DAY: i32 = 86_400;
    for (table, moment, least) in [("webhook_event", "received_at", 7 * DAY), ("tombstone", "recorded_at", 100 * DAY)] {
        let seconds = settings::log_retention().max(least).to_string();
        spi::run(
            &format!(
                "DELETE FROM clerk_fdw.{table} WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
                   SELECT o.ctid FROM clerk_fdw.{table} o
                    WHERE o.mirror OPERATOR(pg_catalog.=) $1::pg_catalog.name
                      AND o.{moment} OPERATOR(pg_catalog.<) (pg_catalog.now() OPERATOR(pg_catalog.-)
                                                            pg_catalog.make_interval(secs => $2::pg_catalog.float8))
                    ORDER BY o.{moment} LIMIT 10 FOR UPDATE SKIP LOCKED))"
            ),
            &[Some(&mirror.name), Some(&seconds)],
        )?;
    }
    Ok(())
}
