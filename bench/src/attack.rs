//! `quarterdeck-bench attack`: the latency and memory of a server during many kinds of attacks at once.
//!
//! The server has one core. The attackers and the clients whose latency is measured have the other. The baseline is the
//! same server with the same number of harmless connections.

mod admin;
pub(crate) mod kind;
mod peers;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hdrhistogram::Histogram;
use reqwest::Client;
use tokio::time::{Instant, sleep};

use crate::compare::Folder;
use crate::load::histogram;
use crate::process::Process;
use crate::report::{percentiles, to_float};
use crate::{account, cores, cpu};
use admin::Logins;
use kind::{Attack, KINDS, Kind, Target};
use peers::Peers;

/// The maximum ratio of the 99th percentile of a ping under attack to that of the baseline.
const MAX_PING_RATIO: f64 = 10.0;

/// The maximum latency of an administrator's login under attack.
const MAX_LOGIN_LATENCY: Duration = Duration::from_secs(2);

/// The maximum resident memory of the server, in megabytes.
const MAX_RESIDENT_MB: f64 = 300.0;

/// The time between two pings of one client.
const PING_INTERVAL: Duration = Duration::from_millis(5);

/// The number of clients that ping.
const PINGERS: u64 = 4;

/// The time in which all attackers connect.
const CONNECT_WINDOW: Duration = Duration::from_secs(5);

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    server: PathBuf,
    /// Number of connections that attack; the baseline has the same number of harmless ones
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(1..=9000))]
    connections: u64,
    /// Duration of the attack, and of the baseline, in seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Number of addresses of the attackers: the default is the smallest number that may have the default connections
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=250))]
    addresses: u64,
    /// Only this kind of attack; may be given several times
    #[arg(long)]
    only: Vec<String>,
}

/// Starts a server, measures the baseline and then the attack, and checks the results against their limits.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let kinds = chosen(&options.only)?;
    wire::raise_limit_of_files(options.connections)?;
    let folder = Folder::new()?;
    let server = cores::split(|| Process::server_with(&options.server, folder.path(), &VARIABLES))?;
    let http = Client::new();
    let admin = account::first(&http, &server.address).await?;
    let user = account::another(&http, &server.address, &admin, 1).await?;
    let peers = Peers::start().await?;
    println!("{} connections for {} s, {PINGERS} clients ping", options.connections, options.seconds);

    let calm = baseline(options, &server.address).await?;
    println!("harmless connections  ping {}", percentiles(&calm));
    println!("                      resident memory {:.1} MB", megabytes(cpu::resident_kb(server.pid())?));

    let until = Instant::now() + CONNECT_WINDOW + Duration::from_secs(options.seconds);
    let target = Target {
        address: server.address.clone(),
        user,
        admin,
        silent: peers.silent.clone(),
        image: peers.image.clone(),
        until: Some(until),
        addresses: options.addresses,
        binds: false,
    };
    let attack = Attack::start(target, attackers(&kinds, options.connections)?);
    sleep(CONNECT_WINDOW).await;
    let logins = Logins::start(server.address.clone(), until);
    let stormy = pings(&server.address, until).await?;
    let logins = logins.end().await?;
    for (name, tally) in attack.end()? {
        println!("  {name:<24} {tally}");
    }
    println!("under attack          ping {}", percentiles(&stormy));
    println!("an administrator logs in: {}", percentiles(&logins));
    let resident = megabytes(cpu::peak_kb(server.pid())?);

    let ratio = to_float(stormy.value_at_quantile(0.99)) / to_float(calm.value_at_quantile(0.99).max(1));
    let slowest = Duration::from_micros(logins.max());
    let verdicts = [
        (ratio < MAX_PING_RATIO, format!("ratio of the p99 of ping {ratio:.2}, bound {MAX_PING_RATIO}")),
        (
            slowest <= MAX_LOGIN_LATENCY,
            format!("slowest login {} ms, bound {}", slowest.as_millis(), MAX_LOGIN_LATENCY.as_millis()),
        ),
        (resident < MAX_RESIDENT_MB, format!("resident memory at most {resident:.1} MB, bound {MAX_RESIDENT_MB}")),
    ];
    for (holds, figure) in &verdicts {
        println!("{}  {figure}", if *holds { "holds " } else { "BROKEN" });
    }
    if verdicts.iter().all(|(holds, _)| *holds) { Ok(()) } else { Err("a target was missed".into()) }
}

/// Settings of the server: it trusts `X-Forwarded-For` from this machine, so that attackers can have different
/// addresses, and its image proxy and redirects may call the hosts of the attack.
const VARIABLES: [(&str, &str); 5] = [
    ("MM_SERVICESETTINGS_TRUSTEDPROXYIPHEADER", "X-Forwarded-For"),
    ("MM_SERVICESETTINGS_ALLOWEDUNTRUSTEDINTERNALCONNECTIONS", "127.0.0.1"),
    ("MM_QUARTERDECK_TRUSTEDPROXIES", "127.0.0.0/8"),
    ("MM_IMAGEPROXYSETTINGS_ENABLE", "true"),
    ("MM_IMAGEPROXYSETTINGS_IMAGEPROXYTYPE", "local"),
];

fn chosen(names: &[String]) -> Result<Vec<&'static Kind>, Failure> {
    if names.is_empty() {
        return Ok(KINDS.iter().collect());
    }
    let known = || KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
    let find = |name: &String| KINDS.iter().find(|kind| kind.name == name);
    names.iter().map(|name| find(name).ok_or_else(|| format!("{name} is none of {}", known()).into())).collect()
}

/// Divides a number of attackers among the kinds by weight.
fn attackers(kinds: &[&'static Kind], count: u64) -> Result<Vec<&'static Kind>, Failure> {
    let rows = kinds.iter().flat_map(|kind| std::iter::repeat_n(*kind, kind.weight));
    Ok(rows.cycle().take(usize::try_from(count)?).collect())
}

/// Measures pings while the same number of harmless connections have sent one request each and stay open.
async fn baseline(options: &Options, address: &str) -> Result<Histogram<u64>, Failure> {
    let mut idle = Vec::new();
    for _ in 0..options.connections {
        idle.push(wire::ping_and_stay(address).await?);
    }
    let latency = pings(address, Instant::now() + Duration::from_secs(options.seconds)).await?;
    drop(idle);
    Ok(latency)
}

/// Returns the latency of pings until a moment, in microseconds.
async fn pings(address: &str, until: Instant) -> Result<Histogram<u64>, Failure> {
    let pingers = (0..PINGERS).map(|_| wire::ping_until(address.to_owned(), PING_INTERVAL, until));
    let pingers: Vec<_> = pingers.map(tokio::spawn).collect();
    let mut all = histogram()?;
    for pinger in pingers {
        all.add(pinger.await??)?;
    }
    Ok(all)
}

fn megabytes(kilobytes: u64) -> f64 {
    to_float(kilobytes) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_chosen_by_their_names() {
        assert_eq!(chosen(&[]).unwrap().len(), KINDS.len());
        assert_eq!(chosen(&["login-unknown".to_owned()]).unwrap().len(), 1);
        assert!(chosen(&["flattery".to_owned()]).is_err());
    }
}
