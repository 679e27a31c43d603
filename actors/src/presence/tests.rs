//! Tests of the actor with a simulated store, clock and audience.

mod failures;
mod nodes;
mod store;

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::*;
use crate::supervisor::round_trip::{ROUNDS, round_trip};
use store::{Setup, id, start, stored};

#[actix_rt::test]
async fn who_connects_is_online_and_who_leaves_is_offline_and_both_are_told_and_stored() {
    let Setup { presence, store, audience, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    assert_eq!(presence.all(), BTreeMap::from([(id("anna"), "online".to_owned())]));
    assert_eq!(store.presence_of("anna"), "online");
    presence.disconnected(&id("anna"));
    presence.flush().await.unwrap();
    assert_eq!(presence.all(), BTreeMap::new());
    assert_eq!(store.presence_of("anna"), "offline");
    assert_eq!(audience.announced(2).await, [("anna", "online"), ("anna", "offline")]);
}

#[actix_rt::test]
async fn who_comes_back_at_once_was_never_away() {
    let Setup { presence, audience, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    let blocked = presence.vitals().block().await;
    presence.disconnected(&id("anna"));
    presence.connected(&id("bert"));
    presence.shared.process_urgent_notes().await;
    presence.connected(&id("anna"));
    drop(blocked);
    presence.flush().await.unwrap();
    assert_eq!(audience.announced(2).await, [("anna", "online"), ("bert", "online")]);
}

#[actix_rt::test]
async fn what_was_set_by_hand_is_stored_when_it_is_answered_and_no_connection_changes_it() {
    let Setup { presence, store, audience, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    let set = presence.set(StatusRequest::of(&id("anna"), "dnd")).await.unwrap();
    assert_eq!((set.presence.as_str(), set.manual), ("dnd", true));
    assert_eq!(store.presence_of("anna"), "dnd");
    presence.connected(&id("anna"));
    presence.active(&id("anna"), true, false).await.unwrap();
    presence.disconnected(&id("anna"));
    presence.flush().await.unwrap();
    assert_eq!(store.presence_of("anna"), "dnd");
    assert_eq!(presence.of(&[id("anna")]).await.unwrap()[0].presence, "dnd");
    presence.active(&id("anna"), true, true).await.unwrap();
    assert_eq!(presence.of(&[id("anna")]).await.unwrap()[0].presence, "online");
    assert_eq!(audience.announced(3).await, [("anna", "online"), ("anna", "dnd"), ("anna", "online")]);
}

#[actix_rt::test]
async fn who_is_idle_is_away_after_the_time_that_is_set_and_a_new_time_holds_at_once() {
    let Setup { presence, clock, config, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    clock.store(100_000, Ordering::Relaxed);
    presence.pong_received(&id("anna"));
    presence.active(&id("anna"), false, false).await.unwrap();
    presence.flush().await.unwrap();
    assert_eq!(presence.all()[&id("anna")], "online");
    store::set(&config, "TeamSettings.UserStatusAwayTimeout", 100.into()).await;
    presence.pong_received(&id("anna"));
    presence.flush().await.unwrap();
    assert_eq!(presence.all()[&id("anna")], "away");
    presence.active(&id("anna"), true, false).await.unwrap();
    assert_eq!(presence.all()[&id("anna")], "online");
    presence.last_active(&id("anna"), 0).await.unwrap();
    assert_eq!(presence.all()[&id("anna")], "away");
}

#[actix_rt::test]
async fn do_not_disturb_ends_by_itself_and_that_is_told() {
    let Setup { presence, clock, store, audience, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    let request = StatusRequest { dnd_end_time: 120, ..StatusRequest::of(&id("anna"), "dnd") };
    presence.set(request).await.unwrap();
    clock.store(119_999, Ordering::Relaxed);
    presence.shared.tick().await;
    assert_eq!(presence.all()[&id("anna")], "dnd");
    clock.store(120_000, Ordering::Relaxed);
    presence.shared.tick().await;
    assert_eq!((store.presence_of("anna").as_str(), presence.all()[&id("anna")].as_str()), ("online", "online"));
    assert_eq!(audience.announced(3).await[2], ("anna", "online"));
}

#[actix_rt::test]
async fn several_statuses_are_read_with_one_statement_and_then_remembered_for_a_minute() {
    let Setup { presence, clock, store, .. } = start(&[stored("anna", "away"), stored("bert", "online")]).await;
    let ids = ["anna", "nobody", "bert"].map(id);
    for now in [0, 59_999] {
        clock.store(now, Ordering::Relaxed);
        let seen: Vec<String> = presence.of(&ids).await.unwrap().into_iter().map(|status| status.presence).collect();
        assert_eq!(seen, ["away", "offline", "online"]);
    }
    assert_eq!(store.reads(), 1);
    assert_eq!(presence.all().len(), 2);
    // Another server may have changed the row meanwhile.
    store.put(stored("anna", "dnd"));
    clock.store(60_000, Ordering::Relaxed);
    assert_eq!(presence.of(&ids).await.unwrap()[0].presence, "dnd");
    assert_eq!(presence.of(&["junk".to_owned()]).await.unwrap(), [Status::unknown("junk")]);
    assert_eq!(store.reads(), 2);
}

#[actix_rt::test]
async fn a_step_of_the_wall_clock_changes_neither_for_how_long_a_status_is_remembered_nor_who_is_listed() {
    let Setup { presence, clock, step, store, .. } = start(&[stored("anna", "away")]).await;
    presence.of(&[id("anna")]).await.unwrap();
    for day in [1, -1, 400] {
        step.store(day * 86_400_000, Ordering::Relaxed);
        presence.of(&[id("anna")]).await.unwrap();
        assert_eq!((store.reads(), presence.all().len()), (1, 1));
    }
    clock.store(60_000, Ordering::Relaxed);
    presence.of(&[id("anna")]).await.unwrap();
    assert_eq!(store.reads(), 2);
}

#[actix_rt::test]
async fn many_changes_are_stored_in_few_transactions() {
    let Setup { presence, store, .. } = start(&[]).await;
    let blocked = presence.vitals().block().await;
    for number in 0..1200 {
        presence.connected(&id(&number.to_string()));
    }
    drop(blocked);
    presence.flush().await.unwrap();
    assert_eq!((store.rows(), store.reads(), store.saves()), (1200, 1, 3));
    let blocked = presence.vitals().block().await;
    presence.disconnect_all();
    drop(blocked);
    presence.flush().await.unwrap();
    assert_eq!((presence.all().len(), store.saves()), (0, 6));
}

#[actix_rt::test]
async fn a_few_changes_wait_for_company_and_many_do_not() {
    let Setup { presence, store, .. } = start(&[]).await;
    // The actor would store them at its next tick, so the test does its work.
    let _blocked = presence.vitals().block().await;
    for number in 0..63 {
        presence.connected(&id(&number.to_string()));
    }
    presence.shared.process_urgent_notes().await;
    assert_eq!((presence.all().len(), store.saves()), (63, 0));
    presence.shared.act(id("one more"), Event::Active { at: 0 }).await.unwrap();
    assert_eq!((presence.all().len(), store.saves(), store.rows()), (64, 1, 64));
}

#[actix_rt::test]
async fn many_who_leave_do_not_wait() {
    let Setup { presence, .. } = start(&[]).await;
    let ids: Vec<String> = (0..32).map(|number| id(&number.to_string())).collect();
    for id in &ids {
        presence.connected(id);
    }
    presence.flush().await.unwrap();
    // The actor would handle them at its next tick, so the test does its work.
    let _blocked = presence.vitals().block().await;
    for id in &ids[1..] {
        presence.disconnected(id);
    }
    presence.shared.process_urgent_notes().await;
    assert_eq!(presence.all().len(), 32);
    presence.disconnected(&ids[0]);
    presence.shared.process_urgent_notes().await;
    assert_eq!(presence.all().len(), 0);
}

#[actix_rt::test]
async fn while_the_server_is_busy_nothing_is_told() {
    let Setup { presence, busy, audience, .. } = start(&[]).await;
    busy.mark(1).await.unwrap();
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    assert_eq!(presence.all()[&id("anna")], "online");
    busy.clear().await.unwrap();
    presence.connected(&id("bert"));
    presence.flush().await.unwrap();
    assert_eq!(audience.announced(1).await, [("bert", "online")]);
}

#[actix_rt::test]
async fn without_statuses_nobody_has_one_and_once_they_are_back_the_connected_are_online() {
    let Setup { presence, config, store, .. } = start(&[stored("bert", "away")]).await;
    store::set(&config, "ServiceSettings.EnableUserStatuses", false.into()).await;
    presence.connected(&id("anna"));
    presence.active(&id("anna"), true, false).await.unwrap();
    presence.flush().await.unwrap();
    assert_eq!(presence.of(&[id("bert")]).await.unwrap(), []);
    assert_eq!((presence.all().len(), store.reads(), store.saves()), (0, 0, 0));
    store::set(&config, "ServiceSettings.EnableUserStatuses", true.into()).await;
    presence.flush().await.unwrap();
    assert_eq!(presence.all()[&id("anna")], "online");
}

#[actix_rt::test]
async fn those_whom_an_earlier_life_of_the_server_left_behind_become_offline_unless_they_came_back() {
    let rows = ["anna", "bert", "carl"].map(|name| Status { last_activity_at: -5, ..stored(name, "online") });
    let Setup { presence, store, clock, .. } = start(&rows).await;
    presence.connected(&id("anna"));
    presence.set(StatusRequest::of(&id("carl"), "away")).await.unwrap();
    clock.store(10, Ordering::Relaxed);
    assert!(presence.shared.sweep().await.unwrap());
    presence.flush().await.unwrap();
    let words = ["anna", "bert", "carl"].map(|name| store.presence_of(name));
    assert_eq!(words, ["online", "offline", "away"]);
    assert_eq!(presence.of(&[id("bert")]).await.unwrap()[0].last_activity_at, -5);
}

#[actix_rt::test]
async fn whoever_answers_is_online_again_although_another_server_wrote_otherwise() {
    let Setup { presence, store, clock, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    store.put(stored("anna", "offline"));
    clock.store(60_000, Ordering::Relaxed);
    presence.pong_received(&id("anna"));
    presence.pong_received(&id("somebody who left"));
    presence.flush().await.unwrap();
    assert_eq!((store.presence_of("anna").as_str(), store.rows()), ("online", 1));
}

/// The figure in ARCHITECTURE.md: `cargo test -p quarterdeck-actors beside_a_message -- --nocapture`.
#[actix_rt::test]
async fn the_cost_of_a_note_is_measured_beside_a_message() {
    const USERS: u32 = 1_000;
    let Setup { store, presence, .. } = start(&[]).await;
    let ids: Vec<String> = (0..USERS).map(|number| id(&number.to_string())).collect();
    for id in &ids {
        presence.connected(id);
    }
    let mut note = Duration::MAX;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for id in &ids {
            presence.pong_received(id);
        }
        note = note.min(begun.elapsed() / USERS);
    }
    let message = round_trip().await;
    eprintln!("a note of presence takes {note:?}, a message {message:?}");
    presence.flush().await.unwrap();
    assert_eq!(store.rows(), 1_000, "notes for one user replace each other");
}
