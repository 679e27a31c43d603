//! The server under test, with the accounts of its sockets.

use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Client;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::account;
use crate::compare::Folder;
use crate::process::Process;
use crate::ws::endpoint::SocketEndpoint;

pub(crate) const PATH: &str = "/api/v4/websocket";

/// The environment variable with the password, which must not be on the command line.
const PASSWORD: &str = "QUARTERDECK_BENCH_PASSWORD";

/// The maximum number of sockets of one user.
const MAX_SOCKETS_PER_USER: u64 = 500;

/// The number of open files that a process may need beside its sockets.
const OTHER_FILES: u64 = 200;

type Failure = Box<dyn std::error::Error>;

/// The options that choose the server to measure.
#[derive(Debug, Clone, Args)]
pub(crate) struct Tested {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    server: PathBuf,
    /// A server that is already running (`host:port`), instead of one that this run starts and ends
    #[arg(long)]
    address: Option<String>,
    /// The process of that server; without it, its processor time and memory are not measured
    #[arg(long, requires = "address")]
    pid: Option<u32>,
    /// A token of an account of that server
    #[arg(long, requires = "address", conflicts_with = "login")]
    token: Option<String>,
    /// The name of an account of that server, whose password is in the variable `QUARTERDECK_BENCH_PASSWORD`
    #[arg(long, requires = "address")]
    login: Option<String>,
}

/// An account with sockets.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) token: String,
    pub(crate) user_id: String,
}

impl Account {
    async fn with(http: &Client, address: &str, token: String) -> Result<Self, Failure> {
        Ok(Self { user_id: account::id(http, address, &token).await?, token })
    }
}

/// A running server with accounts.
pub(crate) struct Place {
    pub(crate) address: String,
    /// The process id, if it is known and on this machine.
    pub(crate) pid: Option<u32>,
    pub(crate) accounts: Vec<Account>,
    _process: Option<(Process, Folder)>,
}

impl Tested {
    /// Returns true if the server was already running and continues after the measurement.
    pub(crate) fn is_given(&self) -> bool {
        self.address.is_some()
    }

    /// Returns true if the processor time and memory of the server can be read.
    pub(crate) fn has_process(&self) -> bool {
        self.pid.is_some() || !self.is_given()
    }

    /// Starts a server with `accounts` accounts, or logs in to the running one with one account.
    pub(crate) async fn open(&self, http: &Client, accounts: u64) -> Result<Place, Failure> {
        let Some(address) = &self.address else { return Place::start(&self.server, http, accounts).await };
        let account = Account::with(http, address, self.token(http, address).await?).await?;
        Ok(Place { address: address.clone(), pid: self.pid, accounts: vec![account], _process: None })
    }

    async fn token(&self, http: &Client, address: &str) -> Result<String, Failure> {
        match (&self.token, &self.login) {
            (Some(token), _) => Ok(token.clone()),
            (None, Some(name)) => account::log_in(http, address, name, &std::env::var(PASSWORD)?).await,
            (None, None) => Err("--address needs --token or --login".into()),
        }
    }
}

impl Place {
    /// Starts a server with `accounts` accounts.
    pub(crate) async fn start(program: &Path, http: &Client, accounts: u64) -> Result<Self, Failure> {
        Self::start_with(program, http, accounts, &[]).await
    }

    /// Starts a server with more environment variables, which may name another, empty database.
    pub(crate) async fn start_with(
        program: &Path,
        http: &Client,
        accounts: u64,
        variables: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let folder = Folder::new()?;
        let server = Process::server_with(program, folder.path(), variables)?;
        let (address, pid) = (server.address.clone(), Some(server.pid()));
        let admin = account::first(http, &address).await?;
        let mut tokens = vec![admin.clone()];
        for number in 1..accounts {
            tokens.push(account::another(http, &address, &admin, number).await?);
        }
        let mut accounts = Vec::new();
        for token in tokens {
            accounts.push(Account::with(http, &address, token).await?);
        }
        Ok(Self { address, pid, accounts, _process: Some((server, folder)) })
    }

    /// Returns the endpoint for the sockets of each account.
    pub(crate) fn endpoints(&self, resets: bool) -> Vec<SocketEndpoint> {
        self.accounts.iter().map(|account| self.endpoint(account, resets)).collect()
    }

    /// Returns the endpoint for the sockets of one account.
    pub(crate) fn endpoint(&self, account: &Account, resets: bool) -> SocketEndpoint {
        SocketEndpoint::at(&self.address, PATH, &account.token, resets)
    }
}

/// Returns the number of accounts for `connections` sockets: the smallest number within the limit for one user.
pub(crate) fn accounts_for(connections: u64) -> u64 {
    connections.div_ceil(MAX_SOCKETS_PER_USER)
}

/// Raises the limit of open files for this process and the processes that it starts, so that they can have this many
/// sockets.
pub(crate) fn raise_limit_of_files(sockets: u64) -> Result<(), Failure> {
    let mut limit = getrlimit(Resource::Nofile);
    let needed = sockets + OTHER_FILES;
    if limit.maximum.is_some_and(|max| max < needed) {
        return Err(format!("{needed} open files are needed, and `ulimit -Hn` allows fewer").into());
    }
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_shared_among_as_few_accounts_as_can_hold_them() {
        assert_eq!([1, 500, 501, 10_000].map(accounts_for), [1, 1, 2, 20]);
    }
}
