//! `quarterdeck serve`: starts the server, waits for a signal and stops; or executes the program that an upgrade
//! installed.

mod ephemeral;
mod hint;
mod owner;
mod signals;

use quarterdeck_actors::task;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use actix_web::rt::SystemRunner;
use clap::Args;
use quarterdeck_actors::config::view::LogSettings;
use rustix::process::{Pid, Resource, Rlimit, getppid, getrlimit, setrlimit};
use tracing::{error, info, warn};

pub(super) use self::ephemeral::Folder;
use self::ephemeral::Plan;
use self::hint::Hint;
use self::owner::Owner;
use self::signals::{Signals, Unused};
use super::options::Common;
use super::output::{failure, say};
use crate::domain::accounts::{FirstAccount, SETUP_CODE};
use crate::server::Server;
use crate::server::steps::{Attempts, examine};
use crate::settings::{Settings, Sources};
use crate::telemetry::logging;

/// The maximum of `--users`.
const MAX_USERS: i64 = 10_000;

pub(super) const AFTER_HELP: &str = "\
With --ephemeral the server is ready for the tests of a client: it listens on a free loopback port, keeps its data in a
folder of its own that it removes at the end, and prints one line of JSON on standard output when it is ready:
  url, websocket, admin (id, username, email, password), token (a session of the admin), password (of all accounts),
  users (id and username of each), socket (the local socket) and pid
It stops when its parent process ends. Settings that name data of another server have no effect; each one is named on
standard error.";

#[derive(Debug, Default, Args)]
pub(super) struct Serve {
    /// Starts a server for tests, with an administrator, that keeps nothing and ends with its parent process
    #[arg(long)]
    ephemeral: bool,
    /// The number of accounts beside the administrator, named user-1, user-2, ...
    #[arg(long, value_name = "N", requires = "ephemeral", value_parser = clap::value_parser!(u16).range(0..=MAX_USERS))]
    users: Option<u16>,
    /// Ends the server when its standard input ends, instead of with its parent process
    #[arg(long, requires = "ephemeral")]
    until_stdin_ends: bool,
}

/// The step after the server has ended.
enum Next {
    Exit(ExitCode),
    /// Executes the program again. The log settings are those of the server that stopped.
    Restart(LogSettings),
}

/// Runs the server. The folder of an ephemeral one is put into `folder`, so that the caller removes it after the database
/// in it is closed.
pub(super) fn run(common: &Common, options: &Serve, folder: &mut Option<Folder>) -> ExitCode {
    let parent = getppid();
    let system = actix_web::rt::System::new();
    let Ok((mut signals, unused)) = system.block_on(async { Signals::receive() }) else {
        return failure("signals cannot be received");
    };
    // The path is read now. Once an upgrade has replaced the file, the system no longer returns its name.
    let program = std::env::current_exe();
    let mut sources = common.sources();
    if options.ephemeral {
        let prepared = system.block_on(async { owner(parent, options) });
        let prepared = prepared.and_then(|owner| Ok((owner, ephemeral::prepare(sources)?)));
        match prepared {
            Ok((owner, (made, replaced))) => {
                signals.end_with(owner);
                *folder = Some(made);
                sources = replaced;
            }
            Err(cause) => return failure(format_args!("an ephemeral server cannot start: {cause}")),
        }
    }
    let settings = match Common::starting(&sources) {
        Ok(settings) => settings,
        Err(refusal) => return failure(refusal),
    };
    ephemeral::tell_replaced(&settings);
    let plan = options.ephemeral.then(|| Plan::new(options.users.unwrap_or_default().into(), &settings));
    // The stored log settings are applied as soon as the server has read them.
    let logs = match logging::start(&settings.config.view.log) {
        Ok(logs) => logs,
        // A start refuses these levels as well, together with whatever else is wrong.
        Err(refusal) => return refused(settings, &sources, &system, refusal),
    };
    settings.report();
    raise_file_limit();
    let next = system.block_on(serve((settings, sources), plan, &logs, (signals, unused)));
    logs.flush();
    match next {
        Next::Exit(code) => code,
        Next::Restart(log_settings) => {
            let cause = restarted(program);
            let _ = logs.apply(&log_settings);
            error!(%cause, "the server stopped for a restart, but its program cannot be executed");
            logs.flush();
            failure(format_args!("the program cannot be restarted: {cause}"))
        }
    }
}

/// Prints every reason why a server with these settings cannot start. `refusal` is one of them.
fn refused(settings: Settings, sources: &Sources, system: &SystemRunner, refusal: String) -> ExitCode {
    let examining = Box::pin(examine(settings, sources, Attempts::Once));
    match system.block_on(examining) {
        Ok(_) => failure(refusal),
        Err(all) => failure(all),
    }
}

/// Executes the program that is now in place of this one, with the same process id, arguments and environment. Returns
/// only if that fails, with the cause.
///
/// Every file and socket was opened with close-on-exec, so the kernel closes it here.
fn restarted(program: io::Result<PathBuf>) -> io::Error {
    let program = match program {
        Ok(program) => program,
        Err(cause) => return cause,
    };
    let mut arguments = std::env::args_os();
    let mut command = Command::new(&program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let cause = command.args(arguments).exec();
    io::Error::new(cause.kind(), format!("{}: {cause}", program.display()))
}

/// Raises the limit of open files to the highest value that the system allows, because each socket takes one.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(cause) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        warn!(%cause, "the limit of open files could not be raised");
    }
}

/// Returns the process or the input with which an ephemeral server ends.
fn owner(parent: Option<Pid>, options: &Serve) -> io::Result<Owner> {
    if options.until_stdin_ends { Owner::input() } else { Ok(Owner::Parent(parent)) }
}

async fn serve(
    (settings, sources): (Settings, Sources),
    plan: Option<Plan>,
    logs: &logging::Logs,
    (mut signals, unused): (Signals, Unused),
) -> Next {
    task::once("unused_settings", unused.log());
    let (unnamed, named) = (sources.unnamed_file(), sources.clone());
    let starting = tokio::select! {
        started = Server::start(settings, sources) => started,
        () = signals.end() => return Next::Exit(ExitCode::SUCCESS),
    };
    let server = match starting {
        Ok(server) => server,
        Err(refusal) => {
            error!(cause = %refusal, "the server did not start");
            return Next::Exit(failure(refusal));
        }
    };
    logs.follow(server.config().follow()).await;
    match plan {
        Some(plan) => {
            if let Err(cause) = plan.carry_out(&server).await {
                return Next::Exit(given_up(server, &cause).await);
            }
            ephemeral::remove_abandoned();
        }
        None => greet(&server, &named),
    }
    if let Some(file) = unnamed {
        say(file.notice());
        warn!("{}", file.notice());
    }
    let is_restart = tokio::select! {
        () = signals.end_or_reload(async || reload(&server).await) => false,
        () = server.restart_wanted() => true,
    };
    let log_settings = server.config().current().view.log.clone();
    let stopped = server.stop_sooner_on(signals.end()).await;
    // A signal to stop that arrived in the meantime takes precedence over a restart.
    let is_restart = is_restart && !signals.is_end_wanted();
    match stopped {
        Ok(()) if is_restart => Next::Restart(log_settings),
        Ok(()) => Next::Exit(ExitCode::SUCCESS),
        // The server restarts even after a stop that was not clean. The new program recovers what this one left, and a
        // running server is better than none.
        Err(cause) if is_restart => {
            warn!(%cause, "the server restarts, although its stop was not clean");
            Next::Restart(log_settings)
        }
        Err(cause) => Next::Exit(failure(cause)),
    }
}

/// Stops a server that no client can use.
async fn given_up(server: Server, cause: &str) -> ExitCode {
    error!(cause, "the server stops, because its accounts could not be created or announced");
    // The first cause is the one that is printed.
    let _ = server.stop_sooner_on(std::future::ready(())).await;
    failure(cause)
}

/// Reads `config.toml` and the environment again.
async fn reload(server: &Server) {
    if let Err(refusal) = server.reload().await {
        error!(cause = %refusal, "the configuration could not be reloaded; the current configuration stays in force");
    }
}

fn greet(server: &Server, sources: &Sources) {
    let scheme = server.scheme();
    for address in server.addresses() {
        say(format_args!("Quarterdeck listens on {scheme}://{address}"));
        info!(address = %address, scheme, "listening");
    }
    if let Some(socket) = server.socket() {
        say(format_args!("and on the local socket {}", socket.display()));
    }
    if let Some(address) = server.metrics_address() {
        say(format_args!("and serves its metrics on http://{address}/metrics"));
    }
    let program = std::env::args().next().unwrap_or_else(|| "quarterdeck".to_owned());
    greet_first(server.first_account(), &Hint::of(&program, sources, server.socket().map(PathBuf::as_path)));
}

/// Prints how to create the first account. The one-time code is printed here only, because it must not appear in the
/// log.
fn greet_first(first: &FirstAccount, hint: &Hint) {
    if first.accounts() > 0 {
        return;
    }
    let mut condition = String::new();
    if !hint.unprinted.is_empty() {
        condition = format!(", with the server's {} in the environment,", hint.unprinted.join(" and "));
    }
    say(format_args!(
        "There are no accounts yet. The first account becomes the system administrator. Create it{condition} with:"
    ));
    say(format_args!("  {}", hint.command));
    if let Some(why) = first.why_offline() {
        say(format_args!("This is the only way to create it, because {why}."));
    }
    if let Some(code) = first.code() {
        say("or by a sign-up over the network with this one-time code:");
        say(format_args!("  {SETUP_CODE}: {}", code.expose()));
    }
}
