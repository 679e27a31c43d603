//! `kill -9` during changes of every kind: each acknowledged change has a record.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use futures_util::future::select_all;
use tokio::sync::Notify;

use crate::support::changes::{KINDS, Kind, SETTINGS, Stage};
use crate::support::license::Seller;
use crate::support::server::account;
use crate::support::{Home, Process, backdoor, database};

/// The variable with the number of kills. Nightly runs set a higher number.
const VARIABLE: &str = "QUARTERDECK_TEST_TRAIL_KILLS";
const DEFAULT_KILLS: usize = 6;

const WRITERS: usize = 4;

/// The kill comes at a random time after every kind was tried, at most this much later.
const MAX_KILL_DELAY_MS: u64 = 400;

/// The changes that the server acknowledged, by the ids of their requests.
#[derive(Default)]
struct Acknowledged {
    changes: RefCell<Vec<(Kind, String)>>,
    /// The number of attempts.
    tried: Cell<usize>,
    /// The number of acknowledged changes that do not concern the licence.
    others: Cell<usize>,
}

#[actix_web::test]
async fn every_acknowledged_change_has_its_record_after_a_kill() {
    let kills = std::env::var(VARIABLE).map_or(DEFAULT_KILLS, |text| text.parse().unwrap());
    let seller = Seller::new().await;
    // A licence for fewer accounts than the test creates would be refused, and the removal of a missing licence changes
    // nothing.
    let license = seller.license(&["--users", "1000000"]).await;
    let home = Home::new(&seller.settings(SETTINGS)).await;
    let server = home.start().await;
    for name in ["admin", "bert"] {
        server.client().post("/users", account(name)).await.expect(201);
    }
    server.stop().await;
    let known = Acknowledged::default();
    for _ in 0..kills {
        change_until_killed(home.start().await, &license, &known).await;
        let server = home.start().await;
        verify(&home, &known, true).await;
        server.kill().await;
    }
    assert!(home.start().await.stop().await.success());
    verify(&home, &known, false).await;
    let changes = known.changes.borrow();
    let missing: Vec<_> = KINDS.iter().filter(|kind| !changes.iter().any(|(known, _)| known == *kind)).collect();
    assert_eq!(missing, Vec::<&Kind>::new(), "never acknowledged");
    println!("{} changes were acknowledged in {kills} rounds, each has its record", changes.len());
}

async fn change_until_killed(server: Process, license: &str, known: &Acknowledged) {
    let (admin, bert) = (server.client().log_in("admin").await, server.client().log_in("bert").await);
    let stage = Stage { admin, bert, license: license.to_owned() };
    let (last, enough) = (known.others.get() + KINDS.len(), Notify::new());
    let writers = (0..WRITERS).map(|writer| Box::pin(write(&stage, writer == 0, known, (last, &enough))));
    let death = async {
        enough.notified().await;
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..MAX_KILL_DELAY_MS))).await;
    };
    tokio::select! {
        () = death => {}
        (ended, ..) = select_all(writers) => panic!("a writer ended before the server did: {ended:?}"),
    }
    server.kill().await;
}

/// Makes changes of all kinds. Only one writer changes the licence, and a removal counts only after an upload.
async fn write(
    stage: &Stage,
    is_licensor: bool,
    known: &Acknowledged,
    (last, enough): (usize, &Notify),
) -> reqwest::Result<()> {
    let (licenses, others): (Vec<Kind>, Vec<Kind>) =
        KINDS.into_iter().partition(|kind| matches!(kind, Kind::License | Kind::NoLicense));
    let mut is_licensed = false;
    for round in 0.. {
        let kind = if is_licensor {
            licenses[round % licenses.len()]
        } else {
            others[known.others.replace(known.others.get() + 1) % others.len()]
        };
        known.tried.set(known.tried.get() + 1);
        let reply = stage.change(kind, &format!("change{}", known.tried.get())).await?;
        let is_acknowledged = reply.status < 300;
        let is_change = is_acknowledged && (kind != Kind::NoLicense || is_licensed);
        if matches!(kind, Kind::License | Kind::NoLicense) {
            is_licensed = is_acknowledged && kind == Kind::License;
        }
        if is_change {
            known.changes.borrow_mut().push((kind, reply.header("x-request-id")));
        }
        if known.others.get() > last {
            enough.notify_one();
        }
    }
    Ok(())
}

/// Checks that each change is in the trail. On PostgreSQL it may still be a draft, until its server has certainly
/// ended.
async fn verify(home: &Home, known: &Acknowledged, may_wait: bool) {
    let mut found = backdoor::texts_in(home.folder(), "SELECT requestid FROM qd_audits").await;
    let drafts = backdoor::texts_in(home.folder(), "SELECT record FROM qd_audits_open").await;
    if database::base().is_none() && may_wait {
        assert_eq!(drafts, Vec::<String>::new(), "the start gives drafts their places");
    }
    let drafts = drafts.iter().map(|draft| serde_json::from_str::<serde_json::Value>(draft).unwrap());
    found.extend(drafts.map(|draft| draft["request_id"].as_str().unwrap().to_owned()));
    let found: std::collections::HashSet<String> = found.into_iter().collect();
    let changes = known.changes.borrow().clone();
    let missing: Vec<_> = changes.into_iter().filter(|(_, id)| !found.contains(id)).collect();
    assert_eq!(missing, [], "acknowledged and without a record");
    home.shell("quarterdeck audit verify").await;
}
