//! A server that can be upgraded: it runs a copy of the program, and has a source of releases.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Client;
use super::process::{Process, Workplace};
use super::release::ReleasePlace;
use super::server::account;
use super::waiting::until;

const UPGRADE: &str = "/upgrade_to_enterprise";
const STATUS: &str = "/upgrade_to_enterprise/status";

/// A server that runs a copy of the program, and its source of releases.
pub struct Stand {
    pub place: Workplace,
    pub program: PathBuf,
    pub releases: ReleasePlace,
    pub server: Process,
    pub admin: Client,
}

impl Stand {
    /// Starts a server with a source of releases and an administrator.
    pub async fn start() -> Self {
        Self::prepared(60, |_| ()).await
    }

    /// Starts a server that waits for this many seconds for the next bytes of a download, and whose folder is changed
    /// before the start.
    pub async fn prepared(stall_s: u32, change: impl Fn(&mut Workplace)) -> Self {
        let mut place = Workplace::new("").await;
        let program = place.copy_program();
        let releases = ReleasePlace::start().await;
        // The port is fixed, so that the restarted server has the same address.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let listen = format!("[ServiceSettings]\nListenAddress = \"127.0.0.1:{port}\"\n");
        place.configure(&format!("{listen}{}", releases.settings(&place.path(""), stall_s)));
        change(&mut place);
        let server = place.serve().await;
        server.client().post("/users", account("admin")).await.expect(201);
        let admin = server.client().log_in("admin").await;
        Self { place, program, releases, server, admin }
    }

    /// Starts an upgrade.
    pub async fn begin(&self) {
        let begun = self.admin.post(UPGRADE, json!({})).await;
        assert_eq!((begun.status, begun.text().as_str()), (202, r#"{"status":"OK"}"#));
    }

    /// Returns the status after the upgrade ended.
    pub async fn ended(&self) -> Value {
        let is_over = async || {
            let percentage = self.status().await["percentage"].as_u64().unwrap();
            percentage == 0 || percentage == 100
        };
        until("the upgrade ends", is_over).await;
        self.status().await
    }

    /// Returns the progress of the upgrade.
    pub async fn status(&self) -> Value {
        self.admin.get(STATUS).await.expect(200)
    }

    /// Returns the names of the files in the folder of the program.
    pub fn files(&self) -> Vec<String> {
        files(&self.program)
    }

    /// Returns the version that the server reports; empty while no server answers.
    pub async fn version(&self) -> String {
        let ping = self.server.client().try_send(reqwest::Method::GET, "/system/ping", None, &[]).await;
        ping.map(|reply| reply.header("x-version-id")).unwrap_or_default()
    }
}

/// Returns the names of the files in the folder of the program.
pub fn files(program: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(program.parent().unwrap()).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
