//! Three servers, their database, the lines between them, and the load balancer.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::facts::Subjects;
use super::record::{Phases, Record};
use crate::support::cluster::Cluster;
use crate::support::license::Seller;
use crate::support::redis::{Redis, published};
use crate::support::server::account;
use crate::support::teams::closed_team;
use crate::support::waiting::until;
use crate::support::wall_clock::WallClock;
use crate::support::{Client, Home, Process, Proxy, database, needs};

/// The number of users who become administrators for a moment.
const DEPUTIES: usize = 8;

/// Pings that show a dead connection soon, one key for the audit trail, and one for licences.
fn settings(key: &Path, seller: &Seller) -> String {
    format!(
        "[ServiceSettings]\nEnableUserAccessTokens = true\n[Quarterdeck]\nSocketPingSeconds = 1\n\
         SocketSilenceSeconds = 5\nAuditKeyFile = \"{}\"\nLicensePublicKeyFile = \"{}\"\n",
        key.display(),
        seller.path("public.pem").display()
    )
}

/// The number of users who open sockets for a moment: one for each server at the end of a run.
const VISITORS: usize = 3;

/// The place of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bus {
    Database,
    Redis,
}

pub(super) struct Stand {
    pub(super) bus: Bus,
    pub(super) database: Cluster,
    /// `None` if the database has the events.
    redis: Option<Redis>,
    /// The ids and the texts of the entries of a Redis that lost its data.
    lost: Vec<(String, String)>,
    /// The lines of the servers to Redis, if they use it.
    pub(super) redis_lines: Vec<Proxy>,
    /// The lines of the servers to the database.
    pub(super) lines: Vec<Proxy>,
    /// The lines of the load balancer to the servers. They keep the address of a server when it is started again.
    doors: Vec<Proxy>,
    homes: Vec<Home>,
    nodes: Vec<Option<Process>>,
    balanced: String,
    /// An administrator behind the load balancer.
    pub(super) admin: Client,
    /// Users who become administrators for a moment.
    pub(super) deputies: Vec<Client>,
    /// Users who open sockets for a moment.
    pub(super) visitors: Vec<Client>,
    pub(super) subjects: Rc<Subjects>,
    pub(super) record: Rc<Record>,
    pub(super) phases: Rc<Phases>,
    _balancer: Child,
    _keys: TempDir,
    _seller: Seller,
}

impl Stand {
    /// Starts everything; `None` in a run on the embedded engine, or without `HAProxy` or `libfaketime`. Each server has a
    /// port of its own, which it keeps when it restarts.
    pub(super) async fn start(clocks: [i64; 3], bus: Bus) -> Option<Self> {
        let database = Cluster::start(&[])?;
        let keys = tempfile::tempdir().unwrap();
        let redis = match bus {
            Bus::Database => None,
            Bus::Redis => Some(Redis::start()?),
        };
        let redis_lines: Vec<Proxy> =
            redis.iter().flat_map(|redis| clocks.map(|_| Proxy::start(&redis.address()))).collect();
        let line_settings = redis_lines.iter().map(|line| Redis::settings_at(&line.address().to_string()));
        let mut redis_settings = line_settings.chain(std::iter::repeat(String::new()));
        let seller = Seller::new().await;
        let (mut lines, mut homes, mut doors, mut servers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for seconds in clocks {
            let line = Proxy::start(&format!("127.0.0.1:{}", database.port));
            let source = format!("postgres://qd@{}/postgres?sslmode=disable", line.address());
            let section =
                format!("[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"{source}\"\nMaxOpenConns = 20\n");
            let address = format!("127.0.0.1:{}", free_port());
            let settings = settings(&keys.path().join("audit.key"), &seller) + &redis_settings.next().unwrap();
            let mut home = Home::on_database(&section, &settings);
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
        let first = Client::new(&format!("http://{}", doors[0].address()));
        first.post("/users", account("admin")).await.expect(201);
        let admin = first.log_in("admin").await;
        let mut users = Vec::new();
        for number in 0..=DEPUTIES + VISITORS {
            let name = format!("user{number}");
            admin.post("/users", account(&name)).await.expect(201);
            users.push(first.log_in(&name).await);
        }
        let visitors = users.split_off(DEPUTIES + 1);
        let subjects = Rc::new(subjects(&admin, users.remove(0), &database, &seller).await);
        let admin = admin.at(&balanced);
        Some(Self {
            bus,
            database,
            redis,
            lost: Vec::new(),
            redis_lines,
            lines,
            doors,
            homes,
            nodes: servers,
            balanced,
            admin,
            deputies: users,
            visitors,
            subjects,
            record: Rc::default(),
            phases: Rc::default(),
            _balancer: program,
            _keys: keys,
            _seller: seller,
        })
    }

    /// Returns the Redis of the servers.
    pub(super) fn redis(&mut self) -> &mut Redis {
        self.redis.as_mut().unwrap()
    }

    /// Ends Redis, which loses its data.
    pub(super) fn kill_redis(&mut self) {
        // Redis accepts no entry that is not read here.
        self.redis().run(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        let entries = self.redis().entries();
        self.lost.extend(entries);
        self.redis().kill();
    }

    /// Returns the bodies of all published events in their order.
    pub(super) async fn published(&self) -> Vec<String> {
        let sql = "SELECT kind || ' ' || body FROM qd_events WHERE kind IN ('event', 'redis') ORDER BY position";
        let rows = database::texts(&self.database.address(), sql).await;
        let mut entries: BTreeMap<String, String> = self.lost.iter().cloned().collect();
        entries.extend(self.redis.iter().flat_map(Redis::entries));
        published(&rows, &entries, "event")
    }

    /// Returns the address of the load balancer.
    pub(super) fn balanced(&self) -> &str {
        &self.balanced
    }

    /// Returns the addresses of the servers, each past the load balancer.
    pub(super) fn bases(&self) -> Vec<String> {
        self.doors.iter().map(|door| format!("http://{}", door.address())).collect()
    }

    /// Returns the entry of a server in the list.
    pub(super) async fn listed(&self, node: usize) -> Value {
        let nodes = self.admin.at(&self.bases()[node]).get("/cluster/status").await.expect(200);
        nodes.as_array().unwrap().iter().find(|node| node["is_self"] == true).unwrap().clone()
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

/// Creates a user and a team whose facts change.
async fn subjects(admin: &Client, member: Client, database: &Cluster, seller: &Seller) -> Subjects {
    let user_id = admin.post("/users", account("anna")).await.expect(201)["id"].as_str().unwrap().to_owned();
    let role = admin.get("/roles/name/system_user").await.expect(200);
    let team = admin.found(closed_team("crew")).await;
    let square = format!("SELECT id FROM channels WHERE teamid = '{team}' AND name = 'town-square'");
    let channel = database::texts(&database.address(), &square).await.swap_remove(0);
    Subjects { user_id, member, team, channel, role, license: seller.license(&[]).await }
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
