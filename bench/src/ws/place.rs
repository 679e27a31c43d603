//! The server under test, with an account that its sockets belong to.

use std::path::PathBuf;

use clap::Args;
use reqwest::Client;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::account;
use crate::compare::Folder;
use crate::process::Process;
use crate::ws::door::Door;

const PATH: &str = "/api/v4/websocket";

/// Holds the password, which belongs on no command line.
const PASSWORD: &str = "QUARTERDECK_BENCH_PASSWORD";

/// A process holds so many files beside its sockets, with room to spare.
const OTHER_FILES: u64 = 200;

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    server: PathBuf,
    /// A server that runs already (`host:port`), instead of one that is started and ended here
    #[arg(long)]
    address: Option<String>,
    /// The process of that server; without it, its processor time and memory are left out
    #[arg(long, requires = "address")]
    pid: Option<u32>,
    /// A token of an account of that server
    #[arg(long, requires = "address", conflicts_with = "login")]
    token: Option<String>,
    /// The name of an account of that server, whose password is in the variable `QUARTERDECK_BENCH_PASSWORD`
    #[arg(long, requires = "address")]
    login: Option<String>,
}

/// A running server and an account of it.
pub(crate) struct Place {
    pub(crate) address: String,
    /// Where known, and on this machine.
    pub(crate) pid: Option<u32>,
    pub(crate) token: String,
    pub(crate) user_id: String,
    _process: Option<(Process, Folder)>,
}

impl Options {
    /// Whether the server runs already, and goes on after the measurement.
    pub(crate) fn is_given(&self) -> bool {
        self.address.is_some()
    }

    /// Whether processor time and memory of the server can be read.
    pub(crate) fn has_process(&self) -> bool {
        self.pid.is_some() || !self.is_given()
    }

    /// Starts a server, or logs in to the one that runs.
    pub(crate) async fn open(&self, http: &Client) -> Result<Place, Failure> {
        let Some(address) = &self.address else { return self.start(http).await };
        let token = self.token(http, address).await?;
        Place::new(http, address.clone(), self.pid, token, None).await
    }

    async fn start(&self, http: &Client) -> Result<Place, Failure> {
        let folder = Folder::new()?;
        let server = Process::server(&self.server, folder.path())?;
        let (address, pid) = (server.address.clone(), server.pid());
        let token = account::first(http, &address).await?;
        Place::new(http, address, Some(pid), token, Some((server, folder))).await
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
    async fn new(
        http: &Client,
        address: String,
        pid: Option<u32>,
        token: String,
        process: Option<(Process, Folder)>,
    ) -> Result<Self, Failure> {
        let user_id = account::id(http, &address, &token).await?;
        Ok(Self { address, pid, token, user_id, _process: process })
    }

    /// Where its sockets are opened.
    pub(crate) fn door(&self, resets: bool) -> Door {
        Door { address: self.address.clone(), path: PATH, token: self.token.clone(), resets }
    }
}

/// Lets this process, and those it starts, hold so many sockets.
pub(crate) fn raise_limit_of_files(sockets: u64) -> Result<(), Failure> {
    let mut limit = getrlimit(Resource::Nofile);
    let needed = sockets + OTHER_FILES;
    if limit.maximum.is_some_and(|most| most < needed) {
        return Err(format!("{needed} open files are needed, and `ulimit -Hn` allows fewer").into());
    }
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    Ok(())
}
