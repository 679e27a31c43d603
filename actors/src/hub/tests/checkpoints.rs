//! Tests of the rows that a hub names for the store.

use std::collections::HashSet;
use std::sync::atomic::AtomicI64;

use super::*;
use crate::hub::checkpoints::{MIN_RENEW_MS, RENEW_BYTES, RENEW_MESSAGES};
use crate::place::{Place, Progress};

/// The number of connections that a hub renews early at once here.
const MAX_EARLY: usize = 2;

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
        self.reach_with(position, 0).await;
    }

    async fn reach_with(&self, position: i64, bytes: u64) {
        self.hub.reached(Progress { place: Place { position, mark: position * 10 }, bytes }).await;
    }

    async fn due(&self) -> DueRows {
        self.due_with(MAX_EARLY).await
    }

    async fn due_with(&self, max_early: usize) -> DueRows {
        self.hub.due_rows(0, &"node".into(), max_early).await.unwrap().unwrap()
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

    fn pass(&self, ms: i64) -> Uptime {
        Uptime::from_ms(self.uptime_ms.fetch_add(ms, Ordering::Relaxed) + ms)
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
async fn checkpoints_are_renewed_early_after_many_messages_or_bytes_and_some_at_a_time() {
    let stage = Stage::new().await;
    let guards =
        [joined(&stage.hub, "anna").await, joined(&stage.hub, "bert").await, joined(&stage.hub, "carla").await];
    assert_eq!(stage.store().await.0.len(), 3);
    stage.uptime_ms.fetch_add(MIN_RENEW_MS, Ordering::Relaxed);
    stage.reach(4 + RENEW_MESSAGES).await;
    assert!(stage.store().await.0.is_empty(), "they are not many yet");
    stage.reach(5 + RENEW_MESSAGES).await;
    let dora = joined(&stage.hub, "dora").await;
    let none = stage.due_with(0).await;
    assert_eq!((none.new.len(), none.known.len(), none.early), (1, 0, 0), "a new row does not wait for others");
    let some = stage.due().await;
    assert_eq!((some.new.len(), some.known.len(), some.early), (1, 2, 2));
    let (rows, _) = stage.store().await;
    assert_eq!(rows[1].last, checkpoint(5 + RENEW_MESSAGES, 1));
    assert_eq!(stage.store().await.0.len(), 1, "the rest follows");
    assert!(stage.store().await.0.is_empty());
    // By bytes, and the oldest ones first: those whose messages before were stored last come last.
    stage.uptime_ms.fetch_add(MIN_RENEW_MS - 1, Ordering::Relaxed);
    stage.reach_with(6 + RENEW_MESSAGES, RENEW_BYTES).await;
    assert!(stage.store().await.0.is_empty(), "the older checkpoints would be too new");
    stage.uptime_ms.fetch_add(1, Ordering::Relaxed);
    let ids = async || {
        let mut ids: Vec<String> = stage.store().await.0.into_iter().map(|row| row.id).collect();
        stage.uptime_ms.fetch_add(1, Ordering::Relaxed);
        ids.sort();
        ids
    };
    let first = [ids().await, ids().await];
    assert_eq!(first.concat().len(), 4);
    stage.uptime_ms.fetch_add(MIN_RENEW_MS, Ordering::Relaxed);
    stage.reach_with(7 + RENEW_MESSAGES, 2 * RENEW_BYTES).await;
    assert_eq!([ids().await, ids().await], first, "the oldest ones come first");
    drop((guards, dora));
}

#[actix_rt::test]
async fn a_silent_client_keeps_its_older_checkpoint_and_one_that_answers_pings_does_not() {
    let stage = Stage::new().await;
    let (anna, bert) = (joined(&stage.hub, "anna").await, joined(&stage.hub, "bert").await);
    stage.store().await;
    let at_round = |round: i64| checkpoint(5 + round * RENEW_MESSAGES, 1);
    for round in 1..=6 {
        bert.connection.note_sign_of_life(stage.pass(MIN_RENEW_MS));
        stage.reach(5 + round * RENEW_MESSAGES).await;
        let (rows, _) = stage.store().await;
        assert_eq!(rows.len(), 2);
        for row in rows {
            let earlier = if row.user_id == "anna" { at_round(0) } else { at_round(round - 1) };
            assert_eq!((row.earlier, row.last), (earlier, at_round(round)), "{}", row.user_id);
        }
        let sent = poll_fn(|context| bert.poll_next(context));
        assert!(matches!(within("something is sent", sent).await, Outgoing::Ping), "the answer is a sign of life");
    }
    anna.connection.note_sign_of_life(stage.pass(MIN_RENEW_MS));
    stage.reach(5 + 7 * RENEW_MESSAGES).await;
    let earlier: HashSet<i64> = stage.store().await.0.iter().map(|row| row.earlier.place.position).collect();
    let last_but_one = at_round(6).place.position;
    assert_eq!(
        earlier,
        HashSet::from([at_round(5).place.position, last_but_one]),
        "it answers again, the other one not"
    );
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
