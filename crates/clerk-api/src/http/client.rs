//! The HTTP client for one Clerk instance: it paces and repeats single requests, and classifies their errors.

use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use self::body::Bodies;
use self::failure::{Failure, error_chain};
use self::patience::Patience;
use super::budget::{Budget, Budgets};
use super::error::{Error, Problem};
use super::limiter::{Held, Permit, RateLimiter};
use super::request::Request;
use super::secret::secrets_of;
use super::stats::Stats;
use super::stop::Stop;
use crate::catalog::{API_VERSION, Method};
use crate::decode::beginning;

mod body;
mod failure;
mod patience;

/// The longest wait that `Retry-After` can ask for with a 5xx. Whoever waits for a query would take a longer wait for a hang, so
/// it is an error that says how long Clerk asks to wait.
const MAX_WAIT: Duration = Duration::from_secs(5 * 60);

/// How long it may take to connect. Where a firewall drops what is sent, there is no other sign that nothing arrives.
const MAX_CONNECT: Duration = Duration::from_secs(10);

/// How a [`Client`] talks to Clerk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The API's base URL: https, or http if the host is this machine.
    pub api_url: String,
    /// The `Clerk-API-Version` header.
    pub api_version: String,
    /// How many requests may start in any 10 seconds, of all clients together that share a [`Budgets`] table, a base URL and
    /// a key; `None` for a quarter of what Clerk allows an instance of the key's kind.
    pub rate_limit: Option<NonZeroU32>,
    /// The minimum time between the starts of two requests.
    pub request_interval: Duration,
    /// How many requests may be in flight at once.
    pub max_concurrency: usize,
    /// How long one request may take, including the whole answer.
    pub timeout: Duration,
    /// How often a request is repeated after status 5xx, a broken connection or a timeout. `Retry-After` decides when, if
    /// Clerk sends it, up to five minutes; a longer wait is [`Error::Unavailable`] at once.
    pub max_retries: u32,
    /// For how long a request is repeated after status 429, from the first one on. If Clerk asks to wait for longer, it is
    /// [`Error::RateLimited`] at once.
    pub rate_limit_timeout: Duration,
}

impl Settings {
    /// The base URL of Clerk's Backend API.
    pub const API_URL: &str = "https://api.clerk.com/v1";
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            api_url: Self::API_URL.to_owned(),
            api_version: API_VERSION.to_owned(),
            rate_limit: None,
            request_interval: Duration::ZERO,
            max_concurrency: 8,
            timeout: Duration::from_secs(30),
            max_retries: 6,
            rate_limit_timeout: Duration::from_secs(60),
        }
    }
}

/// Parses a base URL for the API.
///
/// # Errors
/// Why the text cannot be one.
pub fn check_api_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => "it does not begin with https://".to_owned(),
        error => error.to_string(),
    })?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err("it names no host".to_owned()),
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err("plain http would send the key unencrypted; use https".to_owned()),
        scheme => return Err(format!("{scheme} is not https")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not hold a user name or password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it must end with its path".to_owned());
    }
    Ok(url)
}

/// A client for one Clerk instance. Its TCP connections stay open for as long as the client exists.
///
/// **Certificates.** They are checked against the machine's root certificates and no others, so that its administrator
/// decides which authorities are trusted: updates of the system apply, and `SSL_CERT_FILE` or `SSL_CERT_DIR` name other
/// certificates. On a machine without root certificates (a container may lack the package `ca-certificates`) every
/// https request fails.
///
/// **Proxies.** https requests go through the proxy that the environment names in `HTTPS_PROXY` or `ALL_PROXY`, unless
/// `NO_PROXY` excepts the host. The proxy only forwards the encrypted connection to Clerk (`CONNECT`): it learns the
/// host, but neither the key nor the data. Requests in plain http are only sent to this machine, and use no proxy.
///
/// **Memory.** A page may have 64 MiB uncompressed, and the body of an error 64 KiB; the rest of a longer body is not
/// read. The bodies that one client receives at the same time have 256 MiB at most, however many requests are in
/// flight.
pub struct Client {
    http: reqwest::Client,
    bodies: Bodies,
    base: String,
    key: SecretString,
    settings: Settings,
    pub(crate) limiter: RateLimiter,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Client {
    /// A client for the instance that the secret key belongs to, which has its budget for itself. It does not send a
    /// request yet.
    ///
    /// # Errors
    /// [`Error::Config`] for a base URL that [`check_api_url`] refuses, or a key that is not valid in a header.
    pub fn new(settings: Settings, key: SecretString) -> Result<Self, Error> {
        Client::with_budgets(settings, key, &Budgets::default())
    }

    /// The same for a client that shares its budget with others.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_budgets(settings: Settings, key: SecretString, budgets: &Budgets) -> Result<Self, Error> {
        let url =
            check_api_url(&settings.api_url).map_err(|problem| Error::Config(format!("invalid api_url: {problem}")))?;
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
            .map_err(|_| Error::Config("the API key has characters that no key has".to_owned()))?;
        authorization.set_sensitive(true);
        let version = HeaderValue::from_str(&settings.api_version)
            .map_err(|_| Error::Config(format!("invalid api_version {:?}", settings.api_version)))?;
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, authorization),
            (ACCEPT, HeaderValue::from_static("application/json")),
            (reqwest::header::HeaderName::from_static("clerk-api-version"), version),
        ]);
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("clerk_fdw/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(settings.timeout)
            // Shorter, so that a request for which there is no connection can be told from one whose answer is late.
            .connect_timeout(MAX_CONNECT.min(settings.timeout / 4 * 3))
            .pool_max_idle_per_host(settings.max_concurrency)
            // Following a redirect would send the query to another server, whose answer is not Clerk's. So a redirect
            // is reported as an error.
            .redirect(reqwest::redirect::Policy::none());
        if url.scheme() == "http" {
            // Without TLS a proxy would see the key in plain text.
            http = http.no_proxy();
        }
        let http = http
            .build()
            .map_err(|error| Error::Config(format!("the HTTP client cannot start: {}", error_chain(error))))?;
        let rate_limit = settings.rate_limit.unwrap_or_else(|| default_rate_limit(key.expose_secret()));
        let budget = Budget::new(budgets, &url, key.expose_secret(), rate_limit);
        Ok(Client {
            http,
            bodies: Bodies::default(),
            base: url.as_str().trim_end_matches('/').to_owned(),
            key,
            limiter: RateLimiter::new(budget, settings.request_interval, settings.max_concurrency),
            settings,
        })
    }

    /// Whether another client uses the same key at the same URL, so that both talk to the same Clerk instance.
    pub fn is_same_instance(&self, other: &Client) -> bool {
        self.base == other.base && self.key.expose_secret() == other.key.expose_secret()
    }

    /// How many requests are left of the limit now.
    pub fn remaining_budget(&self) -> u32 {
        self.limiter.budget.remaining()
    }

    /// Whether the requests of all processes count together, not only those of this one.
    pub fn shares_budget(&self) -> bool {
        self.limiter.budget.is_shared()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends a request that reads, with as many retries as the settings allow, and returns the body of the successful
    /// answer.
    pub(crate) async fn get(&self, request: &Request, stats: &Stats) -> Result<Vec<u8>, Error> {
        let unavailable = || Error::Unavailable {
            cause: "it was stopped".to_owned(),
            tries: 0,
            elapsed: Duration::ZERO,
            request: request.clone().into(),
        };
        self.perform(request, stats, &mut Stop::never(), |_| {}).await?.ok_or_else(unavailable)
    }

    /// Sends a request, and repeats it where that is safe, as often as the settings allow: after a 429 and where no
    /// connection was made, Clerk has done nothing; otherwise a request is repeated only if that changes nothing more.
    /// Returns the body of the successful answer, which is JSON or empty unless the request is a GET; `None` if the request
    /// was stopped before Clerk could do anything. `on_flight` is told whether Clerk may be doing it: when the request is
    /// on its way, and after each try.
    pub(crate) async fn perform(
        &self,
        request: &Request,
        stats: &Stats,
        stop: &mut Stop,
        on_flight: impl Fn(bool),
    ) -> Result<Option<Vec<u8>>, Error> {
        let started = Instant::now();
        // Whether a try, whose answer was lost, may have been done.
        let mut may_be_done = false;
        let mut delays = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(10))
            .with_max_times(self.settings.max_retries as usize)
            .build();
        let mut tries = 0;
        let priority = stats.next_priority();
        let mut patience = Patience::new(self.settings.rate_limit_timeout);
        loop {
            let queued = Instant::now();
            let permit = match stop.unless_stopped(self.limiter.acquire(priority, patience.left())).await {
                None => return self.stopped(request, may_be_done, tries, started),
                Some(Ok(permit)) => permit,
                Some(Err(Held { time })) => {
                    let cause = patience.exceeded("after a 429", Some(time));
                    return Err(self.rate_limited(cause, request, may_be_done, tries, started));
                }
            };
            tries += 1;
            on_flight(true);
            let failure = match self.attempt(request, tries > 1, queued, stats, &permit).await {
                Ok(body) => {
                    self.limiter.record_success(&permit);
                    if request.method() != Method::Get && !is_json_or_empty(&body) {
                        // It may come from a proxy. It is not quoted, because it may be cut off and hold a secret.
                        let cause = "the answer is not JSON".to_owned();
                        return Err(self.unknown(cause, request, tries, started));
                    }
                    return Ok(Some(body));
                }
                Err(failure) => failure,
            };
            if matches!(failure, Failure::Refused { .. } | Failure::Unauthorized { .. }) {
                self.limiter.record_success(&permit);
            }
            let (cause, asked) = match failure {
                Failure::RateLimited { cause, asked } => {
                    on_flight(may_be_done);
                    let left = patience.refuse();
                    self.limiter.refuse(&permit, asked, left);
                    if left.is_zero() || asked.is_some_and(|asked| asked > left) {
                        let cause = patience.exceeded(&cause, asked);
                        return Err(self.rate_limited(cause, request, may_be_done, tries, started));
                    }
                    // All requests wait, and this one does in the limiter's queue with the others.
                    continue;
                }
                Failure::Transient { cause, retry_after, may_be_done: may_this } => {
                    may_be_done |= may_this && request.method() != Method::Get;
                    on_flight(may_be_done);
                    (cause, retry_after)
                }
                // An earlier try, whose answer was lost, has deleted it.
                Failure::Refused { status: 404, .. } if may_be_done && request.method() == Method::Delete => {
                    return Ok(Some(Vec::new()));
                }
                Failure::Refused { status, problem } | Failure::Unauthorized { status, problem } if may_be_done => {
                    let cause = format!("an earlier try had no answer, and the last one status {status}: {problem}");
                    return Err(self.unknown(cause, request, tries, started));
                }
                failure => return Err(failure.into_error(request)),
            };
            drop(permit);
            let unavailable = |cause: &str| match may_be_done {
                true => self.unknown(cause.to_owned(), request, tries, started),
                false => {
                    let (cause, elapsed) = (self.redact(cause, request), started.elapsed());
                    Error::Unavailable { cause, tries, elapsed, request: request.clone().into() }
                }
            };
            if may_be_done && !request.is_repeatable() {
                return Err(unavailable(&cause));
            }
            let Some(delay) = delays.next() else { return Err(unavailable(&cause)) };
            if let Some(asked) = asked.filter(|asked| *asked > MAX_WAIT) {
                let (asked, max) = (asked.as_secs(), MAX_WAIT.as_secs());
                let cause = format!("{cause}; it asks for a wait of {asked} s, and {max} s are the most there is");
                return Err(unavailable(&cause));
            }
            if stop.unless_stopped(tokio::time::sleep(asked.unwrap_or(delay))).await.is_none() {
                return self.stopped(request, may_be_done, tries, started);
            }
        }
    }

    /// The result of a request that was stopped while it waited for its first or next try.
    fn stopped(
        &self,
        request: &Request,
        may_be_done: bool,
        tries: u32,
        started: Instant,
    ) -> Result<Option<Vec<u8>>, Error> {
        let cause = "it was stopped before it could be tried again".to_owned();
        if may_be_done { Err(self.unknown(cause, request, tries, started)) } else { Ok(None) }
    }

    /// The error for a request that Clerk may have done or not.
    fn unknown(&self, cause: String, request: &Request, tries: u32, started: Instant) -> Error {
        let cause = self.redact(&cause, request);
        Error::Unknown { cause, tries, elapsed: started.elapsed(), request: request.clone().into() }
    }

    /// The error for a request that was answered with 429 for too long.
    fn rate_limited(&self, cause: String, request: &Request, may_be_done: bool, tries: u32, started: Instant) -> Error {
        if may_be_done {
            return self.unknown(cause, request, tries, started);
        }
        let cause = self.redact(&cause, request);
        Error::RateLimited { cause, tries, elapsed: started.elapsed(), request: request.clone().into() }
    }

    async fn attempt(
        &self,
        request: &Request,
        is_retry: bool,
        queued: Instant,
        stats: &Stats,
        permit: &Permit<'_>,
    ) -> Result<Vec<u8>, Failure> {
        let sent = Instant::now();
        stats.sent(is_retry, sent - queued);
        let answer = self.send(request, permit).await;
        stats.answered(answer.as_ref().map_or(0, Vec::len), sent.elapsed());
        answer
    }

    async fn send(&self, request: &Request, permit: &Permit<'_>) -> Result<Vec<u8>, Failure> {
        let method = match request.method() {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Patch => reqwest::Method::PATCH,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut built = self.http.request(method, format!("{}{}", self.base, request.target()));
        if let Some(body) = request.body() {
            built = built.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body.to_owned());
        }
        let response = permit.until_answered(built.send()).await.map_err(Failure::network)?;
        let status = response.status();
        if status.is_success() {
            return self.bodies.read(response).await;
        }
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| retry_after(value, SystemTime::now()));
        let body = body::read_error_body(response).await;
        let problem = Problem::parse(self.redact(&String::from_utf8_lossy(&body), request).as_bytes());
        // In other escapes than those of this program a secret is found only when they are resolved.
        let redacted = |text: String| self.redact(&text, request);
        let problem = Problem {
            message: redacted(problem.message),
            code: problem.code.map(redacted),
            trace_id: problem.trace_id.map(redacted),
        };
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS => {
                Failure::RateLimited { cause: format!("status {}: {problem}", status.as_u16()), asked: retry_after }
            }
            status if status.is_server_error() => Failure::Transient {
                cause: format!("status {}: {problem}", status.as_u16()),
                retry_after,
                may_be_done: true,
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::Unauthorized { status: status.as_u16(), problem }
            }
            status => Failure::Refused { status: status.as_u16(), problem },
        })
    }

    /// The error for a body that is not what was expected.
    pub(crate) fn malformed(&self, expected: &'static str, problem: String, body: &[u8], request: &Request) -> Error {
        let body = self.redact(&String::from_utf8_lossy(body), request);
        Error::Malformed {
            expected,
            problem: self.redact(&problem, request),
            beginning: beginning(body.as_bytes()),
            request: request.clone().into(),
        }
    }

    /// Removes the key and the request's secrets from a text that was received, in case a server or proxy echoes them.
    fn redact(&self, text: &str, request: &Request) -> String {
        let text = match self.key.expose_secret() {
            "" => text.to_owned(),
            key => text.replace(key, "[secret key]"),
        };
        let secrets = request.body().map(secrets_of).unwrap_or_default();
        // Clerk's codes consist of lower-case words, of which a bad password may be one.
        let secrets = secrets.iter().filter(|secret| secret.len() >= MIN_ECHO || !is_word(secret));
        secrets.fold(text, |text, secret| text.replace(secret.as_str(), "[secret]"))
    }
}

/// Lower-case words that are shorter may be parts of Clerk's codes and messages.
const MIN_ECHO: usize = 8;

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// The rate limits with a production key and with a development key, where none is set: a quarter of what Clerk documents for
/// an instance (1000 requests in 10 s in production, 100 in development), so that the rest is left for the application.
pub const DEFAULT_RATE_LIMITS: (NonZeroU32, NonZeroU32) = (NonZeroU32::new(250).unwrap(), NonZeroU32::new(25).unwrap());

fn default_rate_limit(key: &str) -> NonZeroU32 {
    let (live, test) = DEFAULT_RATE_LIMITS;
    if key.starts_with("sk_test_") { test } else { live }
}

fn is_json_or_empty(body: &[u8]) -> bool {
    body.trim_ascii().is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// How long `Retry-After` asks to wait, as a number of seconds or a date. `None` if it is neither, or a date in the
/// past.
pub(crate) fn retry_after(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number of seconds that does not fit into a u64 is longer than any wait that is accepted.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    httpdate::parse_http_date(text).ok()?.duration_since(now).ok()
}

#[cfg(test)]
mod tests;
