//! One connection to one Clerk instance: pacing, retries and errors of single requests.

use std::error::Error as _;
use std::num::NonZeroU32;
use std::time::{Duration, Instant, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use self::body::Bodies;
use super::error::{Error, Problem};
use super::limiter::RateLimiter;
use super::request::Request;
use super::stats::Stats;
use crate::catalog::API_VERSION;
use crate::decode::beginning;

mod body;

/// The longest wait that `Retry-After` can ask for. Who reads a table would take a longer one for a hang: it is told
/// what Clerk asked for instead.
const MAX_WAIT: Duration = Duration::from_secs(5 * 60);

/// How a [`Client`] talks to Clerk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The API's base URL: https, or http for this machine alone.
    pub api_url: String,
    /// The `Clerk-API-Version` header.
    pub api_version: String,
    /// Requests in 10 seconds; `None` for a quarter of what Clerk allows the key's kind of instance.
    pub rate_limit: Option<NonZeroU32>,
    /// A fixed time between the starts of requests.
    pub request_interval: Duration,
    /// Requests in flight at once.
    pub max_concurrency: usize,
    /// How long one request may take, its whole answer included.
    pub timeout: Duration,
    /// How often a request is tried again after 429, 5xx, a broken connection or a timeout. Where Clerk says when, in
    /// `Retry-After`, it is then, up to five minutes; a longer wait is [`Error::Unavailable`] at once.
    pub max_retries: u32,
}

impl Settings {
    /// Where Clerk's Backend API is.
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
        }
    }
}

/// Why a text is no base URL for the API.
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

/// A connection to one Clerk instance. Its TCP connections live as long as it does.
///
/// **Whom it trusts.** Certificates are checked against the root certificates of the machine and no others, so that
/// whoever looks after it decides: its updates hold here as well, and `SSL_CERT_FILE` or `SSL_CERT_DIR` name others. On
/// a machine without any (a container may lack the package `ca-certificates`) no https request succeeds.
///
/// **Proxies.** https requests go through the proxy that the environment names in `HTTPS_PROXY` or `ALL_PROXY`, unless
/// `NO_PROXY` excepts the host. It passes on what is encrypted between here and Clerk (`CONNECT`): it learns the host,
/// and neither the key nor the data. Requests in plain http, which only this machine gets, use no proxy.
///
/// **What it reads.** A page may have 64 MiB, once it is uncompressed, and an error 64 KiB; of what is longer no more is
/// read. The bodies on their way to one client have 256 MiB at most, however many requests are in flight.
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
    /// A client for the instance that the secret key belongs to. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Config`] for a base URL that is not https or a key that no header can carry.
    pub fn new(settings: Settings, key: SecretString) -> Result<Self, Error> {
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
            .pool_max_idle_per_host(settings.max_concurrency)
            // A redirect would carry the query, and its answer is not Clerk's: it is reported instead.
            .redirect(reqwest::redirect::Policy::none());
        if url.scheme() == "http" {
            // A proxy would see the key in clear.
            http = http.no_proxy();
        }
        let http =
            http.build().map_err(|error| Error::Config(format!("the HTTP client cannot start: {}", causes(error))))?;
        let rate_limit = settings.rate_limit.unwrap_or_else(|| default_rate_limit(key.expose_secret()));
        Ok(Client {
            http,
            bodies: Bodies::default(),
            base: url.as_str().trim_end_matches('/').to_owned(),
            key,
            limiter: RateLimiter::new(rate_limit, settings.request_interval, settings.max_concurrency),
            settings,
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The body of a successful answer, after as many tries as the settings allow.
    pub(crate) async fn get(&self, request: &Request, stats: &Stats) -> Result<Vec<u8>, Error> {
        let started = Instant::now();
        let mut delays = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(10))
            .with_max_times(self.settings.max_retries as usize)
            .build();
        let mut tries = 0;
        loop {
            tries += 1;
            let failure = match self.attempt(request, tries > 1, stats).await {
                Ok(body) => {
                    self.limiter.succeeded();
                    return Ok(body);
                }
                Err(failure) => failure,
            };
            let Failure::Passing { cause, pause } = failure else { return Err(failure.into_error(request)) };
            let unavailable = |cause: &str| Error::Unavailable {
                cause: self.redact(cause),
                tries,
                elapsed: started.elapsed(),
                request: request.clone().into(),
            };
            let Some(delay) = delays.next() else { return Err(unavailable(&cause)) };
            if let Pause::All(Some(asked)) | Pause::This(Some(asked)) = pause
                && asked > MAX_WAIT
            {
                let (asked, most) = (asked.as_secs(), MAX_WAIT.as_secs());
                let cause = format!("{cause}; it asks for a wait of {asked} s, and {most} s are the most there is");
                return Err(unavailable(&cause));
            }
            match pause {
                // Every request of this client waits, this one in the queue with the others.
                Pause::All(time) => self.limiter.hold(time.unwrap_or(delay)),
                Pause::This(time) => tokio::time::sleep(time.unwrap_or(delay)).await,
            }
        }
    }

    async fn attempt(&self, request: &Request, again: bool, stats: &Stats) -> Result<Vec<u8>, Failure> {
        let queued = Instant::now();
        let _permit = self.limiter.acquire().await;
        let sent = Instant::now();
        stats.sent(again, sent - queued);
        let answer = self.answer(request).await;
        stats.answered(answer.as_ref().map_or(0, Vec::len), sent.elapsed());
        answer
    }

    async fn answer(&self, request: &Request) -> Result<Vec<u8>, Failure> {
        let response =
            self.http.get(format!("{}{}", self.base, request.target())).send().await.map_err(Failure::network)?;
        let status = response.status();
        if status.is_success() {
            return self.bodies.read(response).await;
        }
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| wait(value, SystemTime::now()));
        let body = body::beginning_of(response).await;
        let problem = Problem::parse(self.redact(&String::from_utf8_lossy(&body)).as_bytes());
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS => Failure::Passing {
                cause: format!("status {}: {problem}", status.as_u16()),
                pause: Pause::All(retry_after),
            },
            status if status.is_server_error() => Failure::Passing {
                cause: format!("status {}: {problem}", status.as_u16()),
                pause: Pause::This(retry_after),
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::Unauthorized { status: status.as_u16(), problem }
            }
            status => Failure::Refused { status: status.as_u16(), problem },
        })
    }

    /// The error for a body that is not what was expected.
    pub(crate) fn malformed(&self, expected: &'static str, problem: String, body: &[u8], request: &Request) -> Error {
        let body = self.redact(&String::from_utf8_lossy(body));
        Error::Malformed {
            expected,
            problem: self.redact(&problem),
            beginning: beginning(body.as_bytes()),
            request: request.clone().into(),
        }
    }

    /// Text from outside without the key, in case something on the way echoes it.
    fn redact(&self, text: &str) -> String {
        match self.key.expose_secret() {
            "" => text.to_owned(),
            key => text.replace(key, "[secret key]"),
        }
    }
}

/// A quarter of what Clerk documents for the key's kind of instance, so that the application keeps the rest.
fn default_rate_limit(key: &str) -> NonZeroU32 {
    const LIVE: NonZeroU32 = NonZeroU32::new(250).unwrap();
    const TEST: NonZeroU32 = NonZeroU32::new(25).unwrap();
    if key.starts_with("sk_test_") { TEST } else { LIVE }
}

/// Why one try failed.
enum Failure {
    /// What another try may mend.
    Passing {
        cause: String,
        pause: Pause,
    },
    Unauthorized {
        status: u16,
        problem: Problem,
    },
    Refused {
        status: u16,
        problem: Problem,
    },
}

/// Who waits before the next try, and how long if Clerk said so.
enum Pause {
    All(Option<Duration>),
    This(Option<Duration>),
}

impl Failure {
    fn network(error: reqwest::Error) -> Self {
        let is_rootless = error.is_connect()
            && error.url().is_some_and(|url| url.scheme() == "https")
            && rustls_native_certs::load_native_certs().certs.is_empty();
        let mut cause = match error.is_timeout() {
            true => "no answer in time".to_owned(),
            false => causes(error.without_url()),
        };
        if is_rootless {
            cause.push_str("; this machine has no root certificates: install ca-certificates or set SSL_CERT_FILE");
        }
        Failure::Passing { cause, pause: Pause::This(None) }
    }

    fn into_error(self, request: &Request) -> Error {
        let request = request.clone().into();
        match self {
            Failure::Unauthorized { status, problem } => Error::Unauthorized { status, problem, request },
            Failure::Refused { status, problem } => Error::Refused { status, problem, request },
            Failure::Passing { cause, .. } => Error::Unavailable { cause, tries: 1, elapsed: Duration::ZERO, request },
        }
    }
}

/// An error with what caused it, in one line.
fn causes(error: reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// How long `Retry-After` asks to wait: a number of seconds, or a date. What is neither, or over already, asks for
/// nothing.
fn wait(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than a number can hold are too many as well.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    httpdate::parse_http_date(text).ok()?.duration_since(now).ok()
}

#[cfg(test)]
mod tests;
