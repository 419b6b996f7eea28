//! Runs the SQL of a page with psql, over a simulated Clerk.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use clerk_sim::{Config, RateLimit, Sim};
use serde_json::Value;

use super::output::is_as_expected;
use super::page::{Block, Item, Note, Page};
use super::root;
use crate::support::*;

/// The database in which a page's SQL runs.
const DATABASE: &str = "book";

/// What a page begins with that does not create the extension itself.
const BEGINNING: &str = "CREATE EXTENSION clerk_fdw;
CREATE SERVER clerk FOREIGN DATA WRAPPER clerk_fdw;
CREATE USER MAPPING FOR CURRENT_USER SERVER clerk OPTIONS (api_key 'sk_live_...');
CREATE SCHEMA clerk;
IMPORT FOREIGN SCHEMA clerk FROM SERVER clerk INTO clerk;
";

/// What a step of the page's script is.
struct Step<'p> {
    line: usize,
    sql: String,
    /// The text that its error has to contain, if it has to fail.
    error: Option<&'p str>,
    /// What the page says that it prints.
    output: Option<&'p Block>,
}

/// Runs a page in a fresh database, and returns what went wrong.
pub fn run(page: &Page, cluster: &Cluster) -> Vec<String> {
    let sim = Sim::start(config()).expect("a simulator");
    let placeholders = Placeholders::of(&sim);
    let steps = steps(page, &placeholders);
    let admin = Session::open(cluster.host(), "postgres");
    admin.run(&format!("CREATE DATABASE {DATABASE}"));
    let (outputs, failure) = psql(cluster, &sim, &placeholders, &steps);
    admin.run(&format!("DROP DATABASE {DATABASE} WITH (FORCE)"));
    drop_roles(&admin);

    let mut problems = Vec::new();
    for (step, output) in steps.iter().zip(&outputs) {
        let (path, line, sql) = (&page.path, step.line, &step.sql);
        if let Some(error) = step.error.filter(|error| !fails_with(output, error)) {
            problems.push(format!("{path}:{line}: this did not fail with \"{error}\"\n{sql}\n{output}"));
        }
        if let Some(block) = step.output.filter(|block| !is_as_expected(&block.code, output)) {
            let (line, expected) = (block.line, &block.code);
            problems
                .push(format!("{path}:{line}: the output differs\n{sql}\n--- expected\n{expected}--- got\n{output}"));
        }
    }
    if let Some(step) = steps.get(outputs.len()) {
        let (path, line, sql) = (&page.path, step.line, &step.sql);
        if let Some(why) = missing_extension(&failure) {
            skip(&format!("{path} from line {line} on: {why}"));
            return problems;
        }
        problems.push(format!("{path}:{line}: this failed, so the rest was not run\n{sql}\n{failure}"));
    }
    problems
}

/// The instance that `bin/with-simulator --users 300 --organizations 25 --memberships 700` simulates, so that a page can be
/// written beside it. No page waits for a limit that it does not speak of.
fn config() -> Config {
    Config {
        users: 300,
        organizations: 25,
        memberships: 700,
        rate_limit: RateLimit::Off,
        keys: vec![KEY.to_owned(), "sk_test_simulator".to_owned()],
        ..Config::default()
    }
}

/// The steps of a page's script.
fn steps<'p>(page: &'p Page, placeholders: &Placeholders) -> Vec<Step<'p>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for item in &page.items {
        match item {
            Item::Setup { line, sql } => {
                steps.push(Step { line: *line, sql: placeholders.fill(sql), error: None, output: None });
            }
            Item::Block(block) if block.is_run() => {
                let error = match &block.note {
                    Some(Note::Error(text)) => Some(&**text),
                    _ => None,
                };
                steps.push(Step { line: block.line, sql: placeholders.fill(&block.code), error, output: None });
            }
            Item::Block(block) if block.is_output() => {
                if let Some(step) = steps.last_mut() {
                    step.output = Some(block);
                }
            }
            Item::Block(_) => {}
        }
    }
    if !steps.iter().any(|step| step.sql.contains("CREATE EXTENSION clerk_fdw")) {
        steps.insert(0, Step { line: 1, sql: placeholders.fill(BEGINNING), error: None, output: None });
    }
    steps
}

/// Runs the steps in one session of psql, and returns what each printed. The first that fails unexpectedly ends the session;
/// what it printed is returned apart.
fn psql(cluster: &Cluster, sim: &Sim, placeholders: &Placeholders, steps: &[Step<'_>]) -> (Vec<String>, String) {
    const MARK: &str = "--8<--";
    let mut script = String::new();
    for step in steps {
        let stop = if step.error.is_some() { "off" } else { "on" };
        // What a step has left unfinished is not the next one's.
        let end = format!("\\set QUIET on\n\\r\n\\set QUIET off\n\\echo {MARK}\n");
        script += &format!("\\set ON_ERROR_STOP {stop}\n{}\n{end}", step.sql);
    }
    let mut command = Command::new(client_program("psql").expect("psql"));
    command.args(["-X", "-v", "ON_ERROR_STOP=1"]).current_dir(root());
    for (name, value) in &placeholders.variables {
        command.arg("-v").arg(format!("{name}={value}"));
    }
    command.env("PGHOST", cluster.host()).env("PGDATABASE", DATABASE).env("CLERK_SIM_URL", sim.url());
    command.env("PGOPTIONS", "-c statement_timeout=60s").env_remove("CLERK_SECRET_KEY");
    // Both streams go into one, as on a terminal: psql prints notices and errors between the rows.
    let (mut reader, writer) = io::pipe().expect("a pipe");
    command.stdin(Stdio::piped()).stdout(writer.try_clone().expect("a pipe")).stderr(writer);
    let mut child = command.spawn().expect("psql runs");
    // The pipe ends once nobody holds its other end.
    drop(command);
    let mut stdin = child.stdin.take().expect("a pipe");
    // It ends early if a step fails, and then takes no more.
    let sending = thread::spawn(move || drop(stdin.write_all(script.as_bytes())));
    let mut output = Vec::new();
    reader.read_to_end(&mut output).expect("psql prints");
    sending.join().expect("the script was sent");
    child.wait().expect("psql ends");
    let output = String::from_utf8_lossy(&output);
    let mut outputs: Vec<_> = output.split(&format!("{MARK}\n")).map(str::to_owned).collect();
    let failure = outputs.pop().unwrap_or_default();
    (outputs, failure)
}

/// The error that this Postgres lacks an extension, such as one of contrib.
fn missing_extension(output: &str) -> Option<&str> {
    let mut errors = output.lines().filter_map(|line| Some(line.split_once("ERROR:")?.1.trim()));
    errors.find(|error| error.starts_with("extension \"") && error.ends_with("is not available"))
}

/// Whether psql's output has an error that contains a text.
fn fails_with(output: &str, text: &str) -> bool {
    output.split_once("ERROR:").is_some_and(|(_, error)| error.contains(text))
}

/// Drops the roles that a page has created.
fn drop_roles(admin: &Session) {
    let roles: Vec<String> =
        admin.column("SELECT quote_ident(rolname) FROM pg_roles WHERE rolname <> current_user AND rolname !~ '^pg_'");
    if !roles.is_empty() {
        admin.run(&format!("DROP ROLE {}", roles.join(", ")));
    }
}

/// What the placeholders of a page stand for.
struct Placeholders {
    url: String,
    pairs: Vec<(&'static str, String)>,
    /// Variables of psql: a webhook that is delivered.
    variables: Vec<(&'static str, String)>,
}

impl Placeholders {
    fn of(sim: &Sim) -> Placeholders {
        let json = |text: &str| serde_json::from_str::<Value>(text).ok();
        let id = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        // A member of an organization whom Rust can read: metadata may have half a surrogate pair.
        let member = sim.memberships().into_iter().find_map(|membership| {
            let membership = json(&membership.json)?;
            let user = id(&membership["public_user_data"]["user_id"]);
            let object = json(&sim.users().into_iter().find(|object| object.id == user)?.json)?;
            Some((user, id(&membership["organization"]["id"]), object))
        });
        let (user, organization, object) = member.expect("a member");
        let updated_at = object["updated_at"].as_i64().unwrap_or_default();
        let delivery = sim.event("user.updated", object, updated_at).expect("an event");
        let [svix_id, svix_timestamp, svix_signature] =
            delivery.headers(SECRET).expect("headers").map(|header| header.1);
        Placeholders {
            url: sim.url(),
            pairs: vec![
                ("https://api.clerk.com/v1", sim.url()),
                ("sk_live_...", sim.key().to_owned()),
                ("sk_test_...", sim.key().to_owned()),
                ("whsec_...", SECRET.to_owned()),
                ("user_...", user),
                ("org_...", organization),
            ],
            variables: vec![
                ("body", delivery.body),
                ("svix_id", svix_id),
                ("svix_timestamp", svix_timestamp),
                ("svix_signature", svix_signature),
            ],
        }
    }

    /// SQL with what its placeholders stand for, and with the simulator behind the servers that it creates.
    fn fill(&self, sql: &str) -> String {
        let filled =
            self.pairs.iter().fold(sql.to_owned(), |sql, (placeholder, value)| sql.replace(placeholder, value));
        with_api_url(&filled, &self.url)
    }
}

/// SQL in which servers that are created without the option `api_url` get it.
fn with_api_url(sql: &str, url: &str) -> String {
    let statements = sql.split_inclusive(';').map(|statement| {
        const WRAPPER: &str = "FOREIGN DATA WRAPPER clerk_fdw";
        let is_ours = statement.contains("CREATE SERVER ") && !statement.contains("api_url ");
        let Some((before, after)) = statement.split_once(WRAPPER).filter(|_| is_ours) else {
            return statement.to_owned();
        };
        let trimmed = after.trim_start();
        match trimmed.strip_prefix("OPTIONS").map(str::trim_start).and_then(|rest| rest.strip_prefix('(')) {
            Some(options) => format!("{before}{WRAPPER} OPTIONS (api_url '{url}', {options}"),
            None => format!("{before}{WRAPPER} OPTIONS (api_url '{url}'){after}"),
        }
    });
    statements.collect()
}

/// Servers are created with the simulator's URL, unless they name one.
#[test]
fn api_url() {
    let cases = [
        (
            "CREATE SERVER s FOREIGN DATA WRAPPER clerk_fdw;",
            "CREATE SERVER s FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url 'U');",
        ),
        (
            "SELECT 1; CREATE SERVER s\n  FOREIGN DATA WRAPPER clerk_fdw\n  OPTIONS (page_size '9'); DROP TABLE t;",
            "SELECT 1; CREATE SERVER s\n  FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url 'U', page_size '9'); DROP TABLE t;",
        ),
        (
            "CREATE SERVER s FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url 'V');",
            "CREATE SERVER s FOREIGN DATA WRAPPER clerk_fdw OPTIONS (api_url 'V');",
        ),
        ("DROP FOREIGN DATA WRAPPER clerk_fdw;", "DROP FOREIGN DATA WRAPPER clerk_fdw;"),
    ];
    for (sql, expected) in cases {
        assert_eq!(with_api_url(sql, "U"), expected);
    }
}
