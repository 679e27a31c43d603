//! `quarterdeck-bench memory`: the memory that a burst of connections takes, and the part that is freed after it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use reqwest::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep};

use crate::account::{self, url};
use crate::compare::Folder;
use crate::cpu;
use crate::process::Process;
use crate::report::to_float;

/// The largest static response.
const ASSET: &str = "/openapi/swagger-ui-bundle.js";

/// The number of bytes that are sent of a body that is never finished.
const BODY_BYTES: usize = 250_000;

type Failure = Box<dyn std::error::Error>;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to measure, built for release
    #[arg(long, default_value = "target/release/quarterdeck")]
    server: PathBuf,
    /// Number of connections that read nothing; as many again never finish their body
    #[arg(long, default_value_t = 400)]
    connections: usize,
    /// Number of bursts
    #[arg(long, default_value_t = 3)]
    bursts: usize,
    /// Number of requests that are timed
    #[arg(long, default_value_t = 20_000)]
    requests: u32,
    /// Time without requests before the memory is read again, in seconds
    #[arg(long, default_value_t = 30)]
    rest: u64,
}

/// Opens connections that hold memory, closes them, and measures again later.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    let folder = Folder::new()?;
    let server = Process::server(&options.server, folder.path())?;
    let http = Client::new();
    let token = account::first(&http, &server.address).await?;
    http.get(url(&server.address, ASSET)).send().await?.bytes().await?;
    println!("idle                      {:>8} kB", cpu::resident_kb(server.pid())?);
    for _ in 0..options.bursts {
        let mut open = Vec::new();
        for _ in 0..options.connections {
            open.push(slow_reader(&server.address).await?);
            open.push(unfinished_body(&server.address, &token).await?);
        }
    }
    println!("peak of the bursts        {:>8} kB", cpu::peak_kb(server.pid())?);
    sleep(Duration::from_secs(options.rest)).await;
    println!("{:>3} s later               {:>8} kB", options.rest, cpu::resident_kb(server.pid())?);
    let (before, started) = (cpu::used(server.pid())?, Instant::now());
    for _ in 0..options.requests {
        http.get(url(&server.address, "/users/me")).bearer_auth(&token).send().await?.bytes().await?;
    }
    let used = cpu::used(server.pid())?.saturating_sub(before);
    let each = used.as_secs_f64() * 1e6 / f64::from(options.requests);
    println!("GET users/me              {each:>8.2} µs CPU a request, {:.1} s in all", started.elapsed().as_secs_f64());
    println!("at the end                {:>8.1} MB", to_float(cpu::resident_kb(server.pid())?) * 1024.0 / 1e6);
    Ok(())
}

/// Opens a connection that requests the asset and reads one byte of it.
async fn slow_reader(address: &str) -> Result<TcpStream, Failure> {
    let socket = TcpSocket::new_v4()?;
    // A small receive buffer leaves the bytes with the server, not with the kernel of this side.
    socket.set_recv_buffer_size(4096)?;
    let mut connection = socket.connect(address.parse()?).await?;
    connection.write_all(format!("GET /api/v4{ASSET} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    connection.read_u8().await?;
    Ok(connection)
}

/// Opens a connection that sends most of a body.
async fn unfinished_body(address: &str, token: &str) -> Result<TcpStream, Failure> {
    let mut connection = TcpStream::connect(address).await?;
    let announced = BODY_BYTES + 1;
    let head = format!(
        "PUT /api/v4/users/me/preferences HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Length: {announced}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(&vec![b' '; BODY_BYTES]).await?;
    Ok(connection)
}
