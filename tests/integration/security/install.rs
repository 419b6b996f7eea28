//! The install script runs with a schema in its search_path in which others may have put functions, operators and types
//! of the names that it uses (CVE-2018-1058). So it qualifies all of them, and lends nothing to everybody.

use std::path::PathBuf;

use crate::support::*;

/// A piece of the script.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Operator(String),
    Other(char),
}

/// What the grammar itself knows before a parenthesis, so that no search_path decides what it means.
const KEYWORDS: &[&str] = &[
    "as", "any", "array", "check", "coalesce", "exists", "key", "on", "operator", "table", "values", "when", "with",
    "and", "or", "not", "from", "select", "identity", "lateral",
];

/// Types that are words of the grammar.
const GRAMMAR_TYPES: &[&str] = &["boolean", "integer", "bigint", "interval", "numeric", "double"];

/// Types that are names like any other.
const NAMED_TYPES: &[&str] =
    &["text", "name", "oid", "jsonb", "json", "timestamptz", "regclass", "int4", "int8", "float8", "bool"];

/// What looks for an operator by its name without showing one.
const HIDDEN_OPERATORS: &[&str] = &["using", "nullif", "between", "like", "ilike", "similar"];

/// The script as it was installed, in pieces, without comments and literals: what stands in dollar quotes is read when
/// it runs, with a search_path of its own.
fn tokens(world: &World) -> Vec<Token> {
    let sharedir: String = world.one("SELECT setting FROM pg_config() WHERE name = 'SHAREDIR'");
    let version: String = world.one("SELECT extversion FROM pg_extension WHERE extname = 'clerk_fdw'");
    let file = PathBuf::from(sharedir).join("extension").join(format!("clerk_fdw--{version}.sql"));
    let mut script = std::fs::read_to_string(file).unwrap();
    // pgrx writes these three. Their types are Postgres' own as long as pg_catalog is searched first, which it is for
    // types unless a search_path names it; they call nothing.
    while let Some(at) = script.find("CREATE OR REPLACE FUNCTION \"clerk_fdw_") {
        let end = at + script[at..].find(';').unwrap();
        script.replace_range(at..=end, "");
    }
    let is_operator = |letter: char| "+-*/<>=~!@#%^&|`?:".contains(letter);
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut tokens = Vec::new();
    let mut rest = &*script;
    while let Some(letter) = rest.chars().next() {
        let skip = |opening: usize, closing: &str| {
            opening + rest[opening..].find(closing).map_or(rest.len() - opening, |at| at + closing.len())
        };
        let span = |is: &dyn Fn(char) -> bool| rest.find(|letter| !is(letter)).unwrap_or(rest.len());
        let length = match letter {
            _ if rest.starts_with("--") => skip(2, "\n"),
            _ if rest.starts_with("/*") => skip(2, "*/"),
            _ if rest.starts_with("$$") => skip(2, "$$"),
            '\'' => skip(1, "'"),
            '"' => skip(1, "\""),
            _ if is_word(letter) => span(&is_word),
            _ if is_operator(letter) => span(&is_operator),
            _ => letter.len_utf8(),
        };
        let text = &rest[..length];
        rest = &rest[length..];
        match letter {
            '"' => tokens.push(Token::Word(text.trim_matches('"').to_owned())),
            _ if is_word(letter) => tokens.push(Token::Word(text.to_lowercase())),
            _ if is_operator(letter) && !text.starts_with("--") && !text.starts_with("/*") => {
                tokens.push(Token::Operator(text.to_owned()));
            }
            '\'' | '$' => tokens.push(Token::Other(letter)),
            _ if letter.is_whitespace() || is_operator(letter) => {}
            _ => tokens.push(Token::Other(letter)),
        }
    }
    tokens
}

/// The install script qualifies every function, operator and type, and grants nothing.
#[test]
fn install_script_qualifies_every_name() {
    let world = World::new(small());
    let tokens = tokens(&world);
    assert!(tokens.len() > 1000, "{}", tokens.len());
    let word = |index: usize| match tokens.get(index) {
        Some(Token::Word(word)) => &**word,
        _ => "",
    };
    let is = |index: usize, letter: char| tokens.get(index) == Some(&Token::Other(letter));
    let mut wrong = Vec::new();
    for index in 2..tokens.len() {
        let problem = match &tokens[index] {
            // A cast, whose type is looked at below; a named argument; a setting; all columns, count(*).
            Token::Operator(operator) => {
                let is_qualified = is(index - 1, '.') && word(index - 2) == "pg_catalog";
                let is_setting = operator == "=" && ["search_path", "fillfactor"].contains(&word(index - 1));
                let is_star = operator == "*" && is(index - 1, '(');
                (!is_qualified && !is_setting && !is_star && !["::", "=>"].contains(&&**operator)).then_some("operator")
            }
            Token::Other('(') => {
                let name = word(index - 1);
                let is_known = name.is_empty() || KEYWORDS.contains(&name) || GRAMMAR_TYPES.contains(&name);
                // What is made or altered in whichever schema the extension is for.
                let is_named = word(index - 2) == "function";
                (!is_known && !is_named && !is(index - 2, '.')).then_some("function")
            }
            Token::Word(name) if HIDDEN_OPERATORS.contains(&&**name) => Some("hidden operator"),
            Token::Word(name) if name == "in" && word(index + 1) != "schema" => Some("hidden operator"),
            Token::Word(name) if name == "distinct" && word(index - 1) != "select" => Some("hidden operator"),
            // A column may be called as a type is.
            Token::Word(name) if NAMED_TYPES.contains(&&**name) && word(index + 1) != "pg_catalog" => {
                (!is(index - 1, '.')).then_some("type")
            }
            Token::Word(name) if tokens[index - 1] == Token::Operator("::".to_owned()) => {
                (!GRAMMAR_TYPES.contains(&&**name) && name != "pg_catalog").then_some("type")
            }
            _ => None,
        };
        wrong.extend(
            problem.map(|problem| format!("{problem}: {:?}", &tokens[index - 2..(index + 3).min(tokens.len())])),
        );
    }
    assert!(wrong.is_empty(), "not qualified:\n{}", wrong.join("\n"));
    assert!(!tokens.contains(&Token::Word("grant".to_owned())), "the script grants something");
}

/// Every function has a fixed search_path and runs with its caller's rights.
#[test]
fn functions_fix_search_path_and_lend_no_rights() {
    let world = World::new(small());
    let without: Vec<String> = world.column(
        "SELECT p.oid::regprocedure::text FROM pg_proc p
           JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
           JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid AND e.extname = 'clerk_fdw'
          WHERE NOT coalesce(p.proconfig, '{}') @> '{\"search_path=pg_catalog, pg_temp\"}' ORDER BY 1",
    );
    // A procedure that has one cannot commit: it fixes its search_path in each of its transactions.
    assert_eq!(without, ["clerk_fdw.sync(text,text,text[],boolean,boolean,boolean)"]);
    let lent = "SELECT count(*) FROM pg_proc WHERE pronamespace::regnamespace::text ~ '^clerk_fdw' AND prosecdef";
    assert_eq!(world.one::<i64>(lent), 0, "functions look at who calls them, and lend nobody's rights");
}

/// Functions and operators of the same names that would fit better than Postgres' own.
#[test]
fn hostile_operators_are_not_used() {
    let world = World::new(small());
    world.run(
        "DROP EXTENSION clerk_fdw CASCADE;
         CREATE FUNCTION public.trap(name, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught'; END $$;
         CREATE FUNCTION public.trap(oid, int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught'; END $$;
         CREATE FUNCTION public.trap(bigint, double precision) RETURNS float8 LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught'; END $$;
         CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.trap);
         CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = int, FUNCTION = public.trap);
         CREATE OPERATOR public./ (LEFTARG = bigint, RIGHTARG = double precision, FUNCTION = public.trap);
         CREATE OPERATOR public.* (LEFTARG = bigint, RIGHTARG = double precision, FUNCTION = public.trap);
         CREATE EXTENSION clerk_fdw",
    );
    for view in ["mirror_status", "sync_runs", "sync_progress", "sync_errors", "webhook_events", "webhook_secrets"] {
        world.run(&format!("SELECT * FROM clerk_fdw.{view}"));
    }
    let used =
        "SELECT count(*) FROM pg_depend d JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
        WHERE p.proname = 'trap' AND d.deptype = 'n' AND d.classid = 'pg_rewrite'::regclass";
    assert_eq!(world.one::<i64>(used), 0);
}
