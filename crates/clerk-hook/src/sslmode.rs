//! Parses the database's address, and decides whether the connection must be encrypted.

use std::net::IpAddr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Parses the address of the database: `postgres://user:password@host/database` or `host=… user=… dbname=…`.
///
/// If the text has no `sslmode`, it is `require` unless every host is this machine. With the driver's own default,
/// `prefer`, an attacker between here and the database could obtain the password and the deliveries by claiming that
/// the database has no TLS.
///
/// # Errors
/// If the text cannot be parsed. The error may quote parts of it, such as a password.
pub fn parse_database(text: &str) -> Result<Config, tokio_postgres::Error> {
    let mut config: Config = text.parse()?;
    if !names_sslmode(text, &config) && !is_local(&config) {
        config.ssl_mode(SslMode::Require);
    }
    Ok(config)
}

/// Whether the text itself names an `sslmode`.
///
/// The parsed configuration is the same for `sslmode=prefer` and for no `sslmode`. So the text is parsed once more with
/// another mode in front of all of its parameters: of two modes, the last one counts.
fn names_sslmode(text: &str, config: &Config) -> bool {
    let before_all = match parameters(text) {
        Some((head, parameters)) => format!("{head}?sslmode=disable&{parameters}"),
        None => format!("sslmode=disable {text}"),
    };
    config.get_ssl_mode() != SslMode::Prefer
        || before_all.parse::<Config>().is_ok_and(|config| config.get_ssl_mode() == SslMode::Prefer)
}

/// Splits a URL into the part before its parameters and the parameters; `None` if the text is no URL.
fn parameters(text: &str) -> Option<(&str, &str)> {
    let (scheme, _) = text.split_once("://").filter(|(scheme, _)| matches!(*scheme, "postgres" | "postgresql"))?;
    // A password ends with the first @, and may contain any other character that is special in a URL.
    let host = text.find('@').unwrap_or(scheme.len());
    let end = text[host..].find('?').map_or(text.len(), |at| host + at);
    Some((&text[..end], text[end..].trim_start_matches('?')))
}

/// Whether every host is this machine. If there are addresses, the driver connects to them, and the names do not count.
fn is_local(config: &Config) -> bool {
    let addresses = config.get_hostaddrs();
    let hosts = config.get_hosts();
    match addresses.is_empty() {
        true => !hosts.is_empty() && hosts.iter().all(is_this_machine),
        false => addresses.iter().all(IpAddr::is_loopback),
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) if name.eq_ignore_ascii_case("localhost") => true,
        Host::Tcp(name) => name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_mode(mode: SslMode, texts: &[&str]) {
        for text in texts {
            assert_eq!(parse_database(text).unwrap().get_ssl_mode(), mode, "{text}");
        }
    }

    #[test]
    fn away_from_this_machine_tls_is_required() {
        assert_mode(
            SslMode::Require,
            &[
                "postgres://me:secret@db.example.com/app",
                "postgresql://db.example.com",
                "postgres://me@db.example.com:5433/app?application_name=x",
                "postgres://10.0.0.1/app",
                "postgres://localhost.example.com/app",
                "postgres://127.0.0.1.example.com/app",
                "postgres://localhost,db.example.com/app",
                "host=db.example.com user=me",
                "host=localhost hostaddr=10.0.0.1",
                // None of these names an sslmode.
                "postgres://me:sslmode=prefer@db.example.com/app",
                "postgres://me:a?sslmode=prefer@db.example.com/app",
                "postgres://db.example.com/sslmode=prefer",
                "postgres://db.example.com/app?application_name=sslmode%3Dprefer",
                "host=db.example.com password='x sslmode=prefer'",
                "host=db.example.com application_name=sslmode",
                "user=me",
            ],
        );
    }

    #[test]
    fn on_this_machine_tls_is_not_required() {
        assert_mode(
            SslMode::Prefer,
            &[
                "postgres://me@localhost/app",
                "postgres://LOCALHOST:5433/app",
                "postgres://127.1.2.3/app",
                "postgres://[::1]:5432/app",
                "postgres://me@%2Fvar%2Frun%2Fpostgresql/app",
                "postgres:///app?host=/var/run/postgresql",
                "host=/tmp port=5433 user=me",
                "host=localhost",
                "host=db.example.com hostaddr=127.0.0.1",
            ],
        );
    }

    #[test]
    fn what_the_text_says_holds() {
        assert_mode(
            SslMode::Prefer,
            &[
                "postgres://db.example.com/app?sslmode=prefer",
                "postgres://me:a?b@db.example.com?connect_timeout=3&sslmode=prefer",
                "postgres://db.example.com/app?ssl%6Dode=prefer",
                "host=db.example.com sslmode=prefer",
                "sslmode = 'prefer' host=db.example.com",
                "sslmode=disable host=db.example.com sslmode=prefer",
            ],
        );
        assert_mode(SslMode::Disable, &["postgres://db.example.com?sslmode=disable", "host=10.0.0.1 sslmode=disable"]);
        assert_mode(SslMode::Require, &["postgres://localhost?sslmode=require", "host=/tmp sslmode=require"]);
    }
}
