//! Generates names of people and companies, in many scripts.

use fake::Fake;
use fake::faker::company::raw::CompanyName;
use fake::faker::name::raw::{FirstName, LastName};
use fake::locales::{AR_SA, DE_DE, EN, FR_FR, IT_IT, JA_JP, PT_BR, ZH_CN};
use fake::rand::Rng;

/// Names in scripts that the lists of names do not have, and names that contradict common assumptions about names.
const RARE: &[(&str, &str)] = &[
    ("Νίκη", "Παπαδοπούλου"),
    ("Ольга", "Кузнецова"),
    ("שירה", "כהן"),
    ("प्रिया", "शर्मा"),
    ("สมชาย", "ใจดี"),
    ("지우", "김"),
    ("Nguyễn", "Thị Minh Khai"),
    ("თამარ", "ბერიძე"),
    ("Անի", "Հակոբյան"),
    ("ሰላም", "ተስፋዬ"),
    ("மீனா", "குமார்"),
    ("👩‍🚀 Sally", "🌙"),
    ("🦊", "Fox"),
    ("Zoë", "D’Angelo-O'Brien"),
    ("O\u{308}zge", "I\u{307}pek"),
    ("X Æ A-12", "von und zu \"Quote\""),
    ("  padded ", "Tab\tbed"),
    ("Robert'); DROP TABLE users;--", "\\back\\slash"),
    ("", "Mononym"),
];

/// A name in two languages, of which the second is written from right to left.
const MIXED: &str = "Müller \u{202b}مولر\u{202c}";

pub(crate) struct Person {
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) locale: &'static str,
    /// A name in lower-case ASCII, for email addresses and usernames.
    pub(crate) handle: String,
}

pub(crate) fn person(random: &mut impl Rng) -> Person {
    // Addresses and usernames are ASCII, whatever the script of the name is.
    let ascii_first: &str = FirstName(EN).fake_with_rng(random);
    let ascii_last: &str = LastName(EN).fake_with_rng(random);
    let handle = format!("{ascii_first}.{ascii_last}").to_lowercase().replace('\'', "");
    macro_rules! named {
        ($locale:expr, $tag:literal) => {{
            let first: &str = FirstName($locale).fake_with_rng(random);
            let last: &str = LastName($locale).fake_with_rng(random);
            (first.to_owned(), last.to_owned(), $tag)
        }};
    }
    let (first, last, locale) = match random.random_range(0..100) {
        0..55 => (ascii_first.to_owned(), ascii_last.to_owned(), "en-US"),
        55..63 => named!(FR_FR, "fr-FR"),
        63..71 => named!(DE_DE, "de-DE"),
        71..77 => named!(PT_BR, "pt-BR"),
        77..81 => named!(IT_IT, "it-IT"),
        81..86 => named!(JA_JP, "ja-JP"),
        86..91 => named!(ZH_CN, "zh-CN"),
        91..95 => named!(AR_SA, "ar-SA"),
        95 => ("أحمد".to_owned(), MIXED.to_owned(), "ar-EG"),
        _ => {
            let (first, last) = RARE[random.random_range(0..RARE.len())];
            (first.to_owned(), last.to_owned(), "en-GB")
        }
    };
    Person { first, last, locale, handle }
}

pub(crate) fn company(random: &mut impl Rng) -> String {
    let name: String = CompanyName(EN).fake_with_rng(random);
    match random.random_range(0..20) {
        0 => format!("{name} 株式会社"),
        1 => format!("🚀 {name}"),
        2 => format!("Общество «{name}»"),
        3 => format!("{name} (शाखा)"),
        _ => name,
    }
}

/// The words of ASCII letters and digits in a name, in lower case and joined by hyphens.
pub(crate) fn slug(name: &str) -> String {
    let words: Vec<String> = name
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("-")
}
