//! `quarterdeck-bench start`: the time until an ephemeral server is ready, compared with a plain start.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use hdrhistogram::Histogram;
use reqwest::Client;

use crate::account;
use crate::compare::Folder;
use crate::process::Process;

/// The largest ratio of the two medians that is still a success.
const MAX_RATIO: f64 = 1.5;

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    server: PathBuf,
    /// Number of rounds, each with one start of both kinds
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(3..=1_000))]
    rounds: u64,
}

/// Starts both kinds in turn, each with a new and empty database, and prints the times until they answer.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let http = Client::new();
    let (mut plain, mut ephemeral) = (Histogram::<u64>::new(3)?, Histogram::<u64>::new(3)?);
    for round in 0..options.rounds {
        // The kind that comes first changes, so that neither gains from a warm cache.
        let mut kinds = [(false, &mut plain), (true, &mut ephemeral)];
        if round % 2 == 1 {
            kinds.reverse();
        }
        for (is_ephemeral, times) in kinds {
            let folder = Folder::new()?;
            let begun = Instant::now();
            let server = if is_ephemeral {
                Process::ephemeral(&options.server, folder.path())?
            } else {
                Process::server(&options.server, folder.path())?
            };
            let address = account::url(&server.address, "/system/ping");
            http.get(&address).send().await?.error_for_status()?;
            times.record(u64::try_from(begun.elapsed().as_micros())?)?;
        }
    }
    for (title, times) in [("plain", &plain), ("ephemeral", &ephemeral)] {
        let at = |quantile| times.value_at_quantile(quantile);
        println!("{title:<10} start: p50 {:>6} µs, p90 {:>6} µs", at(0.5), at(0.9));
    }
    let ratio = median(&ephemeral)? / median(&plain)?;
    let outcome = if ratio <= MAX_RATIO { "holds" } else { "FAILS" };
    println!("{outcome}   ratio of the medians {ratio:.2}, bound {MAX_RATIO}");
    Ok(())
}

fn median(times: &Histogram<u64>) -> Result<f64, Failure> {
    Ok(f64::from(u32::try_from(times.value_at_quantile(0.5))?))
}
