//! The load of a run: that of the command line, otherwise that of the mix.

use std::time::Duration;

use super::attack::Hostile;
use super::engine::{Pace, Plan};
use super::mix::Mix;
use super::options::Options;
use super::target::Target;

/// The number of users of an open loop, and the timeout of a request, unless mix or command line say otherwise.
const DEFAULT_USERS: u64 = 32;
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the number of connections that a run opens.
pub(crate) fn connections(options: &Options, mix: &Mix) -> u64 {
    let background = mix.requests.iter().filter_map(|request| request.background);
    let attackers = mix.attack.as_ref().map_or(0, Hostile::count);
    attackers + users(options, mix) + sockets(options, mix) + background.map(|count| count.0).sum::<u64>()
}

/// Returns the number of sockets that stay open beside the requests.
pub(super) fn sockets(options: &Options, mix: &Mix) -> u64 {
    options.sockets.or(mix.load.sockets.map(|count| count.0)).unwrap_or_default()
}

/// Returns the number of users.
pub(super) fn users(options: &Options, mix: &Mix) -> u64 {
    let of_command = options.concurrency.or(options.users);
    let of_mix = mix.load.concurrency.or(mix.load.users).map(|count| count.0);
    of_command.or(of_mix).unwrap_or(DEFAULT_USERS)
}

/// Returns the plan of a run against a server.
pub(super) fn plan(options: &Options, mix: &Mix, target: &Target) -> Plan {
    let of_mix = mix.load.rate.filter(|_| options.concurrency.is_none()).map(|rate| rate.0);
    let pace = options.rate.or(of_mix).map_or(Pace::Closed, |per_second| Pace::Open { per_second });
    Plan {
        remote: target.address.remote(),
        pace,
        users: users(options, mix),
        burst: options.burst.or(mix.load.burst.map(|count| count.0)).unwrap_or(1),
        warmup: options.warmup,
        duration: options.duration(mix),
        timeout: options.timeout.or(mix.load.timeout.map(|span| span.0)).unwrap_or(DEFAULT_TIMEOUT),
        seed: options.seed,
    }
}
