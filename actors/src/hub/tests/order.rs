//! Tests of changes of memberships and roles that arrive during a join, or out of order.

use std::sync::atomic::AtomicI64;

use super::*;
use crate::waiting::until;

fn hub_with_roles() -> HubHandle {
    HubHandle::start(1, Limits::default(), &RolesHandle::new(built_in()), &clock())
}

fn of_admin() -> Arc<Session> {
    Arc::new(Session { roles: "system_user system_admin".to_owned(), ..(*session("anna", "anna")).clone() })
}

/// Begins a join now, with the facts about its user that are read at this moment.
fn pending_join(hub: &HubHandle, session: Arc<Session>) -> Joining {
    Joining { pending_join: hub.begin_join("anna"), session, ..joining("anna", None) }
}

async fn greeted(hub: &HubHandle, joining: Joining) -> ConnectionGuard {
    let guard = hub.join(joining).await.unwrap().guard;
    assert_eq!(named(&guard).await.0, "hello");
    guard
}

async fn hears_the_channel(hub: &HubHandle, guard: &ConnectionGuard) -> bool {
    hub.publish(Event::new("to_channel", json!({})).for_channel("channel")).await;
    !has_nothing(hub, guard).await
}

async fn hears_secrets(hub: &HubHandle, guard: &ConnectionGuard) -> bool {
    hub.publish(Event::new("to_admins", json!({})).sensitive()).await;
    !has_nothing(hub, guard).await
}

#[actix_rt::test]
async fn a_user_who_is_removed_during_a_join_hears_nothing_of_the_place() {
    let hub = hub_with_roles();
    let before = pending_join(&hub, session("anna", "anna"));
    hub.change_memberships("anna", hub.epoch(), Memberships::default()).await.unwrap();
    let anna = greeted(&hub, before).await;
    assert!(!hears_the_channel(&hub, &anna).await);
    assert_eq!(hub.shared.pending_joins.len(), 0);
}

#[actix_rt::test]
async fn a_user_who_is_removed_during_a_second_join_hears_nothing_of_the_place() {
    let hub = hub_with_roles();
    let first = greeted(&hub, pending_join(&hub, session("anna", "anna"))).await;
    assert!(hears_the_channel(&hub, &first).await);
    let before = pending_join(&hub, session("anna", "anna"));
    hub.change_memberships("anna", hub.epoch(), Memberships::default()).await.unwrap();
    let second = greeted(&hub, before).await;
    assert!(!hears_the_channel(&hub, &second).await && !hears_the_channel(&hub, &first).await);
    let after = greeted(&hub, pending_join(&hub, session("anna", "anna"))).await;
    assert!(hears_the_channel(&hub, &after).await, "a later join reads later memberships");
}

#[actix_rt::test]
async fn of_two_changes_of_memberships_the_one_that_was_read_later_stays() {
    let hub = hub_with_roles();
    let anna = greeted(&hub, pending_join(&hub, session("anna", "anna"))).await;
    let (earlier, later) = (hub.epoch(), hub.epoch());
    hub.change_memberships("anna", later, Memberships::default()).await.unwrap();
    hub.change_memberships("anna", earlier, joining("anna", None).memberships).await.unwrap();
    assert!(!hears_the_channel(&hub, &anna).await);
}

#[actix_rt::test]
async fn of_two_changes_of_roles_the_one_that_was_read_later_stays() {
    let hub = hub_with_roles();
    let anna = greeted(&hub, pending_join(&hub, of_admin())).await;
    let (earlier, later) = (hub.epoch(), hub.epoch());
    hub.change_roles("anna", later, "system_user").await.unwrap();
    hub.change_roles("anna", earlier, "system_user system_admin").await.unwrap();
    assert!(!hears_secrets(&hub, &anna).await);
}

#[actix_rt::test]
async fn roles_that_shrink_during_a_join_do_not_come_back_with_it() {
    let hub = hub_with_roles();
    let before = pending_join(&hub, of_admin());
    hub.change_roles("anna", hub.epoch(), "system_user").await.unwrap();
    let anna = greeted(&hub, before).await;
    assert!(!hears_secrets(&hub, &anna).await);
}

#[actix_rt::test]
async fn roles_that_shrink_while_a_session_is_looked_up_again_do_not_come_back_with_it() {
    let hub = hub_with_roles();
    let anna = greeted(&hub, pending_join(&hub, of_admin())).await;
    assert!(hears_secrets(&hub, &anna).await);
    let epoch = hub.epoch();
    hub.change_roles("anna", hub.epoch(), "system_user").await.unwrap();
    hub.renew_session(&anna.connection, epoch, of_admin()).await.unwrap();
    assert!(!hears_secrets(&hub, &anna).await);
    hub.renew_session(&anna.connection, hub.epoch(), of_admin()).await.unwrap();
    assert!(hears_secrets(&hub, &anna).await);
}

#[actix_rt::test]
async fn nothing_is_kept_of_joins_that_are_given_up_or_of_users_who_do_not_join() {
    let hub = hub_with_roles();
    let (first, second) = (hub.begin_join("anna"), hub.begin_join("anna"));
    drop(first);
    hub.change_memberships("bert", hub.epoch(), Memberships::default()).await.unwrap();
    assert_eq!(hub.shared.pending_joins.len(), 1);
    drop(second);
    assert_eq!(hub.shared.pending_joins.len(), 0);
}

#[actix_rt::test]
async fn a_hub_reads_the_clock_that_it_is_given() {
    let wall = Arc::new(AtomicI64::new(0));
    let read = wall.clone();
    let clock = Clock::new(move || read.load(Ordering::Relaxed), Uptime::now);
    let hub = HubHandle::start(1, Limits::default(), &RolesHandle::new(Roles::default()), &clock);
    let expiring = Session { expires_at: i64::MAX, ..(*session("anna", "anna")).clone() };
    let anna = greeted(&hub, pending_join(&hub, expiring.into())).await;
    wall.store(i64::MAX, Ordering::Relaxed);
    let is_to_check = async || matches!(poll_fn(|context| anna.poll_next(context)).await, Outgoing::CheckSession);
    until("the session is checked", is_to_check).await;
}
