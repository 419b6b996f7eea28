//! LIKE and ILIKE, which Clerk answers roughly and Postgres exactly.

use clerk_sim::Config;
use serde_json::json;

use crate::support::*;

/// The whole list, which a few rows make one request.
const ALL: &[&str] = &["/users"];

const NOTHING: &[&str] = &[];

/// Clerk is asked for a part of the pattern; Postgres judges case and wildcards.
#[test]
fn like_and_ilike_on_users() {
    let oracle = Oracle::new(small(), "");
    oracle.check(
        "SELECT user_id FROM clerk.users WHERE ",
        &[
            ("email ILIKE '%ADA@%'", &["/users?email_address_query=ADA@"]),
            ("email LIKE 'ada@%'", &["/users?email_address_query=ada@"]),
            ("email LIKE '%cyd\\%100%'", &["/users?email_address_query=cyd%100"]),
            ("email LIKE '%d#%1%' ESCAPE '#'", &["/users?email_address_query=d%1"]),
            ("email ILIKE '%'", ALL),
            ("email ILIKE '%_%'", ALL),
            ("email ILIKE ''", ALL),
            ("email ~~* '%bob%example%'", &["/users?email_address_query=example"]),
            ("email NOT LIKE '%ada%'", ALL),
            ("email ILIKE NULL", NOTHING),
            ("username LIKE '%100\\%\\_%'", &["/users?username_query=100%_"]),
            ("username ILIKE '中%'", ALL),
            ("username LIKE '中%'", &["/users?username_query=中"]),
            ("phone_number LIKE '+1555010%'", &["/users?phone_number_query=+1555010"]),
            ("first_name ILIKE 'ad_'", &["/users?name_query=ad"]),
            ("first_name ILIKE '%a%' AND last_name ILIKE '%love%'", &["/users?name_query=a"]),
            ("first_name ILIKE 'çyd'", &["/users?name_query=yd"]),
            ("last_name LIKE 'ΟΔΥΣΣΕΥΣ'", &["/users?name_query=ΟΔΥ"]),
            ("last_name LIKE 'ΟΔΥΣ%'", &["/users?name_query=ΟΔΥ"]),
            ("last_name LIKE ' %'", ALL),
            ("last_name LIKE '% love%' OR first_name LIKE 'Ada%'", ALL),
            ("first_name = 'Ada'", ALL),
            ("first_name LIKE 'Ada '", &["/users?name_query=Ada"]),
            ("first_name ~ 'Ad'", ALL),
            ("first_name ^@ 'Ad'", ALL),
        ],
    );
}

/// A letter whose other case Clerk does not know is left to Postgres.
#[test]
fn ilike_in_turkish() {
    if skip_without_icu() {
        return;
    }
    let oracle = Oracle::new(Config { users: 120, organizations: 12, ..small() }, "page_size '50'");
    oracle.sim.create_user(json!({"id": "user_tr", "first_name": "\u{130}smet", "created_at": NOON})).unwrap();
    oracle.run("CREATE COLLATION turkish (provider = icu, locale = 'tr')");
    let found: Vec<String> =
        oracle.column("SELECT user_id FROM clerk.users WHERE first_name ILIKE 'ismet' COLLATE turkish");
    assert_eq!(found, ["user_tr"], "a capital of i that Clerk does not know as one");
}
