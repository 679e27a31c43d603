//! `quarterdeck serve`: start, wait for a signal, stop.

use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::{Common, failure, say};
use crate::logging;
use crate::server::Server;
use crate::settings::{Settings, Sources};

pub(super) fn run(common: &Common) -> ExitCode {
    let (settings, sources) = match common.settings() {
        Ok(read) => read,
        Err(refusal) => return failure(refusal),
    };
    let logs = match logging::start(&settings.config.view.log) {
        Ok(logs) => logs,
        Err(refusal) => return failure(refusal),
    };
    settings.report();
    raise_file_limit();
    let ended = actix_web::rt::System::new().block_on(serve(settings, sources, &logs));
    logs.flush();
    ended
}

/// Lets the process open as many files as the system admits: each socket is one.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(cause) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        warn!(%cause, "the limit of open files stays as it is");
    }
}

async fn serve(settings: Settings, sources: Sources, logs: &logging::Logs) -> ExitCode {
    let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = signals else {
        return failure("signals cannot be received");
    };
    let starting = tokio::select! {
        started = Server::start(settings, sources) => started,
        _ = terminate.recv() => return ExitCode::SUCCESS,
        _ = interrupt.recv() => return ExitCode::SUCCESS,
    };
    let server = match starting {
        Ok(server) => server,
        Err(refusal) => {
            error!(cause = %refusal, "the server did not start");
            return failure(refusal);
        }
    };
    logs.follow(server.config().follow());
    greet(&server).await;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = reload_on(&mut hangup, &server) => {}
    }
    server.stop().await;
    ExitCode::SUCCESS
}

/// SIGHUP reads `config.toml` and the environment again.
async fn reload_on(hangup: &mut Signal, server: &Server) {
    while hangup.recv().await.is_some() {
        if let Err(refusal) = server.reload().await {
            error!(cause = %refusal, "the configuration was not reloaded; the one in force stays");
        }
    }
}

async fn greet(server: &Server) {
    let scheme = server.scheme();
    for address in server.addresses() {
        say(format_args!("Quarterdeck listens on {scheme}://{address}"));
        info!(address = %address, scheme, "listening");
    }
    if let Some(socket) = server.socket() {
        say(format_args!("and on the local socket {}", socket.display()));
    }
    if let Some(address) = server.metrics_address() {
        say(format_args!("and shows its metrics on http://{address}/metrics"));
    }
    if server.has_no_accounts().await {
        say("Nobody has an account yet. The first one becomes the system administrator:");
        let program = std::env::args().next().unwrap_or_else(|| "quarterdeck".to_owned());
        say(format_args!("  {program} user create --email you@example.org --username you --system-admin"));
    }
}
