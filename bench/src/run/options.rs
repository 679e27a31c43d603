//! The command line of `quarterdeck-bench run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::Url;

use super::condition::Condition;
use super::deliveries::MAX_NODES;
use super::mix::{MAX_ACCOUNTS, MAX_RATE, MAX_SOCKETS, MAX_USERS, Mix};
use super::span;
use super::target::OWN;
use crate::cores::Cores;

/// The duration of the measurement unless mix or command line say otherwise.
pub(super) const DEFAULT_DURATION: Duration = Duration::from_secs(10);

/// The number of rounds of a comparison and of an attack, and the minimum duration of a round.
const DEFAULT_ROUNDS: u32 = 6;
const ATTACK_ROUNDS: u32 = 2;
const MIN_ROUND: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// A scenario of the program, such as `ping` or `mixed`, or the path of a mix file that ends in .toml
    pub(crate) scenario: String,
    /// The server to load: `self` for a new server that ends with the run, or the URL of a running one
    #[arg(long, default_value = "self", value_name = "URL|self")]
    pub(crate) target: String,
    /// The program of a new server [default: `quarterdeck` beside this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) binary: Option<PathBuf>,
    /// A PostgreSQL server in which the run creates a database for a new server, and drops it: postgres://user@host:port/database [default: SQLite]
    #[arg(long)]
    pub(crate) database: Option<Url>,
    /// Number of servers of a scenario with a cluster, all on the PostgreSQL of --database [default: that of the mix]
    #[arg(long, value_parser = clap::value_parser!(u64).range(2..=MAX_NODES), requires = "database")]
    pub(crate) nodes: Option<u64>,
    /// The process of a running server on this machine, to measure its processor time and memory
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// A file with a token of a running server: of an administrator, who creates the accounts of the run, or of a user
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// A PEM file with authorities that may have issued the certificate of an https address, beside those of this machine
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Number of users, each with a connection; in an open loop they limit the number of requests at the same time
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_USERS))]
    pub(crate) users: Option<u64>,
    /// Number of accounts that the users have
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_ACCOUNTS))]
    pub(crate) accounts: Option<u64>,
    /// Number of sockets that are open during the run, divided among the accounts
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_SOCKETS))]
    pub(crate) sockets: Option<u64>,
    /// Open loop: requests a second, at times that do not depend on the responses
    #[arg(long, value_parser = rate, conflicts_with = "concurrency")]
    pub(crate) rate: Option<f64>,
    /// Number of requests of an open loop that start at the same moment
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_USERS), conflicts_with = "concurrency")]
    pub(crate) burst: Option<u64>,
    /// Closed loop: the number of users who each wait for a response before the next request
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_USERS), conflicts_with = "users")]
    pub(crate) concurrency: Option<u64>,
    /// Duration of the measurement, such as 10s, 5m or 1h [default: that of the mix, or 10s]
    #[arg(long, value_parser = span::duration)]
    pub(crate) duration: Option<Duration>,
    /// Duration of the load before the measurement
    #[arg(long, default_value = "2s", value_parser = span::warmup)]
    pub(crate) warmup: Duration,
    /// Timeout of a request, from its intended start; a request without a response by then is a failure [default: that of the mix, or 10s]
    #[arg(long, value_parser = span::timeout)]
    pub(crate) timeout: Option<Duration>,
    /// Seed of all random choices; the same seed chooses the same requests
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// A server to compare with, in alternating rounds: the URL of a running one, the program of a new one, or `baseline`, a bare handler that returns the same bytes
    #[arg(long, value_name = "URL|PROGRAM|baseline")]
    pub(crate) versus: Option<String>,
    /// A file with a token of the running server to compare with
    #[arg(long, value_name = "FILE", requires = "versus")]
    pub(crate) versus_token_file: Option<PathBuf>,
    /// Number of rounds into which the duration is divided, for each server [default: 6 with --versus, 2 with attackers, otherwise 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// Fails if a condition is met, such as 'p99>200ms', 'failures>0.1%' or, with --versus, 'p99>1.1x'; may be given several times [default: those of the mix]
    #[arg(long, value_name = "CONDITION", value_parser = Condition::read)]
    pub(crate) fail_if: Vec<Condition>,
    /// A folder for `report.json` and `report.html`, which is created if it does not exist
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Loads a server that is not on this machine; say so only if it is yours
    #[arg(long)]
    pub(crate) i_operate_this_server: bool,
    /// Permits a scenario to change a running server beyond the accounts of the run
    #[arg(long)]
    pub(crate) allow_changes: bool,
    /// Binds new servers to one core and the load generator to another one
    #[arg(long)]
    pub(crate) pin: bool,
}

impl Options {
    /// Returns the same options with another rate.
    pub(crate) fn at_rate(&self, rate: f64) -> Self {
        Self { rate: Some(rate), ..self.clone() }
    }

    pub(crate) fn duration(&self, mix: &Mix) -> Duration {
        self.duration.or(mix.load.duration.map(|length| length.0)).unwrap_or(DEFAULT_DURATION)
    }

    pub(crate) fn rounds(&self, mix: &Mix) -> u32 {
        let default = if mix.attack.is_some() { ATTACK_ROUNDS } else { DEFAULT_ROUNDS };
        self.rounds.unwrap_or(if self.compares(mix) { default } else { 1 })
    }

    /// Returns true if the run has two sides: two servers, or one with and without attackers.
    fn compares(&self, mix: &Mix) -> bool {
        self.versus.is_some() || mix.attack.is_some()
    }

    /// Returns the cores of the servers and of the load generator.
    pub(crate) fn cores(&self) -> std::io::Result<Cores> {
        if self.pin { Cores::apart() } else { Cores::any() }
    }

    /// Checks the rules that concern several options.
    pub(crate) fn check(&self, mix: &Mix) -> Result<(), String> {
        let is_own = self.target == OWN;
        let is_for_own = self.binary.is_some() || self.pin || (self.database.is_some() && self.versus.is_none());
        if !is_own && is_for_own {
            return Err("--binary, --database and --pin are for a new server; leave --target out".into());
        }
        if self.pin && self.versus.as_deref().is_some_and(|versus| versus.contains("://")) {
            return Err("--pin cannot bind a running server; compare with a program, or leave --pin out".into());
        }
        if is_own && (self.token_file.is_some() || self.pid.is_some()) {
            return Err("--token-file and --pid are for a running server; name it with --target".into());
        }
        let names_https = |text: &str| text.starts_with("https://");
        if self.ca.is_some() && !names_https(&self.target) && !self.versus.as_deref().is_some_and(names_https) {
            return Err("--ca is for an https address".into());
        }
        if self.duration(mix) / self.rounds(mix) < MIN_ROUND {
            return Err(format!("a round is shorter than {MIN_ROUND:?}; use fewer rounds or a longer duration"));
        }
        if !self.compares(mix) && self.fail_if.iter().any(Condition::is_ratio) {
            return Err("a condition with a ratio needs --versus".into());
        }
        if self.nodes.is_some() && mix.cluster.is_none() {
            return Err("--nodes is for a scenario with a cluster".into());
        }
        let starts_cluster = self.target == OWN && self.database.is_some();
        if mix.cluster.is_some() && !starts_cluster {
            return Err("the scenario starts its servers on one PostgreSQL; name it with --database".into());
        }
        if self.versus.is_some() && mix.attack.is_some() {
            return Err("a scenario with attackers compares a server with itself; leave --versus out".into());
        }
        if self.compares(mix) && self.rounds(mix) < 2 {
            return Err("a comparison needs two rounds or more".into());
        }
        Ok(())
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().map_err(|_| format!("`{text}` is not a number of requests a second"))?;
    let is_rate = (0.01..=MAX_RATE).contains(&rate);
    if is_rate { Ok(rate) } else { Err(format!("{rate} is not between 0.01 and {MAX_RATE}")) }
}
