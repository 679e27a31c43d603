//! Tests in which the store, the audience or the actor fails.

use std::sync::atomic::Ordering;

use super::super::*;
use super::store::{Setup, id, start, stored};
use crate::waiting::until;

#[actix_rt::test]
async fn a_store_that_fails_keeps_one_change_a_user_and_gets_the_newest_once_it_is_mended() {
    let Setup { presence, store, clock, .. } = start(&[]).await;
    // The actor stores at ticks of its own, so the test does its work.
    let _blocked = presence.vitals().block().await;
    let left = Event::LastActive { at: -300_000 };
    for name in ["anna", "bert"] {
        presence.connected(&id(name));
    }
    presence.shared.process_urgent_notes().await;
    store.fails.store(true, Ordering::Relaxed);
    for _ in 0..100 {
        presence.shared.act(id("anna"), left).await.unwrap();
        presence.shared.act(id("anna"), Event::Active { at: 0 }).await.unwrap();
        presence.shared.tick().await;
    }
    assert_eq!((store.saves(), presence.shared.people().unsaved_count()), (1, 2));
    presence.shared.act(id("anna"), left).await.unwrap();
    clock.store(60_000, Ordering::Relaxed);
    presence.shared.tick().await;
    store.fails.store(false, Ordering::Relaxed);
    clock.store(61_999, Ordering::Relaxed);
    presence.shared.tick().await;
    assert_eq!((store.saves(), store.rows()), (2, 0), "the store is left alone for longer than before");
    clock.store(62_000, Ordering::Relaxed);
    presence.shared.tick().await;
    assert_eq!((store.presence_of("anna").as_str(), store.presence_of("bert").as_str()), ("away", "online"));
    assert_eq!((store.saves(), presence.shared.people().unsaved_count()), (3, 0));
}

#[actix_rt::test]
async fn a_clock_that_is_put_back_a_day_does_not_keep_a_mended_store_waiting_for_a_day() {
    let Setup { presence, store, clock, step, .. } = start(&[]).await;
    let _blocked = presence.vitals().block().await;
    presence.connected(&id("anna"));
    presence.shared.process_urgent_notes().await;
    store.fails.store(true, Ordering::Relaxed);
    presence.shared.tick().await;
    store.fails.store(false, Ordering::Relaxed);
    step.store(-86_400_000, Ordering::Relaxed);
    clock.store(1_000, Ordering::Relaxed);
    presence.shared.tick().await;
    assert_eq!(store.presence_of("anna"), "online");
}

#[actix_rt::test]
async fn a_flush_tries_a_store_that_failed_and_says_when_it_still_does() {
    let Setup { presence, store, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.shared.process_urgent_notes().await;
    store.fails.store(true, Ordering::Relaxed);
    presence.shared.tick().await;
    assert_eq!(presence.flush().await.unwrap_err().id, "app.status.save.app_error");
    store.fails.store(false, Ordering::Relaxed);
    presence.flush().await.unwrap();
    assert_eq!(store.presence_of("anna"), "online");
}

#[actix_rt::test]
async fn while_the_store_cannot_be_read_nobody_unknown_is_changed_and_afterwards_everybody_is() {
    let rows = [Status { manual: true, ..stored("anna", "dnd") }];
    let Setup { presence, store, clock, .. } = start(&rows).await;
    store.fails.store(true, Ordering::Relaxed);
    presence.connected(&id("anna"));
    presence.connected(&id("bert"));
    presence.flush().await.unwrap_err();
    assert_eq!(presence.active(&id("anna"), true, false).await.unwrap_err().id, "app.status.get.app_error");
    assert_eq!(presence.of(&[id("anna")]).await.unwrap_err().id, "app.status.get.app_error");
    assert_eq!(presence.all().len(), 0);
    let _blocked = presence.vitals().block().await;
    presence.disconnected(&id("bert"));
    store.fails.store(false, Ordering::Relaxed);
    clock.store(60_000, Ordering::Relaxed);
    presence.shared.tick().await;
    assert_eq!((store.presence_of("anna").as_str(), store.presence_of("bert").as_str()), ("dnd", "offline"));
}

#[actix_rt::test]
async fn a_wish_that_is_not_stored_is_not_in_force() {
    let Setup { presence, store, audience, .. } = start(&[stored("anna", "away")]).await;
    presence.of(&[id("anna")]).await.unwrap();
    store.fails.store(true, Ordering::Relaxed);
    assert_eq!(presence.set(StatusRequest::of(&id("anna"), "dnd")).await.unwrap_err().id, "app.status.save.app_error");
    store.fails.store(false, Ordering::Relaxed);
    assert_eq!(presence.of(&[id("anna")]).await.unwrap()[0].presence, "away");
    presence.set(StatusRequest::of(&id("anna"), "online")).await.unwrap();
    assert_eq!(audience.announced(1).await, [("anna", "online")]);
}

#[actix_rt::test]
async fn a_crash_costs_the_message_in_hand_and_nothing_else() {
    let Setup { presence, store, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.shared.process_urgent_notes().await;
    presence.connected(&id("bert"));
    presence.disconnected(&id("anna"));
    store.panics.store(true, Ordering::Relaxed);
    let lost = presence.set(StatusRequest::of(&id("carl"), "away")).await.unwrap_err();
    assert_eq!(lost.id, "app.actor.ended.app_error");
    presence.flush().await.unwrap();
    assert_eq!((store.presence_of("anna").as_str(), store.presence_of("bert").as_str()), ("offline", "online"));
    assert_eq!(presence.vitals().restarts(), 1);
    presence.set(StatusRequest::of(&id("carl"), "away")).await.unwrap();
    assert_eq!(store.rows(), 3);
}

#[actix_rt::test]
async fn after_a_crash_the_actor_still_deals_with_notes_and_stores_by_itself() {
    let Setup { presence, store, .. } = start(&[]).await;
    presence.vitals().crash();
    until("the actor is rebuilt", async || presence.vitals().restarts() > 0).await;
    presence.connected(&id("anna"));
    until("the status is stored", async || store.rows() > 0).await;
    assert_eq!(store.presence_of("anna"), "online");
}

#[actix_rt::test]
async fn while_the_store_cannot_be_written_a_lone_server_announces_changes_and_one_of_several_does_so_afterwards() {
    for is_alone in [true, false] {
        let Setup { presence, store, audience, clock, .. } = start(&[]).await;
        store.is_alone.store(is_alone, Ordering::Relaxed);
        let _blocked = presence.vitals().block().await;
        presence.connected(&id("anna"));
        presence.shared.process_urgent_notes().await;
        store.fails.store(true, Ordering::Relaxed);
        presence.shared.tick().await;
        presence.finish_announcing().await;
        assert_eq!(audience.told().len(), usize::from(is_alone));
        store.fails.store(false, Ordering::Relaxed);
        clock.store(60_000, Ordering::Relaxed);
        presence.shared.tick().await;
        presence.finish_announcing().await;
        assert_eq!(audience.told(), [("anna", "online")]);
    }
}

#[actix_rt::test]
async fn a_stop_waits_until_all_changes_are_announced_also_those_of_users_who_changed_too_often() {
    let Setup { presence, audience, .. } = start(&[]).await;
    for status in ["away", "online", "away", "online", "away", "online", "dnd"] {
        presence.set(StatusRequest::of(&id("anna"), status)).await.unwrap();
    }
    presence.connected(&id("bert"));
    presence.flush().await.unwrap();
    presence.disconnect_all();
    presence.flush().await.unwrap();
    presence.finish_announcing().await;
    let told = audience.told();
    assert!(told.contains(&("anna", "dnd")), "{told:?}");
    assert!(told.contains(&("bert", "offline")), "{told:?}");
}

#[actix_rt::test]
async fn an_audience_that_panics_or_hangs_misses_its_change_and_holds_nobody_up() {
    let Setup { presence, audience, .. } = start(&[]).await;
    audience.panics.store(true, Ordering::Relaxed);
    presence.connected(&id("carl"));
    presence.flush().await.unwrap();
    audience.hangs.store(true, Ordering::Relaxed);
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    audience.hangs.store(false, Ordering::Relaxed);
    presence.connected(&id("bert"));
    presence.flush().await.unwrap();
    assert_eq!(audience.announced(2).await, [("anna", "online"), ("bert", "online")]);
}
