//! `quarterdeck-bench ping`: the cost of a ping, and the time from the start of the process to the first response.

use std::time::Instant;

use crate::compare::{self, Folder, Options};
use crate::cpu;
use crate::load::{Request, fetch};
use crate::process::Process;

const PING: Request = Request { path: "/api/v4/system/ping", query: "", headers: String::new() };

#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) async fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let folder = Folder::new()?;
    let started = Instant::now();
    let server = Process::server(&options.server, folder.path())?;
    fetch(&server.address, &PING).await?;
    println!("first ping after        {:>8} ms from the start of the process", started.elapsed().as_millis());
    println!("idle resident memory    {:>8} kB after that ping", cpu::resident_kb(server.pid())?);
    compare::run(options, &folder, &server, &PING).await
}
