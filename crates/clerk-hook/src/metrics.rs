//! The metrics for Prometheus.

use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::failure::Failure;

/// The content type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The answers of `receive_webhook` that have a label of their own.
const OUTCOMES: [&str; 4] = ["applied", "duplicate", "stale", "ignored"];

type Counters<V> = Family<[(&'static str, V); 1], Counter>;

pub(crate) struct Metrics {
    registry: Registry,
    deliveries: Counters<&'static str>,
    errors: Counters<u16>,
    seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let deliveries = Counters::default();
        let errors = Counters::default();
        // From 1 ms to 16 s, which is longer than the default timeout of 10 s.
        let seconds = Histogram::new(exponential_buckets(0.001, 2.0, 15));
        let mut registry = Registry::with_prefix("clerk_hook");
        registry.register("deliveries", "Deliveries that the database took, by its answer", deliveries.clone());
        registry.register("errors", "Deliveries that were not taken, by status", errors.clone());
        registry.register("delivery_seconds", "Time from a delivery's headers to its answer", seconds.clone());
        // Prometheus computes a rate only from the second value on. So each counter exists from the start, with the
        // value 0.
        for outcome in OUTCOMES {
            drop(deliveries.get_or_create(&[("outcome", outcome)]));
        }
        for status in Failure::STATUSES {
            drop(errors.get_or_create(&[("status", status.as_u16())]));
        }
        Metrics { registry, deliveries, errors, seconds }
    }

    pub(crate) fn accepted(&self, answer: &str, took: Duration) {
        // Unknown answers share one label, because each label value is a time series.
        let outcome = OUTCOMES.into_iter().find(|outcome| *outcome == answer).unwrap_or("other");
        self.deliveries.get_or_create(&[("outcome", outcome)]).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn failed(&self, status: StatusCode, took: Duration) {
        self.errors.get_or_create(&[("status", status.as_u16())]).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// All metrics in Prometheus's text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes any text");
        text
    }
}
