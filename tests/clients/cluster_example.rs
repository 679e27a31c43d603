//! The example of several servers on one database, run as its readers run it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::waiting::{until, within};
use crate::support::{Client, database};

/// Returns the first of three ports that are free. They are below those that the system gives to other tests.
fn free_ports() -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let begins = (10_000..32_000).step_by(5).skip(usize::try_from(std::process::id() % 4_000).unwrap());
    begins.take(300).find(|first| (*first..*first + 3).all(|port| is_free(&port))).unwrap()
}

#[actix_web::test]
async fn the_example_of_a_cluster_starts_three_servers_and_stops_them() {
    let Some(base) = database::only_postgres("its servers share a PostgreSQL") else { return };
    let schema = database::fresh_schema(&base).await;
    let first = free_ports();
    let mut example = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/cluster/run"))
        .arg(format!("{base}?sslmode=disable&options=-c%20search_path%3D{schema}"))
        .env("PORT", first.to_string())
        .env("QUARTERDECK", env!("CARGO_BIN_EXE_quarterdeck"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(example.stdout.take().unwrap()).lines();
    let ready = async { while !lines.next_line().await.unwrap().unwrap().starts_with("Ready.") {} };
    within("the example is ready", ready).await;
    let servers = [0, 1, 2].map(|number| Client::new(&format!("http://127.0.0.1:{}", first + number)));
    let admin = servers[0].log_in("admin").await;
    for server in &servers {
        let there = admin.at(&server.base);
        let nodes = async || there.get("/cluster/status").await.expect(200).as_array().unwrap().len();
        until("three servers are listed", async || nodes().await == 3).await;
    }
    let pid = Pid::from_raw(example.id().unwrap().cast_signed()).unwrap();
    // Not SIGINT: a program that a script starts in the background may ignore it.
    kill_process(pid, Signal::TERM).unwrap();
    let ended = within("the example stops", example.wait()).await.unwrap();
    assert!(ended.success(), "{ended:?}");
    assert!((first..first + 3).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()), "a server still listens");
}
