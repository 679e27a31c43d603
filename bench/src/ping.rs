//! `quarterdeck-bench ping`: the cost of a ping, and the time from the start of the process to the first response.

use std::path::Path;
use std::time::Instant;

use crate::compare::{self, Folder, Options, Side};
use crate::cpu;
use crate::load::{Request, fetch};
use crate::process::Process;

pub(crate) const PING: Request = Request { path: "/api/v4/system/ping", query: "", headers: String::new() };

type Failure = Box<dyn std::error::Error>;

pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let (folder, other_folder) = (Folder::new()?, Folder::new()?);
    let baseline = match &options.baseline_binary {
        Some(program) => Some(start("baseline", program, &other_folder).await?),
        None => None,
    };
    let server = start("quarterdeck", &options.server, &folder).await?;
    let side = |process| Side { process, request: PING };
    compare::run(options, &side(&server), baseline.as_ref().map(side).as_ref()).await
}

/// Starts a server. Prints the time until its first response and its memory after that.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
async fn start(name: &str, program: &Path, folder: &Folder) -> Result<Process, Failure> {
    let started = Instant::now();
    let server = Process::server(program, folder.path())?;
    fetch(&server.address, &PING).await?;
    let elapsed = started.elapsed().as_millis();
    println!("{name:<12}  first ping {elapsed} ms after the start of the process");
    println!("{name:<12}  {} kB of resident memory after that ping", cpu::resident_kb(server.pid())?);
    Ok(server)
}
