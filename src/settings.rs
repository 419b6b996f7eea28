//! What can be set in postgresql.conf.

use std::sync::atomic::{AtomicBool, Ordering};

use std::ffi::CString;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

static LOG_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(30 * 86_400);
static NAPTIME: GucSetting<i32> = GucSetting::<i32>::new(60);
/// What SQL reads of it is in `sql/webhook.sql`.
static WEBHOOK_MIRROR: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// How long the log of syncs is kept, in seconds.
pub fn log_retention() -> i32 {
    LOG_RETENTION.get()
}

/// How often the worker looks for syncs that are due, in seconds.
pub fn naptime() -> i32 {
    NAPTIME.get()
}

static IS_PRELOADED: AtomicBool = AtomicBool::new(false);

/// Whether shared_preload_libraries names the extension, so that its scheduler runs. Backends inherit it.
pub fn is_preloaded() -> bool {
    IS_PRELOADED.load(Ordering::Relaxed)
}

/// The server is loading the libraries that all its processes share.
pub fn set_preloaded() {
    IS_PRELOADED.store(true, Ordering::Relaxed);
}

/// Makes the settings known.
pub fn define() {
    GucRegistry::define_int_guc(
        c"clerk_fdw.log_retention",
        c"How long clerk_fdw.sync_runs and clerk_fdw.sync_errors are kept.",
        c"Older entries go when a sync begins.",
        &LOG_RETENTION,
        60,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"clerk_fdw.naptime",
        c"How often scheduled syncs of mirrors are looked for.",
        c"By the worker that runs where shared_preload_libraries names clerk_fdw.",
        &NAPTIME,
        1,
        86_400,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_string_guc(
        c"clerk_fdw.webhook_mirror",
        c"The mirror that clerk_fdw.webhook(json) receives webhooks for.",
        c"Not needed where exactly one mirror has webhook secrets.",
        &WEBHOOK_MIRROR,
        GucContext::Userset,
        GucFlags::default(),
    );
}
