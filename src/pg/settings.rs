//! Defines the extension's settings (GUCs), and reads and sets settings of others.

use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, pg_sys};

use crate::pg::encoding::from_server;

static ENABLE_LOOKUP_JOIN: GucSetting<bool> = GucSetting::<bool>::new(true);
static LOG_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(30 * 86_400);
static NAPTIME: GucSetting<i32> = GucSetting::<i32>::new(60);
static WEBHOOK_MIRROR: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// Whether the planner may choose lookup joins.
pub fn is_lookup_join_enabled() -> bool {
    ENABLE_LOOKUP_JOIN.get()
}

/// How long the log of syncs is kept, in seconds.
pub fn log_retention() -> i32 {
    LOG_RETENTION.get()
}

/// The interval at which the background worker looks for syncs that are due, in seconds.
pub fn naptime() -> i32 {
    NAPTIME.get()
}

/// The mirror that `clerk_fdw.webhook(json)` receives webhooks for, if the setting names one.
pub fn webhook_mirror() -> Option<String> {
    setting_value("clerk_fdw.webhook_mirror").filter(|name| !name.is_empty())
}

/// The value of any setting, such as those that PostgREST makes for a request; `None` if there is no such setting.
pub fn setting_value(name: &str) -> Option<String> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name is a C string. GetConfigOption returns null or a C string that is valid until the next call, and
    // from_server copies it before that.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| from_server(value))
    }
}

/// Sets a setting until the transaction ends.
pub fn set_until_commit(name: &CStr, value: &CStr) {
    use pg_sys::{GucAction, GucContext, GucSource};
    let (name, value) = (name.as_ptr(), value.as_ptr());
    // SAFETY: both pointers come from a CStr, which the caller holds during the call.
    unsafe {
        pg_sys::set_config_option(
            name,
            value,
            GucContext::PGC_USERSET,
            GucSource::PGC_S_SESSION,
            GucAction::GUC_ACTION_LOCAL,
            true,
            0,
            false,
        );
    }
}

static IS_PRELOADED: AtomicBool = AtomicBool::new(false);

/// Whether shared_preload_libraries names the extension, so that its scheduler runs. The postmaster sets the flag, and
/// backends inherit it when they are forked.
pub fn is_preloaded() -> bool {
    IS_PRELOADED.load(Ordering::Relaxed)
}

/// Notes that the postmaster has loaded the extension through shared_preload_libraries.
pub fn set_preloaded() {
    IS_PRELOADED.store(true, Ordering::Relaxed);
}

/// Registers the settings with Postgres.
pub fn define() {
    GucRegistry::define_bool_guc(
        c"clerk_fdw.enable_lookup_join",
        c"Enables the planner's use of lookup joins.",
        c"They look up the rows of a foreign table that rows of other tables are joined with, up to a hundred in a request.",
        &ENABLE_LOOKUP_JOIN,
        GucContext::Userset,
        GucFlags::EXPLAIN,
    );
    GucRegistry::define_int_guc(
        c"clerk_fdw.log_retention",
        c"How long clerk_fdw.sync_runs, clerk_fdw.sync_errors and clerk_fdw.webhook_events keep their entries.",
        c"Older entries are deleted when the mirror is synced or receives a webhook. Webhooks are kept for 7 days at least.",
        &LOG_RETENTION,
        60,
        i32::MAX,
        GucContext::Suset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"clerk_fdw.naptime",
        c"How often the extension's own worker looks for syncs that are due.",
        c"The worker runs if shared_preload_libraries contains clerk_fdw.",
        &NAPTIME,
        1,
        86_400,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_string_guc(
        c"clerk_fdw.webhook_mirror",
        c"The mirror that clerk_fdw.webhook(json) receives webhooks for.",
        c"If it is empty, the secret that signed a webhook decides.",
        &WEBHOOK_MIRROR,
        GucContext::Userset,
        GucFlags::default(),
    );
}
