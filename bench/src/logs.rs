//! `quarterdeck-bench logs`: the time to read and search a log of any size, compared with reading the whole file.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use reqwest::{Client, RequestBuilder};
use serde_json::json;

use crate::account::{self, url};
use crate::compare::Folder;
use crate::cpu;
use crate::process::Process;
use crate::report::{median, to_float};

/// The number of lines of a block, which is written repeatedly.
const LINES: u64 = 40_000;

/// The number of bytes that the baseline reads at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// The number of repetitions of each query; the median counts.
const REPETITIONS: usize = 3;

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    server: PathBuf,
    /// Size of the log, in megabytes
    #[arg(long, default_value_t = 2048, value_parser = clap::value_parser!(u64).range(1..=8192))]
    megabytes: u64,
}

/// Measures an administrator's queries on a log that is written first.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let folder = Folder::new()?;
    let file = folder.path().join("mattermost.log");
    write(&file, options.megabytes << 20)?;
    let plain = median(&(0..REPETITIONS).map(|_| read_through(&file)).collect::<Result<Vec<_>, _>>()?);
    println!("log of {} bytes; reading it through takes {} ms", file.metadata()?.len(), plain.as_millis());
    // The server rotates a file of this size at its start. The queries find the lines in the rotated file.
    let location = folder.path().display().to_string();
    let server = Process::server_with(&options.server, folder.path(), &[("MM_LOGSETTINGS_FILELOCATION", &location)])?;
    let http = Client::new();
    let token = account::first(&http, &server.address).await?;
    let before = cpu::resident_kb(server.pid())?;
    let page = |query: &str| http.get(url(&server.address, &format!("/logs?{query}")));
    let search = |filter| http.post(url(&server.address, "/logs/query")).json(&filter);
    let questions = [
        ("the newest 10,000 lines", page("logs_per_page=10000")),
        ("10,000 lines after the newest million", page("page=100&logs_per_page=10000")),
        ("the newest 10,000 errors", search(json!({ "log_levels": ["error"] }))),
        ("the lines of one request", search(json!({ "request_id": request_id(LINES - 1) }))),
        ("a text without a match", search(json!({ "text": "never-there" }))),
    ];
    for (name, question) in questions {
        let mut times = Vec::new();
        let mut length = 0;
        for _ in 0..REPETITIONS {
            let answer = ask(question.try_clone().ok_or("the request cannot be repeated")?, &token).await?;
            times.push(answer.0);
            length = answer.1;
        }
        let took = median(&times);
        let ratio = took.as_secs_f64() / plain.as_secs_f64();
        println!("{name:<38} {:>6} ms  {length:>9} bytes  ratio to reading through {ratio:>6.3}", took.as_millis());
    }
    let grown = cpu::peak_kb(server.pid())?.saturating_sub(before);
    println!("memory of the server grew by {:.1} MB at most", to_float(grown) * 1024.0 / 1e6);
    Ok(())
}

/// Sends a query and reads the whole response. Returns the duration and the length of the response.
async fn ask(question: RequestBuilder, token: &str) -> Result<(Duration, usize), Failure> {
    let started = Instant::now();
    let answer = question.bearer_auth(token).send().await?.error_for_status()?.bytes().await?;
    Ok((started.elapsed(), answer.len()))
}

fn request_id(number: u64) -> String {
    format!("r{number:025}")
}

fn write(file: &Path, length: u64) -> Result<(), Failure> {
    let levels = ["info", "debug", "warn", "error"].into_iter().cycle();
    let mut block = String::new();
    for (number, level) in (0..LINES).zip(levels) {
        let line = json!({
            "timestamp": format!("2026-11-24 12:{:02}:{:02}.000 Z", number / 1_000 % 60, number % 60),
            "level": level,
            "msg": "request answered",
            "caller": "quarterdeck::pipeline",
            "request.id": request_id(number),
            "http.method": "GET",
            "http.route": "/api/v4/system/ping",
            "http.status": 200,
            "duration_us": 123,
        });
        block.push_str(&line.to_string());
        block.push('\n');
    }
    let mut log = File::create(file)?;
    while log.metadata()?.len() < length {
        log.write_all(block.as_bytes())?;
    }
    Ok(())
}

fn read_through(file: &Path) -> std::io::Result<Duration> {
    let started = Instant::now();
    let (mut file, mut block) = (File::open(file)?, vec![0; BLOCK_BYTES]);
    while file.read(&mut block)? > 0 {}
    Ok(started.elapsed())
}
