//! `quarterdeck-bench config-client` and `config`: the cost of reading the configuration.

use crate::account;
use crate::compare::{self, Folder, Options};
use crate::load::Request;
use crate::process::Process;

const GZIP: &str = "Accept-Encoding: gzip\r\n";

type Done = Result<(), Box<dyn std::error::Error>>;

/// Measures the client configuration, before and after a login.
pub(crate) async fn show_to_clients(options: &Options) -> Done {
    let (folder, server, token) = start(options).await?;
    for (who, authorization) in [("anonymous", String::new()), ("logged in", bearer(&token))] {
        let request = |headers| Request { path: "/api/v4/config/client", query: "?format=old", headers };
        both_codings(options, &folder, &server, who, &authorization, &request).await?;
    }
    Ok(())
}

/// Measures the whole configuration for a system administrator.
pub(crate) async fn show(options: &Options) -> Done {
    let (folder, server, token) = start(options).await?;
    let request = |headers| Request { path: "/api/v4/config", query: "", headers };
    both_codings(options, &folder, &server, "administrator", &bearer(&token), &request).await
}

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
async fn both_codings(
    options: &Options,
    folder: &Folder,
    server: &Process,
    who: &str,
    authorization: &str,
    request: &dyn Fn(String) -> Request,
) -> Done {
    for (coding, header) in [("plain", ""), ("gzip", GZIP)] {
        println!("{who}, {coding}");
        compare::run(options, folder, server, &request(format!("{authorization}{header}"))).await?;
    }
    Ok(())
}

/// Starts a server with its first account, which is an administrator and logged in.
async fn start(options: &Options) -> Result<(Folder, Process, String), Box<dyn std::error::Error>> {
    let folder = Folder::new()?;
    let server = Process::server(&options.server, folder.path())?;
    let token = account::first(&reqwest::Client::new(), &server.address).await?;
    Ok((folder, server, token))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}
