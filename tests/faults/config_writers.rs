//! Several writers of one configuration at once: servers, commands and migrations. No acknowledged change is lost.

use std::path::{Path, PathBuf};

use futures_util::future::{join, join_all};
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::config_place::{read_json, version_of};
use crate::support::process::{Process, Workplace};
use crate::support::server::account;
use crate::support::{Client, database};

const SETTINGS: &str = "[LogSettings]\nEnableConsole = false\nEnableFile = false\n\
                        [ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\nEnableLocalMode = true\nLocalModeSocketLocation = \"qd.socket\"\n";

/// The number of changes that each writer makes.
const CHANGES: usize = 6;

#[actix_web::test]
async fn two_servers_and_commands_on_one_file_keep_the_changes_of_each_other() {
    let shared = SharedFile::new();
    let (one, other, third) = (shared.place().await, shared.place().await, shared.place().await);
    let (first, second) = (shared.serve(&one).await, shared.serve(&other).await);
    let (one_socket, other_socket) = (socket(&one), socket(&other));
    let commands = async {
        for number in 0..CHANGES {
            let plugin = json!({ format!("command.{number}"): { "name": "set" } }).to_string();
            shared.set(&third, "PluginSettings.Plugins", &plugin).await;
        }
    };
    let (from_one, from_other) = (write_all(&one_socket, "one"), write_all(&other_socket, "other"));
    join(commands, join(from_one, from_other)).await;
    let stored = read_json(&shared.file());
    for writer in ["one", "other", "command"] {
        for number in 0..CHANGES {
            let name = format!("{writer}.{number}");
            assert!(stored["PluginSettings"]["Plugins"].get(&name).is_some(), "{name} is lost: {stored}");
        }
    }
    first.stop().await;
    second.stop().await;
}

#[actix_web::test]
async fn a_server_that_is_killed_beside_another_one_loses_nothing_that_was_acknowledged() {
    let shared = SharedFile::new();
    let (one, other) = (shared.place().await, shared.place().await);
    let (mut first, second) = (shared.serve(&one).await, shared.serve(&other).await);
    let (one_socket, other_socket) = (socket(&one), socket(&other));
    let killed = async {
        let mut acknowledged = Vec::new();
        for number in 0.. {
            let name = format!("one.{number}");
            let writing = one_socket.try_send(Method::PUT, "/config/patch", Some(plugin(&name).to_string()), &[]);
            if number == 4 {
                // The process ends while the change is in progress.
                let (answer, ()) = join(writing, async { first.signal(Signal::KILL) }).await;
                if answer.is_ok_and(|reply| reply.status == 200) {
                    acknowledged.push(name);
                }
                return acknowledged;
            }
            assert_eq!(writing.await.unwrap().status, 200);
            acknowledged.push(name);
        }
        acknowledged
    };
    let (acknowledged, ()) = join(killed, write_all(&other_socket, "other")).await;
    first.ended().await;
    let written = (0..CHANGES).map(|number| format!("other.{number}"));
    let restarted = shared.serve(&one).await;
    write_all(&socket(&one), "again").await;
    let stored = read_json(&shared.file());
    for name in acknowledged.into_iter().chain(written) {
        assert!(stored["PluginSettings"]["Plugins"].get(&name).is_some(), "{name} is lost: {stored}");
    }
    restarted.stop().await;
    second.stop().await;
}

#[actix_web::test]
async fn migrations_beside_changes_lose_no_version_and_the_server_runs_with_the_last_one() {
    let place = Workplace::new(SETTINGS).await;
    let server = place.serve().await;
    let socket = socket(&place);
    let own = own_store(&socket).await;
    let (source, target) = (path(&place, "source.json"), path(&place, "target.json"));
    std::fs::write(&source, json!({ "SupportSettings": { "HelpLink": "https://copied.example" } }).to_string())
        .unwrap();
    let first = write(&socket, "before.0").await;
    let migrations = async {
        for _ in 0..CHANGES {
            for (from, to) in [(&own, &target), (&source, &own)] {
                socket.post("/config/migrate", json!({ "from": from, "to": to })).await.expect_ok();
            }
        }
    };
    let changes = async {
        let mut acknowledged = vec![first];
        for number in 0..CHANGES {
            acknowledged.push(write(&socket, &format!("beside.{number}")).await);
        }
        acknowledged
    };
    let ((), acknowledged) = join(migrations, changes).await;
    let listed = versions(&socket).await;
    for version in &acknowledged {
        assert!(listed.iter().any(|one| one["id"] == version.as_str()), "{version} is lost");
    }
    let copies = listed.iter().filter(|one| one["source"] == "migrate").count();
    assert!((1..=CHANGES).contains(&copies), "{copies}");
    let reply = socket.get("/config").await;
    assert_eq!(listed[0]["id"], version_of(&reply), "the server runs with the active version");
    assert!(read_json(Path::new(&target)).is_object());
    server.stop().await;
}

#[actix_web::test]
async fn a_migration_by_a_command_is_made_by_the_running_server_and_in_force_at_once() {
    let place = Workplace::new(SETTINGS).await;
    let server = place.serve().await;
    let socket = socket(&place);
    let own = own_store(&socket).await;
    write(&socket, "before.0").await;
    write_source(&place);
    // The name of the file is relative to the folder of the command.
    let ended = place.run(&["config", "migrate", "source.json", &own, "--comment", "moved"], "").await;
    assert!(ended.status.success(), "{ended:?}");
    let config = socket.get("/config").await.expect(200);
    assert_eq!(config["SupportSettings"]["HelpLink"], "https://copied.example");
    write(&socket, "after.0").await;
    let listed = versions(&socket).await;
    let sources: Vec<&Value> = listed.iter().map(|one| &one["source"]).collect();
    assert_eq!(sources, ["local", "migrate", "local"]);
    assert_eq!(listed[1]["comment"], "moved");
    server.stop().await;
}

#[actix_web::test]
async fn a_migration_beside_a_server_that_no_command_reaches_is_kept_by_its_next_change() {
    let place = Workplace::new(&SETTINGS.replace("EnableLocalMode = true", "EnableLocalMode = false")).await;
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    let own = own_store_without_server(&place).await;
    let stale = write(&admin, "before.0").await;
    write_source(&place);
    let ended = place.run(&["config", "migrate", "source.json", &own], "").await;
    assert!(ended.status.success(), "{ended:?}");
    let refused = admin.write_if("/config/patch", &plugin("stale"), &format!("\"{stale}\"")).await;
    refused.expect_refusal(412, "app.config.version_conflict.app_error");
    write(&admin, "after.0").await;
    let config = admin.get("/config").await.expect(200);
    assert_eq!(config["SupportSettings"]["HelpLink"], "https://copied.example");
    assert!(config["PluginSettings"]["Plugins"].get("after.0").is_some());
    let sources: Vec<Value> = versions(&admin).await.iter().map(|one| one["source"].clone()).collect();
    assert_eq!(sources, ["api", "migrate", "api"]);
    server.stop().await;
}

/// Returns the database of the server as a migration names it, from a command: over the network the server masks it.
async fn own_store_without_server(place: &Workplace) -> String {
    if database::base().is_none() {
        return "sqlite".to_owned();
    }
    let printed = place.run(&["config", "get", "SqlSettings.DataSource", "--show-secrets"], "").await;
    assert!(printed.status.success(), "{printed:?}");
    serde_json::from_slice(&printed.stdout).unwrap()
}

/// Writes a configuration into `source.json`.
fn write_source(place: &Workplace) {
    let source = json!({ "SupportSettings": { "HelpLink": "https://copied.example" } });
    std::fs::write(place.path("source.json"), source.to_string()).unwrap();
}

/// A configuration file of several servers, each with its own database.
struct SharedFile {
    folder: TempDir,
}

impl SharedFile {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("config.json")
    }

    async fn place(&self) -> Workplace {
        Workplace::new(SETTINGS).await
    }

    async fn serve(&self, place: &Workplace) -> Process {
        place.serve_with(&[("MM_CONFIG", self.file().to_str().unwrap())], &["serve"]).await
    }

    /// Runs `quarterdeck config set` on the file.
    async fn set(&self, place: &Workplace, path: &str, value: &str) {
        let variables = [("MM_CONFIG", self.file().display().to_string())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let ended = place.run_with(&variables, &["config", "set", path, value], "").await;
        assert!(ended.status.success(), "{ended:?}");
    }
}

fn socket(place: &Workplace) -> Client {
    Client::on_socket(&place.path("qd.socket"))
}

fn path(place: &Workplace, name: &str) -> String {
    place.path(name).display().to_string()
}

fn plugin(name: &str) -> Value {
    json!({ "PluginSettings": { "Plugins": { name: { "name": "set" } } } })
}

/// Changes one setting that no other writer changes, and returns the version.
async fn write(socket: &Client, name: &str) -> String {
    let reply = socket.put("/config/patch", plugin(name)).await;
    reply.expect(200);
    version_of(&reply)
}

/// Makes all changes of a writer, two at a time.
async fn write_all(socket: &Client, writer: &str) {
    for number in (0..CHANGES).step_by(2) {
        let names = [number, number + 1].map(|number| format!("{writer}.{number}"));
        join_all(names.iter().map(|name| write(socket, name))).await;
    }
}

async fn versions(socket: &Client) -> Vec<Value> {
    socket.get("/config/versions?per_page=200").await.expect(200).as_array().unwrap().clone()
}

/// Returns the name of the server's database for a migration.
async fn own_store(socket: &Client) -> String {
    if database::base().is_none() {
        return "sqlite".to_owned();
    }
    let config = socket.get("/config").await.expect(200);
    config["SqlSettings"]["DataSource"].as_str().unwrap().to_owned()
}
