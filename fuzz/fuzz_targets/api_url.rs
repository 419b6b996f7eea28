//! A base URL that is accepted is https or this machine, holds no password, and stays what it is with a path behind it.
#![no_main]

use std::net::IpAddr;

use clerk_api::check_api_url;
use clerk_fuzz::check_target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let url = match check_api_url(text) {
        Ok(url) => url,
        Err(problem) => {
            assert!(!problem.is_empty());
            return;
        }
    };
    let host = url.host_str().expect("a URL with a host");
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    assert!(url.scheme() == "https" || (url.scheme() == "http" && is_here), "{text:?} sends the key unencrypted");
    assert!(url.username().is_empty() && url.password().is_none(), "{text:?} has a password");
    assert!(url.query().is_none() && url.fragment().is_none(), "{text:?} does not end with its path");
    // As the client makes the URLs of requests.
    let base = url.as_str().trim_end_matches('/');
    let joined = check_target(base, "/users/user_1?limit=1", 2);
    assert_eq!(joined.host_str(), Some(host));
    // What is accepted is so in its own spelling as well.
    assert_eq!(check_api_url(url.as_str()), Ok(url.clone()));
});
