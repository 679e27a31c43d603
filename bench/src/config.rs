//! `quarterdeck-bench config-client` and `config`: the cost of reading the configuration.

use std::path::Path;

use crate::account;
use crate::compare::{self, Folder, Options, Side};
use crate::load::Request;
use crate::process::Process;

const GZIP: &str = "Accept-Encoding: gzip\r\n";

type Failure = Box<dyn std::error::Error>;

/// A server with its first account, which is an administrator and logged in.
struct Server {
    process: Process,
    token: String,
    _folder: Folder,
}

/// The two servers, or one that is compared with the bare handler.
struct Servers {
    measured: Server,
    baseline: Option<Server>,
}

/// Measures the client configuration, before and after a login.
pub(crate) async fn show_to_clients(options: &Options) -> Result<(), Failure> {
    let servers = Servers::start(options).await?;
    let request = |headers| Request { path: "/api/v4/config/client", query: "?format=old", headers };
    servers.measure(options, "anonymous", request, |_| String::new()).await?;
    servers.measure(options, "logged in", request, Server::authorization).await
}

/// Measures the whole configuration for a system administrator.
pub(crate) async fn show(options: &Options) -> Result<(), Failure> {
    let servers = Servers::start(options).await?;
    let request = |headers| Request { path: "/api/v4/config", query: "", headers };
    servers.measure(options, "administrator", request, Server::authorization).await
}

impl Servers {
    async fn start(options: &Options) -> Result<Self, Failure> {
        let baseline = match &options.baseline_binary {
            Some(program) => Some(Server::start(program).await?),
            None => None,
        };
        Ok(Self { measured: Server::start(&options.server).await?, baseline })
    }

    /// Measures a request with and without compression.
    #[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
    async fn measure(
        &self,
        options: &Options,
        who: &str,
        request: impl Fn(String) -> Request,
        authorization: impl Fn(&Server) -> String,
    ) -> Result<(), Failure> {
        for (coding, header) in [("plain", ""), ("gzip", GZIP)] {
            println!("{who}, {coding}");
            let of = |server: &Server| request(format!("{}{header}", authorization(server)));
            let server = Side { process: &self.measured.process, request: of(&self.measured) };
            let baseline = self.baseline.as_ref().map(|other| Side { process: &other.process, request: of(other) });
            compare::run(options, &server, baseline.as_ref()).await?;
        }
        Ok(())
    }
}

impl Server {
    async fn start(program: &Path) -> Result<Self, Failure> {
        let folder = Folder::new()?;
        let process = Process::server(program, folder.path())?;
        let token = account::first(&reqwest::Client::new(), &process.address).await?;
        Ok(Self { process, token, _folder: folder })
    }

    fn authorization(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }
}
