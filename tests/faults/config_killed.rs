//! `kill -9` in the middle of changes to the configuration: each acknowledged version is there after the next start.

use std::cell::RefCell;
use std::time::Duration;

use tokio::sync::Notify;

use crate::support::Process;
use crate::support::config_place::{ConfigPlace, StoreKind, version_of};

/// How often the server is killed; more in a night than in a coffee break.
const VARIABLE: &str = "QUARTERDECK_TEST_CONFIG_KILLS";
const DEFAULT_KILLS: usize = 5;

const WRITERS: usize = 3;

/// The kill comes at a random moment after the first acknowledgement, and no later than this.
const MAX_KILL_DELAY_MS: u64 = 200;

/// As many versions as a file has beside it.
const MAX_VERSIONS: usize = 20;

#[actix_web::test]
async fn acknowledged_versions_in_the_database_survive_kills() {
    survive_kills(StoreKind::InDatabase).await;
}

#[actix_web::test]
async fn acknowledged_versions_in_a_file_survive_kills() {
    survive_kills(StoreKind::InFile).await;
}

async fn survive_kills(kind: StoreKind) {
    let kills = std::env::var(VARIABLE).map_or(DEFAULT_KILLS, |text| text.parse().unwrap());
    let place = ConfigPlace::new(kind).await;
    let mut total = 0;
    let mut server = place.start().await;
    for round in 0..kills {
        let acknowledged = write_until_killed(&place, server, round).await;
        server = place.start().await;
        verify(&place, round, &acknowledged).await;
        total += acknowledged.len();
    }
    assert!(server.stop().await.success());
    println!("{kind:?}: {total} versions were acknowledged in {kills} rounds, none was lost, no start was on defaults");
}

/// Gives the acknowledged versions with their names, in the order of the acknowledgements.
async fn write_until_killed(place: &ConfigPlace, server: Process, round: usize) -> Vec<(String, String)> {
    let acknowledged = RefCell::new(Vec::new());
    let began = Notify::new();
    let writers = (0..WRITERS).map(|writer| write(place, format!("r{round}w{writer}"), &acknowledged, &began));
    let killed = async {
        began.notified().await;
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..MAX_KILL_DELAY_MS))).await;
        server.kill().await;
    };
    // Whoever waits for an answer sees the end of the server, so that each answer that was sent is counted.
    futures_util::future::join(futures_util::future::join_all(writers), killed).await;
    acknowledged.into_inner()
}

/// Changes the name of the site until the server is gone.
async fn write(place: &ConfigPlace, name: String, acknowledged: &RefCell<Vec<(String, String)>>, began: &Notify) {
    for number in 0.. {
        let name = format!("{name}n{number}");
        let Ok(reply) = place.try_rename(&name).await else { return };
        // A machine that is too busy to answer in time acknowledges nothing.
        if reply.status == 503 {
            continue;
        }
        reply.expect(200);
        acknowledged.borrow_mut().push((version_of(&reply), name));
        began.notify_one();
    }
}

async fn verify(place: &ConfigPlace, round: usize, acknowledged: &[(String, String)]) {
    let (name, version) = place.in_force().await;
    assert_ne!(version, "default");
    assert!(name.starts_with(&format!("r{round}w")), "{name} is in force after round {round}");
    let list = place.client().get("/config/versions?per_page=200").await.expect(200);
    let known: Vec<&str> = list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    // One more may have been written and not acknowledged by each writer.
    for (version, name) in acknowledged.iter().rev().take(MAX_VERSIONS - WRITERS - 1) {
        assert!(known.contains(&version.as_str()), "{name} was acknowledged and is lost");
    }
    let Some((newest, _)) = acknowledged.last() else { return };
    // Answers may overtake each other, by as many as there are writers.
    let is_newest = |known: &str| acknowledged.iter().rev().take(WRITERS).any(|(version, _)| version == known);
    let is_unacknowledged = !acknowledged.iter().any(|(known, _)| *known == version);
    assert!(is_newest(&version) || is_unacknowledged, "an older version than the last acknowledged one is in force");
    let shown = place.client().get(&format!("/config/versions/{newest}")).await.expect(200);
    assert_eq!(shown["config"]["TeamSettings"]["SiteName"], acknowledged[acknowledged.len() - 1].1);
}
