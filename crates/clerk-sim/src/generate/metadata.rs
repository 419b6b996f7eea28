//! Metadata that applications and their users might have stored in Clerk. It is JSON text, because some of it cannot be
//! represented by a `serde_json::Value`.

use fake::rand::Rng;
use fake::rand::seq::IndexedRandom;

use super::id;

/// Each kind of unusual metadata occurs once in so many consecutive users. A prime, so that it coincides with no other
/// cycle.
const ROUND: usize = 97;

pub(crate) fn public(random: &mut impl Rng) -> String {
    if random.random_bool(0.25) {
        return "{}".to_owned();
    }
    let plan = ["free", "free", "pro", "team", "enterprise"].choose(random).unwrap_or(&"free");
    let onboarded = random.random_bool(0.8);
    let seats = random.random_range(1..50);
    format!(
        r#"{{"plan":"{plan}","onboarded":{onboarded},"seats":{seats},"features":["search","export"],"limits":{{"projects":{},"storage_gb":{}.5}}}}"#,
        seats * 3,
        seats * 10,
    )
}

pub(crate) fn private(random: &mut impl Rng) -> Option<String> {
    match random.random_range(0..10) {
        0 => None,
        1..6 => Some("{}".to_owned()),
        _ => {
            let number = random.random_range(100_000..1_000_000);
            let score = random.random::<f64>();
            Some(format!(
                r#"{{"customer_number":"C-{number}","risk":{{"score":{score},"reviewed":false}},"notes":null}}"#
            ))
        }
    }
}

/// Metadata that the application's own users may write. Each kind of unusual metadata is given to certain indexes.
pub(crate) fn unsafe_(random: &mut impl Rng, index: usize, lone_surrogates: bool) -> String {
    match index % ROUND {
        13 => r#"{"note":"before\u0000after","\u0000":"a name of one NUL"}"#.to_owned(),
        29 if lone_surrogates => r#"{"half an emoji":"\ud83d","turned around":"\ude00\ud83d","lone":["\ud800","\udfff"]}"#
            .to_owned(),
        41 => {
            let filler = id::text(random, 7_800);
            let tags = vec![r#""Größe 42 🧵""#; 15].join(",");
            format!(r#"{{"theme":"dark","draft":"{filler}","tags":[{tags}]}}"#)
        }
        53 => r#"{"mood":"👩‍👩‍👧‍👦🏳️‍🌈","escaped":"\ud83d\ude80 \u00e9 \"\\\/\b\f\n\r\t","rtl":"\u202eabc"}"#
            .to_owned(),
        61 => r#"{"big":123456789012345678901234567890,"above 2^53":9007199254740993,"small":-0.000000000000000000012,"money":19.90,"zero":-0.0}"#
            .to_owned(),
        71 => format!(r#"{{"deep":{}1{}}}"#, "[".repeat(60), "]".repeat(60)),
        79 => r#"{"":"an empty name","a.b":1,"a b":2,"ключ":3,"'; --":4,"nested":{"a":{"b":{"c":[{},[],null,true]}}}}"#
            .to_owned(),
        _ if random.random_bool(0.3) => {
            let theme = ["light", "dark", "system"].choose(random).unwrap_or(&"system");
            let newsletter = random.random_bool(0.5);
            format!(r#"{{"theme":"{theme}","newsletter":{newsletter}}}"#)
        }
        _ => "{}".to_owned(),
    }
}
