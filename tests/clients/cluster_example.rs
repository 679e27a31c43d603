//! The example of several servers on one database, run as its readers run it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::waiting::{until, within};
use crate::support::{Client, database, needs};

/// The number of examples that have looked for ports, so that no two of them find the same.
static EXAMPLES: AtomicUsize = AtomicUsize::new(0);

/// Returns the first of five ports that are free: of the servers, PostgreSQL and Redis. They are below those that the system gives to other tests.
fn free_ports() -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let begins = (10_000..32_000).step_by(5).skip(usize::try_from(std::process::id() % 3_600).unwrap());
    let begins = begins.skip(200 * EXAMPLES.fetch_add(1, Ordering::Relaxed));
    begins.take(200).find(|first| (*first..*first + 5).all(|port| is_free(&port))).unwrap()
}

#[actix_web::test]
async fn the_example_of_a_cluster_starts_three_servers_on_a_database_and_stops_them() {
    let Some(base) = database::only_postgres("its servers share a PostgreSQL") else { return };
    let schema = database::fresh_schema(&base).await;
    let address = format!("{base}?sslmode=disable&options=-c%20search_path%3D{schema}");
    let example = Example::start(&[&address], None).await;
    example.is_a_cluster().await;
    example.stop().await;
}

#[actix_web::test]
async fn the_example_of_a_cluster_makes_its_own_database() {
    let Some(_) = database::only_postgres("it starts a PostgreSQL of its own") else { return };
    let example = Example::start(&[], None).await;
    example.is_a_cluster().await;
    example.stop().await;
}

#[actix_web::test]
async fn the_example_of_a_cluster_makes_its_own_database_and_redis() {
    let Some(_) = database::only_postgres("it starts a PostgreSQL of its own") else { return };
    let Some(redis) = needs::peer("redis") else { return };
    let example = Example::start(&["--redis"], Some(&redis)).await;
    let admin = example.is_a_cluster().await;
    let preference = json!([{ "user_id": admin.user_id, "category": "c", "name": "n", "value": "v" }]);
    for server in example.servers() {
        let is_used = async || {
            admin.put("/users/me/preferences", preference.clone()).await.expect_ok();
            server.get("//readyz?verbose").await.text().contains("[+]redis ok")
        };
        until("Redis is used", is_used).await;
    }
    example.stop().await;
}

/// The running example.
struct Example {
    program: Child,
    first: u16,
}

impl Example {
    /// Starts it with these arguments and, if it needs Redis, the folder of the program; waits until it is ready.
    async fn start(arguments: &[&str], redis: Option<&Path>) -> Self {
        let first = free_ports();
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/cluster/run"));
        command.args(arguments).env("PORT", first.to_string()).env("QUARTERDECK", env!("CARGO_BIN_EXE_quarterdeck"));
        if let Some(redis) = redis {
            let path = format!("{}:{}", redis.display(), std::env::var("PATH").unwrap());
            command.env("PATH", path).env("LD_LIBRARY_PATH", redis.join("lib"));
        }
        let mut program = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let ready = async { while !lines.next_line().await.unwrap().unwrap().starts_with("Ready.") {} };
        within("the example is ready", ready).await;
        Self { program, first }
    }

    fn servers(&self) -> [Client; 3] {
        [0, 1, 2].map(|number| Client::new(&format!("http://127.0.0.1:{}", self.first + number)))
    }

    /// Waits until each server lists all three. Returns an administrator at the first one.
    async fn is_a_cluster(&self) -> Client {
        let servers = self.servers();
        let admin = servers[0].log_in("admin").await;
        for server in &servers {
            let there = admin.at(&server.base);
            let nodes = async || there.get("/cluster/status").await.expect(200).as_array().unwrap().len();
            until("three servers are listed", async || nodes().await == 3).await;
        }
        admin
    }

    /// Stops it, and checks that it leaves no program behind.
    async fn stop(mut self) {
        let pid = Pid::from_raw(self.program.id().unwrap().cast_signed()).unwrap();
        // Not SIGINT: a program that a script starts in the background may ignore it.
        kill_process(pid, Signal::TERM).unwrap();
        let ended = within("the example stops", self.program.wait()).await.unwrap();
        assert!(ended.success(), "{ended:?}");
        let ports = self.first..self.first + 5;
        assert!(
            ports.into_iter().all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()),
            "a program still listens"
        );
    }
}
