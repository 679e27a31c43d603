//! Three servers, their database, the lines between them, and the load balancer.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::support::cluster::Cluster;
use crate::support::waiting::until;
use crate::support::wall_clock::WallClock;
use crate::support::{Client, Home, Process, Proxy, needs};

/// Pings that show a dead connection soon, no events of statuses between the others, and one key for the audit trail.
fn settings(key: &Path) -> String {
    format!(
        "[ServiceSettings]\nEnableUserStatuses = false\nEnableUserAccessTokens = true\n\
         [Quarterdeck]\nSocketPingSeconds = 1\nSocketSilenceSeconds = 5\nAuditKeyFile = \"{}\"\n",
        key.display()
    )
}

pub(super) struct Stand {
    pub(super) database: Cluster,
    /// The lines of the servers to the database.
    pub(super) lines: Vec<Proxy>,
    /// The lines of the load balancer to the servers. They keep the address of a server when it is started again.
    doors: Vec<Proxy>,
    homes: Vec<Home>,
    nodes: Vec<Option<Process>>,
    balanced: String,
    _balancer: Child,
    _keys: TempDir,
}

impl Stand {
    /// Starts everything; `None` in a run on the embedded engine, or without `HAProxy` or `libfaketime`. Each server has a
    /// port of its own, which it keeps when it restarts.
    pub(super) async fn start(clocks: [i64; 3]) -> Option<Self> {
        let database = Cluster::start(&[])?;
        let keys = tempfile::tempdir().unwrap();
        let (mut lines, mut homes, mut doors, mut servers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for seconds in clocks {
            let line = Proxy::start(&format!("127.0.0.1:{}", database.port));
            let source = format!("postgres://qd@{}/postgres?sslmode=disable", line.address());
            let section = format!("[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"{source}\"\n");
            let address = format!("127.0.0.1:{}", free_port());
            let mut home = Home::on_database(&section, &settings(&keys.path().join("audit.key")));
            home = home.with_variable("MM_SERVICESETTINGS_LISTENADDRESS", &address);
            if seconds != 0 {
                let clock = WallClock::new(home.folder().join("clock"))?;
                clock.step_to(seconds);
                for (name, value) in clock.variables() {
                    home = home.with_variable(name, value);
                }
            }
            let node = home.start().await;
            doors.push(Proxy::start(node.base.strip_prefix("http://").unwrap()));
            servers.push(Some(node));
            lines.push(line);
            homes.push(home);
        }
        let (balanced, program) = balance(&homes[0], &doors).await?;
        Some(Self { database, lines, doors, homes, nodes: servers, balanced, _balancer: program, _keys: keys })
    }

    /// Returns the address of the load balancer.
    pub(super) fn balanced(&self) -> &str {
        &self.balanced
    }

    /// Returns the addresses of the servers, each past the load balancer.
    pub(super) fn bases(&self) -> Vec<String> {
        self.doors.iter().map(|door| format!("http://{}", door.address())).collect()
    }

    pub(super) async fn kill(&mut self, node: usize) {
        self.nodes[node].take().unwrap().kill().await;
    }

    pub(super) async fn start_node(&mut self, node: usize) {
        let process = self.homes[node].start().await;
        self.doors[node].lead_to(process.base.strip_prefix("http://").unwrap());
        self.nodes[node] = Some(process);
    }

    pub(super) fn signal(&self, node: usize, signal: Signal) {
        self.nodes[node].as_ref().unwrap().signal(signal);
    }

    pub(super) fn restart_database(&mut self) {
        self.database.restart();
        for line in &self.lines {
            line.lead_to(&format!("127.0.0.1:{}", self.database.port));
        }
    }

    /// Waits until all servers are ready.
    pub(super) async fn all_ready(&self) {
        for base in self.bases() {
            let client = Client::new(&base);
            let is_ready = async || {
                let reply = client.try_send(reqwest::Method::GET, "//readyz", None, &[]).await;
                reply.is_ok_and(|reply| reply.status == 200)
            };
            until("every server is ready", is_ready).await;
        }
    }
}

/// Waits until a server says that it is not ready because it hears nothing of the others.
pub(super) async fn is_cut_off(stand: &Stand, node: usize) {
    let client = Client::new(&stand.bases()[node]);
    let says_so = async || {
        let reply = client.try_send(reqwest::Method::GET, "//readyz", None, &[]).await;
        reply.is_ok_and(|reply| reply.status == 503 && reply.text().contains("[-]cluster failed"))
    };
    until("the server is not ready", says_so).await;
}

/// Takes the database away from all servers for a while.
pub(super) async fn outage(stand: &Stand, duration: Duration) {
    stand.lines.iter().for_each(Proxy::refuse);
    sleep(duration).await;
    stand.lines.iter().for_each(Proxy::restore);
}

/// Starts `HAProxy` in front of the servers. It uses those that are ready, and ends the connections to the others.
async fn balance(home: &Home, doors: &[Proxy]) -> Option<(String, Child)> {
    let folder = needs::peer("haproxy")?;
    let port = free_port();
    let checked: Vec<String> = doors
        .iter()
        .enumerate()
        .map(|(number, door)| format!(" server node{number} {} check\n", door.address()))
        .collect();
    let settings = format!(
        "global\n maxconn 200\ndefaults\n mode http\n timeout connect 2s\n timeout client 30s\n timeout server 10s\n \
         timeout tunnel 60s\n retries 1\n option redispatch\nfrontend clients\n bind 127.0.0.1:{port}\n \
         default_backend nodes\nbackend nodes\n balance roundrobin\n option httpchk GET /readyz\n \
         default-server inter 300ms fall 2 rise 1 on-marked-down shutdown-sessions\n{}",
        checked.concat()
    );
    let file = home.folder().join("haproxy.cfg");
    std::fs::write(&file, settings).unwrap();
    let mut command = Command::new(folder.join("haproxy"));
    command.arg("-db").arg("-f").arg(&file).env("LD_LIBRARY_PATH", folder.join("lib"));
    let balancer = command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    until("HAProxy listens", async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
    Some((format!("http://127.0.0.1:{port}"), balancer))
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
