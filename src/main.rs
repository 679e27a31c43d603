//! The command line.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use quarterdeck::cli::Cli;

/// Gives memory that was freed back to the system; `docs/performance.md` says how much.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
