//! `kill -9` during changes of the configuration: each acknowledged version exists after the next start.

use std::cell::RefCell;
use std::time::Duration;

use tokio::sync::Notify;

use crate::support::Process;
use crate::support::config_place::{ConfigPlace, StoreKind, version_of};

/// The variable with the number of kills. Nightly runs set a higher number.
const VARIABLE: &str = "QUARTERDECK_TEST_CONFIG_KILLS";
const DEFAULT_KILLS: usize = 5;

const WRITERS: usize = 3;

/// The kill comes at a random time after the first acknowledgement, at most this much later.
const MAX_KILL_DELAY_MS: u64 = 200;

/// The number of versions that are kept beside the file.
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

/// Returns the acknowledged versions with their names, in the order of the acknowledgements.
async fn write_until_killed(place: &ConfigPlace, server: Process, round: usize) -> Vec<(String, String)> {
    let acknowledged = RefCell::new(Vec::new());
    let began = Notify::new();
    let writers = (0..WRITERS).map(|writer| write(place, format!("r{round}w{writer}"), &acknowledged, &began));
    let killed = async {
        began.notified().await;
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..MAX_KILL_DELAY_MS))).await;
        server.kill().await;
    };
    // The writers wait until the server has ended, so that each sent response is counted.
    futures_util::future::join(futures_util::future::join_all(writers), killed).await;
    acknowledged.into_inner()
}

/// Changes the name of the site until the server has ended.
async fn write(place: &ConfigPlace, name: String, acknowledged: &RefCell<Vec<(String, String)>>, began: &Notify) {
    for number in 0.. {
        let name = format!("{name}n{number}");
        let Ok(reply) = place.try_rename(&name).await else { return };
        // A machine that is too busy to answer in time acknowledges no change.
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
    // Each writer may have written one more version that was not acknowledged.
    for (version, name) in acknowledged.iter().rev().take(MAX_VERSIONS - WRITERS - 1) {
        assert!(known.contains(&version.as_str()), "{name} was acknowledged and is lost");
    }
    let Some((newest, _)) = acknowledged.last() else { return };
    // Responses may arrive in another order, within the number of writers.
    let is_newest = |known: &str| acknowledged.iter().rev().take(WRITERS).any(|(version, _)| version == known);
    let is_unacknowledged = !acknowledged.iter().any(|(known, _)| *known == version);
    assert!(is_newest(&version) || is_unacknowledged, "an older version than the last acknowledged one is in force");
    let shown = place.client().get(&format!("/config/versions/{newest}")).await.expect(200);
    assert_eq!(shown["config"]["TeamSettings"]["SiteName"], acknowledged[acknowledged.len() - 1].1);
}
