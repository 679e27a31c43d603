//! The command line of `quarterdeck-bench run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::Url;

use super::mix::{MAX_ACCOUNTS, MAX_RATE, MAX_USERS};
use super::span;

#[derive(Debug, Args)]
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
    /// The process of a running server on this machine, to measure its processor time and memory
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// A file with a token of a running server: of an administrator, who creates the accounts of the run, or of a user
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Number of users, each with a connection; in an open loop they limit the number of requests at the same time
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_USERS))]
    pub(crate) users: Option<u64>,
    /// Number of accounts that the users have
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_ACCOUNTS))]
    pub(crate) accounts: Option<u64>,
    /// Open loop: requests a second, at times that do not depend on the responses
    #[arg(long, value_parser = rate, conflicts_with = "concurrency")]
    pub(crate) rate: Option<f64>,
    /// Closed loop: the number of users who each wait for a response before the next request
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_USERS), conflicts_with = "users")]
    pub(crate) concurrency: Option<u64>,
    /// Duration of the measurement, such as 10s, 5m or 1h
    #[arg(long, default_value = "10s", value_parser = span::duration)]
    pub(crate) duration: Duration,
    /// Duration of the load before the measurement
    #[arg(long, default_value = "2s", value_parser = span::warmup)]
    pub(crate) warmup: Duration,
    /// Timeout of a request, from its intended start; a request without a response by then is a failure [default: that of the mix, or 10s]
    #[arg(long, value_parser = span::timeout)]
    pub(crate) timeout: Option<Duration>,
    /// Seed of all random choices; the same seed chooses the same requests
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// A folder for `report.json` and `report.html`, which is created if it does not exist
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Loads a server that is not on this machine; say so only if it is yours
    #[arg(long)]
    pub(crate) i_operate_this_server: bool,
    /// Permits a scenario to change a running server beyond the accounts of the run
    #[arg(long)]
    pub(crate) allow_changes: bool,
    /// Binds a new server to one core and the load generator to another one
    #[arg(long)]
    pub(crate) pin: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().map_err(|_| format!("`{text}` is no number of requests a second"))?;
    let is_rate = (0.01..=MAX_RATE).contains(&rate);
    if is_rate { Ok(rate) } else { Err(format!("{rate} is not between 0.01 and {MAX_RATE}")) }
}
