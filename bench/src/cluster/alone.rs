//! One server on PostgreSQL beside one on the embedded engine, which tells the cost of a cluster without other nodes.

use std::path::Path;

use reqwest::Client;

use super::nodes::settings;
use crate::compare::{self, Folder, Options, Side};
use crate::database::Databases;
use crate::ping::PING;
use crate::process::Process;
use crate::ws::fanout::{self, Volume};
use crate::ws::place::Place;

type Failure = Box<dyn std::error::Error>;

/// Measures pings and events of both, and of two servers on the embedded engine, whose ratio is the noise.
#[expect(clippy::print_stdout, reason = "the result is what the caller asked for")]
pub(super) async fn run(program: &Path, databases: &Databases) -> Result<(), Failure> {
    let database = databases.create().await?;
    let on_postgres = settings(&database);
    let cases: [(&str, &[(&str, &str)]); 2] =
        [("one node on PostgreSQL", &on_postgres), ("the embedded engine, for the noise", &[])];
    for (title, variables) in cases {
        println!("ping: {title}, beside the embedded engine (baseline)");
        let (folder, other) = (Folder::new()?, Folder::new()?);
        let server = Process::server_with(program, folder.path(), variables)?;
        let baseline = Process::server(program, other.path())?;
        let side = |process| Side { process, request: PING };
        compare::run(&Options::of(program.to_path_buf()), &side(&server), Some(&side(&baseline))).await?;
    }
    let http = Client::new();
    for (title, variables) in cases {
        println!("fan-out: {title}, beside the embedded engine (baseline)");
        let server = Place::start_with(program, &http, 1, variables).await?;
        let baseline = Place::start(program, &http, 1).await?;
        fanout::beside(&Volume::DEFAULT, &http, &server, &baseline).await?;
    }
    databases.drop_all().await
}
