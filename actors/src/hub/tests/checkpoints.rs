//! Tests of the rows that a hub names for the store.

use std::collections::HashSet;
use std::sync::atomic::AtomicI64;

use super::*;
use crate::place::Place;

/// A hub at a place of the bus, with a clock of its own.
struct Stage {
    hub: HubHandle,
    uptime_ms: Arc<AtomicI64>,
}

impl Stage {
    async fn new() -> Self {
        let uptime_ms = Arc::new(AtomicI64::new(Uptime::now().ms()));
        let read = uptime_ms.clone();
        let clock = Clock::new(wall_ms, move || Uptime::from_ms(read.load(Ordering::Relaxed)));
        let hub = HubHandle::start(1, Limits::default(), &RolesHandle::new(Roles::default()), &clock);
        let stage = Self { hub, uptime_ms };
        stage.reach(5).await;
        stage
    }

    async fn reach(&self, position: i64) {
        self.hub.reached(Place { position, mark: position * 10 }).await;
    }

    async fn due(&self) -> DueRows {
        self.hub.due_rows(0, &"node".into()).await.unwrap().unwrap()
    }

    /// Confirms that everything that is due was stored, and returns the rows.
    async fn store(&self) -> (Vec<SocketRow>, Vec<String>) {
        let DueRows { new, known, inexact, mut removals, .. } = self.due().await;
        let stored: Vec<SocketRow> = new.into_iter().chain(known).collect();
        removals.extend(inexact);
        let removed = removals.iter().cloned().collect();
        let changed = ChangedRows { stored: stored.clone(), removed, ..ChangedRows::default() };
        self.hub.confirm_rows(0, changed).await.unwrap();
        (stored, removals)
    }

    async fn publish(&self, position: i64) {
        let place = Place { position, mark: position * 10 };
        self.hub.deliver(Event::new("some", json!({})), Some(place)).await;
    }
}

fn checkpoint(position: i64, number: i64) -> Checkpoint {
    Checkpoint { place: Place { position, mark: position * 10 }, number }
}

#[actix_rt::test]
async fn a_connection_has_a_checkpoint_at_once_and_another_one_after_a_while() {
    let stage = Stage::new().await;
    let anna = joined(&stage.hub, "anna").await;
    let (first, _) = stage.store().await;
    assert_eq!((first[0].earlier, first[0].last), (checkpoint(5, 1), checkpoint(5, 1)));
    assert_eq!((first[0].user_id.as_str(), first[0].session_id.as_str()), ("anna", "anna"));
    stage.publish(6).await;
    stage.publish(6).await;
    assert!(stage.store().await.0.is_empty(), "the same event again is none");
    stage.uptime_ms.fetch_add(RENEW_MS, Ordering::Relaxed);
    let unconfirmed = stage.due().await.known;
    assert_eq!((unconfirmed[0].earlier, unconfirmed[0].last), (checkpoint(5, 1), checkpoint(6, 2)));
    stage.publish(7).await;
    let (next, _) = stage.store().await;
    assert_eq!(
        (next[0].earlier, next[0].last),
        (checkpoint(5, 1), checkpoint(7, 3)),
        "the store may not have the last"
    );
    drop(anna);
    stage.uptime_ms.fetch_add(RENEW_MS, Ordering::Relaxed);
    assert!(stage.store().await.0.is_empty(), "a client without a socket may have missed events since");
}

#[actix_rt::test]
async fn no_checkpoint_is_made_while_an_announcement_is_under_way() {
    let stage = Stage::new().await;
    let _anna = joined(&stage.hub, "anna").await;
    let announcing = stage.hub.announcing();
    assert!(stage.due().await.new.is_empty());
    drop(announcing);
    let is_announced = Arc::new(AtomicBool::new(false));
    let read = is_announced.clone();
    stage.hub.announced_if(move || read.load(Ordering::Relaxed));
    assert!(stage.due().await.new.is_empty());
    is_announced.store(true, Ordering::Relaxed);
    assert_eq!(stage.due().await.new.len(), 1);
}

#[actix_rt::test]
async fn a_fact_about_the_user_makes_a_checkpoint_due_after_it() {
    let stage = Stage::new().await;
    let _anna = joined(&stage.hub, "anna").await;
    stage.store().await;
    let fact = |id: &str| RenewedUser { id: id.to_owned(), roles: String::new(), memberships: Memberships::default() };
    stage.hub.renew_users(stage.hub.epoch(), vec![fact("anna"), fact("bert")]).await.unwrap();
    assert!(stage.store().await.0.is_empty(), "the hub is before the fact");
    stage.reach(6).await;
    let (rows, _) = stage.store().await;
    assert_eq!((rows[0].earlier, rows[0].last), (checkpoint(5, 1), checkpoint(6, 1)));
    assert!(stage.store().await.0.is_empty());
}

#[actix_rt::test]
async fn rows_that_ended_are_named_until_they_are_removed_and_those_of_other_nodes_end_here() {
    let stage = Stage::new().await;
    let (anna, bert) = (joined(&stage.hub, "anna").await, joined(&stage.hub, "bert").await);
    let (rows, _) = stage.store().await;
    assert_eq!(rows.len(), 2);
    stage.hub.end_sessions(&SessionSelection::Id("anna".to_owned())).await.unwrap();
    let id = anna.connection.id.to_string();
    assert_eq!(stage.due().await.removals.first(), Some(&id));
    assert_eq!(stage.store().await.1, [id]);
    assert!(stage.due().await.removals.is_empty());
    let id = bert.connection.id.to_string();
    let lost = HashSet::from([id]);
    stage.hub.confirm_rows(0, ChangedRows { lost, ..ChangedRows::default() }).await.unwrap();
    assert_eq!(next(&bert).await, Err(End::Replaced));
    assert!(stage.due().await.removals.is_empty(), "the row belongs to the other node");
}

#[actix_rt::test]
async fn a_message_that_a_connection_moved_ends_it_here() {
    let stage = Stage::new().await;
    let anna = joined(&stage.hub, "anna").await;
    let ids = vec![anna.connection.id.to_string()];
    stage.hub.end_moved(ids, Place { position: 6, mark: 60 }).await.unwrap();
    assert_eq!(next(&anna).await, Err(End::Replaced));
    assert!(stage.due().await.removals.is_empty(), "the row belongs to the other node");
}

#[actix_rt::test]
async fn nothing_is_stored_before_the_place_of_the_hub_is_known() {
    let stage = Stage::new().await;
    let anna = joined(&stage.hub, "anna").await;
    stage.hub.end_all().await.unwrap();
    assert_eq!(next(&anna).await, Err(End::EventsLost));
    let _bert = joined(&stage.hub, "bert").await;
    assert!(stage.due().await.new.is_empty());
    stage.reach(4).await;
    assert_eq!(stage.due().await.new[0].last, checkpoint(4, 1));
}
