//! A world whose tables can be written, and what was sent to Clerk for it.

use clerk_sim::{Config, Request};

use super::*;

/// A world whose server says `updatable 'true'`.
pub fn writable(config: Config) -> World {
    writable_with(config, "")
}

/// With more options for the server.
pub fn writable_with(config: Config, options: &str) -> World {
    let comma = if options.is_empty() { "" } else { ", " };
    World::with(config, &format!("updatable 'true'{comma}{options}"))
}

/// An instance with a few objects of every kind.
pub fn some_of_everything() -> Config {
    Config { users: 6, organizations: 3, memberships: 5, others: 4, ..small() }
}

/// A request in one line: its method, where it goes to, and its body.
pub fn line(request: &Request) -> String {
    let target = request.target.strip_prefix("/v1").unwrap_or(&request.target);
    let body = request.body.as_ref().map(|body| format!(" {body}")).unwrap_or_default();
    format!("{} {target}{body}", request.method)
}

/// All requests since this was last asked, each in one line.
pub fn lines(world: &World) -> Vec<String> {
    world.wait_until_idle();
    world.requests().iter().map(line).collect()
}

/// Those that change something.
pub fn writes(world: &World) -> Vec<String> {
    lines(world).into_iter().filter(|line| !line.starts_with("GET ")).collect()
}

/// How many requests change something, since this was last asked.
pub fn count_writes(world: &World) -> usize {
    writes(world).len()
}

/// How many organizations of Clerk have this name.
pub fn named(world: &World, name: &str) -> usize {
    let name = format!("\"name\":\"{name}\"");
    world.sim.organizations().iter().filter(|organization| organization.json.contains(&name)).count()
}
