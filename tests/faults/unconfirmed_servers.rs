//! Several servers on one store, and a change of the configuration that is confirmed or taken back by one of them.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::unconfirmed::end_the_time_in;
use crate::support::config_place::{StoreKind, version_of};
use crate::support::waiting::until;
use crate::support::wall_clock::WallClock;
use crate::support::{Client, Home, Process, database, needs, trail};

const HOUR_S: i64 = 3_600;

/// Homes of servers on one database and one store.
struct Fleet<const SERVERS: usize> {
    homes: [Home; SERVERS],
    folder: TempDir,
}

impl<const SERVERS: usize> Fleet<SERVERS> {
    async fn new(kind: StoreKind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = database::fresh(folder.path()).await;
        let file = folder.path().join("config.json").display().to_string();
        let homes = std::array::from_fn(|number| {
            let socket = folder.path().join(format!("socket {number}"));
            let home = Home::on_database(
                &database,
                &format!(
                    "[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n\
                     [LogSettings]\nEnableConsole = true\nEnableFile = false\n",
                    socket.display()
                ),
            );
            if kind == StoreKind::InFile { home.with_variable("MM_CONFIG", &file) } else { home }
        });
        Self { homes, folder }
    }

    /// Gives a server a clock that is this many seconds from the correct time.
    fn with_clock(self, number: usize, seconds: i64) -> Self {
        let clock = WallClock::new(self.folder.path().join(format!("clock {number}"))).unwrap();
        clock.step_to(seconds);
        let Self { homes, folder } = self;
        let mut numbers = 0..;
        let homes = homes.map(|home| {
            if numbers.next() != Some(number) {
                return home;
            }
            clock.variables().into_iter().fold(home, |home, (name, value)| home.with_variable(name, value))
        });
        Self { homes, folder }
    }

    /// Returns a client for the local socket of a server.
    fn client(&self, number: usize) -> Client {
        Client::on_socket(&self.folder.path().join(format!("socket {number}")))
    }

    async fn patch(&self, body: Value, query: &str) -> String {
        let reply = self.client(0).put(&format!("/config/patch{query}"), body).await;
        reply.expect(200);
        version_of(&reply)
    }

    /// Returns the response of a server; `None` while it restarts.
    async fn get(&self, number: usize, path: &str) -> Option<Value> {
        let reply = self.client(number).try_send(Method::GET, path, None, &[]).await.ok()?;
        (reply.status == 200).then(|| reply.json())
    }

    async fn read_timeout(&self, number: usize) -> Option<i64> {
        self.get(number, "/config").await?["ServiceSettings"]["ReadTimeout"].as_i64()
    }

    /// Returns true if the server runs with this time limit since its start.
    async fn started_with(&self, number: usize, read_timeout: i64) -> bool {
        // In this order: between a change and the restart for it, the value is the new one and waits for the restart.
        self.read_timeout(number).await == Some(read_timeout)
            && self.get(number, "/config/pending_restart").await == Some(json!([]))
    }

    async fn site_name(&self, number: usize) -> Value {
        self.client(number).get("/config").await.expect(200)["TeamSettings"]["SiteName"].clone()
    }
}

async fn restarted(server: Process, home: &Home) -> Process {
    assert!(server.stop().await.success());
    home.start().await
}

#[actix_web::test]
async fn every_server_that_started_with_a_change_restarts_when_it_is_taken_back_and_no_other() {
    for kind in [StoreKind::InDatabase, StoreKind::InFile] {
        let fleet: Fleet<3> = Fleet::new(kind).await;
        let [first, second, third] = &fleet.homes;
        let (one, two, mut never) = (first.start().await, second.start().await, third.start().await);
        let before = fleet.read_timeout(0).await.unwrap();
        fleet.patch(json!({ "ServiceSettings": { "ReadTimeout": 77 } }), "?confirm_within=3600").await;
        let (one, two) = (restarted(one, first).await, restarted(two, second).await);
        assert!(fleet.started_with(0, 77).await && fleet.started_with(1, 77).await);
        end_the_time_in(first, fleet.folder.path()).await;
        for number in [0, 1] {
            until("the server restarts without the change", async || fleet.started_with(number, before).await).await;
        }
        let restarted = |said: &str| said.contains("the server restarts, because");
        until("the other one is still there", async || never.client().get("/system/ping").await.status == 200).await;
        assert!(!restarted(&never.complains_until(|_| true).await), "it runs with nothing that was taken back");
        for server in [one, two, never] {
            assert!(server.stop().await.success());
        }
        let events = trail::events_in(first.folder()).await;
        let taken = events.iter().filter(|event| *event == "takeBackConfig success").count();
        assert_eq!(taken, 1, "{events:?}");
    }
}

#[actix_web::test]
async fn a_server_with_a_wrong_clock_takes_no_change_back_early_or_never() {
    let Some(_) = database::only_postgres("a shared clock needs a shared database") else { return };
    let Some(_) = needs::peer("faketime") else { return };
    for seconds in [-2 * HOUR_S, 2 * HOUR_S] {
        let fleet = Fleet::<2>::new(StoreKind::InDatabase).await.with_clock(1, seconds);
        let [first, second] = &fleet.homes;
        // Each of them makes a change, and the other one starts with it.
        let (mut one, mut other) = (first.start().await, second.start().await);
        for (author, reader) in [(0, 1), (1, 0)] {
            let name = format!("by {author}");
            let change = json!({ "TeamSettings": { "SiteName": name } });
            let reply = fleet.client(author).put("/config/patch?confirm_within=3600", change).await;
            reply.expect(200);
            let version = version_of(&reply);
            if reader == 1 {
                other = restarted(other, second).await;
            } else {
                one = restarted(one, first).await;
            }
            until("the reader has the change", async || fleet.site_name(reader).await == name).await;
            let versions = fleet.client(reader).get("/config/versions").await.expect(200);
            let waits = |row: &&Value| row["id"] == version && row.get("confirmation").is_some();
            assert!(versions.as_array().unwrap().iter().any(|row| waits(&row)), "{seconds}: {versions}");
            // A change that is over is taken back by a server whose clock is behind as well.
            if author == 0 {
                end_the_time_in(first, fleet.folder.path()).await;
                let is_back = async || fleet.site_name(0).await != name;
                until("the change is taken back", is_back).await;
            }
        }
        for server in [one, other] {
            assert!(server.stop().await.success());
        }
    }
}

#[actix_web::test]
async fn a_server_that_cannot_read_the_configuration_after_a_change_ended_reads_it_later() {
    let fleet: Fleet<2> = Fleet::new(StoreKind::InFile).await;
    let [first, second] = &fleet.homes;
    let one = first.start().await;
    let version = fleet.patch(json!({ "TeamSettings": { "SiteName": "new" } }), "?confirm_within=3600").await;
    let mut other = second.start().await;
    assert_eq!(fleet.site_name(1).await, "new");
    let settings = second.folder().join("config.toml");
    let whole = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, format!("{whole}\n= broken\n")).unwrap();
    fleet.client(0).post(&format!("/config/versions/{version}/confirm"), Value::Null).await.expect(200);
    fleet.patch(json!({ "TeamSettings": { "SiteName": "later" } }), "").await;
    other.complains_until(|said| said.contains("the configuration could not be read again")).await;
    assert_eq!(fleet.site_name(1).await, "new");
    std::fs::write(&settings, whole).unwrap();
    until("the other server reads the configuration", async || fleet.site_name(1).await == "later").await;
    for server in [one, other] {
        assert!(server.stop().await.success());
    }
}
