//! What the tests share: a simulator, a client for it, and functions that read lists.

#![allow(dead_code, reason = "not every test uses all of it")]

pub mod lists;
pub mod writes;

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use clerk_api::catalog::object;
use clerk_api::{Client, Error, Fetch, Locator, Page, PageStream, Query, Settings};
use clerk_sim::{Config, RateLimit, Sim};

pub const USERS: &str = "/v1/users";
pub const ORGANIZATIONS: &str = "/v1/organizations";
pub const MEMBERSHIPS: &str = "/v1/organization_memberships";

pub fn simulator(users: usize, organizations: usize, memberships: usize) -> Sim {
    let config = Config { users, organizations, memberships, rate_limit: RateLimit::Off, ..Config::default() };
    Sim::start(config).expect("the simulator starts")
}

pub fn client(sim: &Sim) -> Arc<Client> {
    with(sim, |_| {})
}

/// A client with the tests' settings, which `change` may modify. Retries are few, because waiting for them takes time.
pub fn with(sim: &Sim, change: impl FnOnce(&mut Settings)) -> Arc<Client> {
    let mut settings = Settings {
        api_url: sim.url(),
        rate_limit: 100_000.try_into().ok(),
        max_retries: 2,
        timeout: Duration::from_secs(5),
        ..Settings::default()
    };
    change(&mut settings);
    Arc::new(Client::new(settings, sim.key().into()).expect("the settings are right"))
}

pub fn all(name: &str, page_size: u32) -> Fetch {
    Fetch { page_size, ..Fetch::all(object(name).expect(name), vec![Locator::Whole]) }
}

pub fn below(organization: &str, page_size: u32) -> Fetch {
    let object = object("organization_memberships").expect("the catalogue has memberships");
    let key = object.key_column("organization_id").expect("memberships are found by organization");
    let query = Query::Lookup { key, values: vec![organization.to_owned()], filters: vec![], order: None };
    Fetch { query, page_size, ..Fetch::all(object, vec![]) }
}

/// The ids of the objects that a fetch returns, in the order of their arrival.
pub fn ids(client: &Arc<Client>, fetch: Fetch) -> Result<Vec<String>, Box<Error>> {
    let pages = pages(client, fetch, usize::MAX)?;
    Ok(pages.iter().flat_map(|page| (0..page.len()).map(|object| page.id(object).into_owned())).collect())
}

/// The first `wanted` pages of a fetch, or all pages if there are fewer.
pub fn pages(client: &Arc<Client>, fetch: Fetch, wanted: usize) -> Result<Vec<Page>, Box<Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut stream = PageStream::start(fetch, Arc::clone(client), || {});
        let mut pages = Vec::new();
        while pages.len() < wanted {
            match stream.poll_page() {
                Poll::Ready(Some(page)) => pages.push(page?),
                Poll::Ready(None) => break,
                Poll::Pending => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        Ok(pages)
    })
}

pub fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

pub fn every(name: &str, sim: &Sim) -> Vec<String> {
    sorted(sim.objects(name).into_iter().map(|object| object.id).collect())
}
