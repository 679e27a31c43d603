//! Three servers on one database that can be upgraded. The last two run one file.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::process::{Process, Workplace};
use crate::support::release::{Answer, NEWER, ReleasePlace, Rest, teller};
use crate::support::server::account;
use crate::support::waiting::until;
use crate::support::{Client, backdoor, database};

pub(super) const UPGRADE: &str = "/upgrade_to_enterprise";
pub(super) const STATUS: &str = "/upgrade_to_enterprise/status";
pub(super) const RESTART: &str = "/restart";

pub(super) const SERVERS: usize = 3;

pub(super) struct Fleet {
    section: String,
    places: Vec<Workplace>,
    files: Vec<PathBuf>,
    pub(super) releases: ReleasePlace,
    pub(super) servers: Vec<Process>,
    /// An administrator at each server.
    pub(super) admins: Vec<Client>,
}

impl Fleet {
    /// Starts the servers; `None` in a run on the embedded engine.
    pub(super) async fn start() -> Option<Self> {
        let base = database::only_postgres(super::super::REASON)?;
        let section = database::settings_in(&base, &database::fresh_schema(&base).await);
        let releases = ReleasePlace::start().await;
        let (places, files, servers, admins) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut fleet = Self { section, places, files, releases, servers, admins };
        for _ in 0..SERVERS {
            fleet.start_server().await;
        }
        let servers = &fleet.servers;
        servers[0].client().post("/users", account("admin")).await.expect(201);
        let admin = servers[0].client().log_in("admin").await;
        fleet.admins = servers.iter().map(|server| admin.at(&server.base)).collect();
        fleet.until_listed().await;
        Some(fleet)
    }

    /// Starts one more server.
    pub(super) async fn join(&mut self) {
        self.start_server().await;
        let admin = self.admins[0].at(&self.servers[self.admins.len()].base);
        self.admins.push(admin);
        self.until_listed().await;
    }

    async fn start_server(&mut self) {
        let mut place = Workplace::new("").await;
        match self.files.get(1) {
            Some(shared) => {
                place.run_program(shared);
                self.files.push(shared.clone());
            }
            None => self.files.push(place.copy_program()),
        }
        let key = self.places.first().unwrap_or(&place).path("audit.key");
        // The ports are fixed, so that the restarted servers have the same addresses.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        place.configure(&format!(
            "[ServiceSettings]\nListenAddress = \"127.0.0.1:{port}\"\nEnableUserStatuses = false\n{}{}\
             AuditKeyFile = \"{}\"\n",
            self.section,
            self.releases.settings(&place.path(""), 60),
            key.display()
        ));
        self.servers.push(place.serve().await);
        self.places.push(place);
    }

    /// Starts a server again, with more variables in its environment.
    pub(super) async fn start_again(&mut self, server: usize, variables: &[(&str, &str)]) {
        self.servers.remove(server).stop().await;
        let again = self.places[server].serve_with(variables, &["serve"]).await;
        self.servers.insert(server, again);
        self.until_listed().await;
    }

    /// Replaces the program of a server, as an operator does.
    pub(super) fn replace(&self, server: usize, program: &Path) {
        let (place, new) = (&self.files[server], self.files[server].with_extension("new"));
        std::fs::copy(program, &new).unwrap();
        std::fs::rename(&new, place).unwrap();
    }

    /// Returns the folder of a server.
    pub(super) fn folder(&self, server: usize) -> PathBuf {
        self.places[server].path("")
    }

    async fn until_listed(&self) {
        for admin in &self.admins {
            let nodes = async || admin.get("/cluster/status").await.expect(200).as_array().unwrap().len();
            until("all servers are listed", async || nodes().await == self.servers.len()).await;
        }
    }

    /// Offers a release of which each download stops half-way until `go_on` is called.
    pub(super) fn offer_half(&self) {
        self.releases.offer(&teller(NEWER), &json!({}));
        self.releases.answer("/latest/quarterdeck-next", Answer::Half(teller(NEWER).into(), Rest::Later));
    }

    /// Begins an upgrade on one of the servers.
    pub(super) async fn begin(&self, server: usize) {
        let begun = self.admins[server].post(UPGRADE, json!({})).await;
        assert_eq!((begun.status, begun.text().as_str()), (202, r#"{"status":"OK"}"#));
    }

    /// Runs statements on the database of the servers.
    pub(super) async fn execute(&self, sql: &str) {
        backdoor::execute_in(&self.places[0].path(""), sql).await;
    }

    /// Returns the first column of a statement's rows.
    pub(super) async fn texts(&self, sql: &str) -> Vec<String> {
        backdoor::texts_in(&self.places[0].path(""), sql).await
    }

    /// Returns the addresses of the servers.
    pub(super) fn bases(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.base.clone()).collect()
    }

    /// Returns the name of a server.
    pub(super) async fn name_of(&self, server: usize) -> String {
        let nodes = self.admins[server].get("/cluster/status").await.expect(200);
        let own = nodes.as_array().unwrap().iter().find(|node| node["is_self"] == true).unwrap().clone();
        own["name"].as_str().unwrap().to_owned()
    }

    /// Returns the path of the program of a server.
    pub(super) fn program_of(&self, server: usize) -> PathBuf {
        self.files[server].clone()
    }

    /// Returns the lengths of the programs.
    pub(super) fn programs(&self) -> Vec<usize> {
        let length = |file: &PathBuf| usize::try_from(std::fs::metadata(file).unwrap().len()).unwrap();
        assert_eq!(self.places.len(), SERVERS);
        self.files.iter().map(length).collect()
    }
}
