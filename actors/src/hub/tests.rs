use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::Poll;

use serde_json::{Value, json};

use super::*;
use crate::clock::{Uptime, wall_ms};
use crate::roles::Roles;
use crate::secret::Secret;
use crate::waiting::{until, within};

pub(crate) fn session(user_id: &str, id: &str) -> Arc<Session> {
    Arc::new(Session {
        id: id.to_owned(),
        token: Secret::new(format!("token-{id}")),
        create_at: 0,
        expires_at: 0,
        last_activity_at: 0,
        user_id: user_id.to_owned(),
        device_id: String::new(),
        roles: "system_user".to_owned(),
        is_oauth: false,
        expired_notify: false,
        props: BTreeMap::new(),
    })
}

pub(crate) fn greeting() -> Greeting {
    Greeting { server_version: "11.6.0".to_owned(), server_hostname: None }
}

fn joining(user_id: &str, resume: Option<(&str, i64)>) -> Joining {
    let memberships = Memberships { teams: vec!["team".to_owned()], channels: vec!["channel".to_owned()] };
    let resume = resume.map(|(id, seq)| (id.to_owned(), seq));
    let pending_join = PendingJoins::begin_join(&Arc::default(), user_id);
    Joining {
        pending_join,
        session: session(user_id, user_id),
        memberships,
        resume,
        acknowledges: false,
        greeting: greeting(),
    }
}

fn clock() -> Clock {
    Clock::new(wall_ms, Uptime::now)
}

fn hub_with(limits: Limits) -> HubHandle {
    HubHandle::start(2, limits, &RolesHandle::new(Roles::default()), &clock())
}

async fn joined(hub: &HubHandle, user_id: &str) -> ConnectionGuard {
    let joining = Joining { pending_join: hub.begin_join(user_id), ..joining(user_id, None) };
    let joined = hub.join(joining).await.unwrap();
    assert_eq!(joined.outcome, JoinOutcome::Fresh);
    joined.guard
}

/// Returns the next event as JSON, or the end.
pub(crate) async fn next(guard: &ConnectionGuard) -> Result<Value, End> {
    loop {
        match within("something is sent", poll_fn(|context| guard.poll_next(context))).await {
            Outgoing::Event(frame, seq) => {
                let mut text = Vec::new();
                frame.write(seq, &mut text);
                return Ok(serde_json::from_slice(&text).unwrap());
            }
            Outgoing::End(end) => return Err(end),
            Outgoing::Reply(_) | Outgoing::Ping | Outgoing::CheckSession => {}
        }
    }
}

pub(crate) async fn named(guard: &ConnectionGuard) -> (String, i64) {
    let event = next(guard).await.unwrap();
    (event["event"].as_str().unwrap().to_owned(), event["seq"].as_i64().unwrap())
}

/// Returns true if no event is waiting after the hubs have handled all earlier publications.
async fn has_nothing(hub: &HubHandle, guard: &ConnectionGuard) -> bool {
    hub.check_sessions().await.unwrap();
    let mut is_empty = true;
    poll_fn(|context| {
        while let Poll::Ready(outgoing) = guard.poll_next(context) {
            is_empty &= matches!(outgoing, Outgoing::CheckSession | Outgoing::Ping);
        }
        Poll::Ready(())
    })
    .await;
    is_empty
}

#[actix_rt::test]
async fn a_new_connection_is_told_who_it_is_before_anything_else() {
    let hub = hub_with(Limits::default());
    let anna = joined(&hub, "anna").await;
    hub.publish(Event::new("config_changed", json!({}))).await;
    let hello = next(&anna).await.unwrap();
    assert_eq!(hello["event"], "hello");
    assert_eq!(hello["seq"], 0);
    assert_eq!(hello["data"], json!({ "connection_id": &*anna.connection.id, "server_version": "11.6.0" }));
    assert_eq!(hello["broadcast"]["user_id"], "anna");
    assert_eq!(named(&anna).await, ("config_changed".to_owned(), 1));
}

#[actix_rt::test]
async fn an_event_reaches_those_whom_it_concerns_and_nobody_else() {
    let hub = hub_with(Limits::default());
    let anna = joined(&hub, "anna").await;
    let bert = joined(&hub, "bert").await;
    let admin = joined(&hub, "carla").await;
    for guard in [&anna, &bert, &admin] {
        assert_eq!(named(guard).await, ("hello".to_owned(), 0));
    }
    hub.publish(Event::new("to_anna", json!({})).for_user("anna")).await;
    assert_eq!(named(&anna).await.0, "to_anna");
    hub.publish(Event::new("to_channel", json!({})).for_channel("channel").without_user("anna")).await;
    assert_eq!(named(&bert).await.0, "to_channel");
    assert_eq!(named(&admin).await.0, "to_channel");
    hub.publish(Event::new("to_team", json!({})).for_team("other")).await;
    hub.publish(Event::new("to_admins", json!({})).sensitive()).await;
    let mut to_bert = Event::new("to_connection", json!({}));
    to_bert.audience.connection_id = bert.connection.id.to_string();
    hub.publish(to_bert).await;
    assert_eq!(named(&bert).await.0, "to_connection");
    let mut to_others = Event::new("to_others", json!({})).sanitized();
    to_others.audience.omit_connection_id = bert.connection.id.to_string();
    hub.publish(to_others).await;
    assert_eq!(named(&anna).await.0, "to_others");
    assert_eq!(named(&admin).await.0, "to_others");
    for guard in [&anna, &bert, &admin] {
        assert!(has_nothing(&hub, guard).await);
    }
}

#[actix_rt::test]
async fn new_roles_and_new_memberships_decide_what_is_heard_from_then_on() {
    let hub = HubHandle::start(1, Limits::default(), &RolesHandle::new(built_in()), &clock());
    let anna = joined(&hub, "anna").await;
    named(&anna).await;
    hub.change_roles("anna", hub.epoch(), "system_user system_admin").await.unwrap();
    hub.publish(Event::new("to_admins", json!({})).sensitive()).await;
    assert_eq!(named(&anna).await.0, "to_admins");
    hub.publish(Event::new("to_others", json!({})).sanitized()).await;
    hub.change_memberships("anna", hub.epoch(), Memberships::default()).await.unwrap();
    hub.publish(Event::new("to_channel", json!({})).for_channel("channel")).await;
    assert!(has_nothing(&hub, &anna).await);
}

fn built_in() -> Roles {
    crate::roles::built_in::built_in(0).into_iter().collect()
}

#[actix_rt::test]
async fn a_client_that_comes_back_goes_on_where_it_stopped() {
    let hub = hub_with(Limits::default());
    let anna = joined(&hub, "anna").await;
    named(&anna).await;
    let id = anna.connection.id.to_string();
    drop(anna);
    hub.publish(Event::new("missed", json!({}))).await;
    let back = hub.join(joining("anna", Some((&id, 1)))).await.unwrap();
    assert_eq!(back.outcome, JoinOutcome::Lossless);
    assert_eq!(named(&back.guard).await, ("missed".to_owned(), 1));
    drop(back);
    let again = hub.join(joining("anna", Some((&id, 1)))).await.unwrap();
    assert_eq!(again.outcome, JoinOutcome::Replayed);
    assert_eq!(named(&again.guard).await, ("missed".to_owned(), 1));
    assert_eq!(*again.guard.connection.id, id);
}

#[actix_rt::test]
async fn a_client_that_comes_back_to_a_full_queue_gets_it_and_its_reply() {
    let hub = hub_with(Limits::default());
    let anna = joined(&hub, "anna").await;
    let id = anna.connection.id.to_string();
    for number in 0..=i64::try_from(MAX_RING_EVENTS).unwrap() {
        assert_eq!(named(&anna).await.1, number);
        hub.publish(Event::new("some", json!({}))).await;
    }
    drop(anna);
    for _ in 1..MAX_QUEUED_EVENTS {
        hub.publish(Event::new("meanwhile", json!({}))).await;
    }
    let back = hub.join(joining("anna", Some((&id, 1)))).await.unwrap();
    assert_eq!(back.outcome, JoinOutcome::Replayed);
    back.guard.connection.reply(b"welcome".to_vec());
    for number in 1..=i64::try_from(MAX_RING_EVENTS + MAX_QUEUED_EVENTS).unwrap() {
        assert_eq!(named(&back.guard).await.1, number);
    }
    assert!(matches!(poll_fn(|context| back.guard.poll_next(context)).await, Outgoing::Reply(_)));
}

#[actix_rt::test]
async fn a_connection_that_drowns_in_replies_is_forgotten() {
    let hub = hub_with(Limits::default());
    let anna = joined(&hub, "anna").await;
    named(&anna).await;
    let id = anna.connection.id.to_string();
    for _ in 0..=2 * MAX_QUEUED_EVENTS {
        anna.connection.reply(b"reply".to_vec());
    }
    assert_eq!(next(&anna).await, Err(End::TooSlow));
    drop(anna);
    let back = hub.join(joining("anna", Some((&id, 1)))).await.unwrap();
    assert_eq!(back.outcome, JoinOutcome::Unknown);
    assert_eq!(named(&back.guard).await, ("hello".to_owned(), 0));
    assert_eq!(hub.counts().ended(End::TooSlow), 1);
    assert_eq!(hub.counts().connections.load(Ordering::Relaxed), 1);
}

#[actix_rt::test]
async fn a_client_takes_its_connection_over_from_a_socket_that_only_the_server_believes_in() {
    let hub = hub_with(Limits { sockets_per_user: 1, ..Limits::default() });
    let broken = joined(&hub, "anna").await;
    named(&broken).await;
    let id = broken.connection.id.to_string();
    hub.publish(Event::new("into_the_void", json!({}))).await;
    named(&broken).await;
    let back = hub.join(joining("anna", Some((&id, 1)))).await.unwrap();
    assert_eq!(back.outcome, JoinOutcome::Replayed);
    assert_eq!(next(&broken).await, Err(End::Replaced));
    drop(broken);
    assert_eq!(named(&back.guard).await, ("into_the_void".to_owned(), 1));
    hub.publish(Event::new("next", json!({}))).await;
    assert_eq!(named(&back.guard).await, ("next".to_owned(), 2));
}

#[actix_rt::test]
async fn a_client_that_cannot_go_on_is_told_at_once() {
    let hub = hub_with(Limits::default());
    let anna = joined(&hub, "anna").await;
    named(&anna).await;
    let id = anna.connection.id.to_string();
    let while_alive = Joining { session: session("anna", "another"), ..joining("anna", Some((&id, 1))) };
    assert_eq!(hub.join(while_alive).await.unwrap().outcome, JoinOutcome::Unknown);
    let of_another = hub.join(joining("bert", Some((&id, 1)))).await.unwrap();
    assert_eq!(of_another.outcome, JoinOutcome::Unknown);
    drop(anna);
    hub.publish(Event::new("waiting", json!({})).for_user("anna")).await;
    let lost = hub.join(joining("anna", Some((&id, 9)))).await.unwrap();
    assert_eq!(lost.outcome, JoinOutcome::Lost);
    assert_ne!(*lost.guard.connection.id, id);
    assert_eq!(named(&lost.guard).await, ("hello".to_owned(), 0));
    assert_eq!(named(&lost.guard).await, ("waiting".to_owned(), 1));
    let gone = hub.join(joining("anna", Some((&id, 1)))).await.unwrap();
    assert_eq!(gone.outcome, JoinOutcome::Unknown);
    assert_eq!(hub.counts().joined_with(JoinOutcome::Unknown), 3);
    assert_eq!(hub.counts().joined_with(JoinOutcome::Lost), 1);
}

#[actix_rt::test]
async fn who_stays_away_too_long_is_forgotten() {
    let hub = hub_with(Limits { resume_ms: 1, ..Limits::default() });
    let anna = joined(&hub, "anna").await;
    let id = anna.connection.id.to_string();
    drop(anna);
    until("the connection is gone", async || hub.counts().connections.load(Ordering::Relaxed) == 0).await;
    let back = hub.join(joining("anna", Some((&id, 1)))).await.unwrap();
    assert_eq!(back.outcome, JoinOutcome::Unknown);
}

#[actix_rt::test]
async fn revoked_sessions_lose_their_connections_and_others_do_not() {
    let hub = hub_with(Limits::default());
    let (anna, bert) = (joined(&hub, "anna").await, joined(&hub, "bert").await);
    named(&anna).await;
    named(&bert).await;
    hub.end_sessions(&SessionSelection::Id("anna".to_owned())).await.unwrap();
    assert_eq!(next(&anna).await, Err(End::SessionEnded));
    assert!(has_nothing(&hub, &bert).await);
    hub.end_sessions(&SessionSelection::User { id: "bert".to_owned(), except: None }).await.unwrap();
    assert_eq!(next(&bert).await, Err(End::SessionEnded));
    assert_eq!(hub.counts().ended(End::SessionEnded), 2);
}

#[actix_rt::test]
async fn a_session_is_asked_for_until_somebody_looks_it_up() {
    let hub = hub_with(Limits::default());
    let anna = joined(&hub, "anna").await;
    named(&anna).await;
    hub.check_sessions().await.unwrap();
    for _ in 0..2 {
        assert!(matches!(poll_fn(|context| anna.poll_next(context)).await, Outgoing::CheckSession));
    }
}

#[actix_rt::test]
async fn a_slow_connection_is_ended_and_a_fast_one_gets_everything() {
    let hub = hub_with(Limits::default());
    let (slow, fast) = (joined(&hub, "anna").await, joined(&hub, "anna").await);
    for number in 0..=2 * i64::try_from(MAX_QUEUED_EVENTS).unwrap() {
        assert_eq!(next(&fast).await.unwrap()["seq"], number);
        hub.publish(Event::new("some", json!({}))).await;
    }
    assert_eq!(next(&slow).await, Err(End::TooSlow));
    assert_eq!(hub.counts().ended(End::TooSlow), 1);
}

#[actix_rt::test]
async fn a_user_and_the_server_have_so_many_sockets_and_no_more() {
    let hub = hub_with(Limits { sockets: 2, sockets_per_user: 1, ..Limits::default() });
    let anna = joined(&hub, "anna").await;
    let refused = hub.join(joining("anna", None)).await.unwrap_err();
    assert_eq!(refused.id, "app.socket.too_many_of_user.app_error");
    drop(anna);
    joined(&hub, "anna").await;
    let permits = [hub.socket_permit(), hub.socket_permit()];
    assert!(permits.iter().all(Option::is_some));
    assert!(hub.socket_permit().is_none());
    drop(permits);
    assert!(hub.socket_permit().is_some());
    assert_eq!(hub.counts().refused.load(Ordering::Relaxed), 2);
}

#[actix_rt::test]
async fn who_opens_one_after_the_other_loses_what_they_left_first() {
    let hub = hub_with(Limits { sockets_per_user: 2, ..Limits::default() });
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(joined(&hub, "anna").await.connection.id.to_string());
        // The times in milliseconds show the order of the ends.
        let left = Uptime::now();
        until("the clock moves", async || Uptime::now().ms_since(left) > 0).await;
    }
    assert_eq!(hub.counts().connections.load(Ordering::Relaxed), 2);
    for (id, outcome) in [(&ids[3], JoinOutcome::Lossless), (&ids[1], JoinOutcome::Unknown)] {
        assert_eq!(hub.join(joining("anna", Some((id, 0)))).await.unwrap().outcome, outcome);
    }
}

#[actix_rt::test]
async fn a_crash_ends_the_connections_of_that_hub_and_their_clients_start_anew() {
    let hub = HubHandle::start(1, Limits::default(), &RolesHandle::new(Roles::default()), &clock());
    let anna = joined(&hub, "anna").await;
    named(&anna).await;
    let id = anna.connection.id.to_string();
    hub.vitals()[0].crash();
    assert_eq!(next(&anna).await, Err(End::HubCrashed));
    drop(anna);
    until("the hub is rebuilt", async || hub.vitals()[0].restarts() > 0).await;
    let back = hub.join(joining("anna", Some((&id, 1)))).await.unwrap();
    assert_eq!(back.outcome, JoinOutcome::Unknown);
    assert_eq!(hub.counts().connections.load(Ordering::Relaxed), 1);
    assert_eq!(hub.vitals()[0].restarts(), 1);
}

#[actix_rt::test]
async fn a_client_that_is_silent_too_long_loses_its_socket_and_may_come_back() {
    let hub = hub_with(Limits { silence_ms: 300, ping_ms: 1, ..Limits::default() });
    let anna = joined(&hub, "anna").await;
    named(&anna).await;
    let mut pings = 0;
    let end = loop {
        match within("a ping or the end", poll_fn(|context| anna.poll_next(context))).await {
            Outgoing::Ping => pings += 1,
            Outgoing::End(end) => break end,
            Outgoing::Event(..) | Outgoing::Reply(_) | Outgoing::CheckSession => {}
        }
    };
    assert_eq!(end, End::Silent);
    assert!(pings > 0);
    let id = anna.connection.id.to_string();
    drop(anna);
    hub.publish(Event::new("missed", json!({}))).await;
    let back = hub.join(joining("anna", Some((&id, 1)))).await.unwrap();
    assert_eq!(back.outcome, JoinOutcome::Lossless);
    assert_eq!(named(&back.guard).await, ("missed".to_owned(), 1));
    assert_eq!(hub.counts().ended(End::Silent), 1);
}

#[actix_rt::test]
async fn a_stop_ends_every_connection_within_its_window_and_admits_no_more() {
    let hub = hub_with(Limits::default());
    let mut guards = Vec::new();
    for _ in 0..20 {
        let guard = joined(&hub, "anna").await;
        named(&guard).await;
        guards.push(guard);
    }
    hub.stop(Duration::from_millis(100)).await;
    for guard in &guards {
        assert_eq!(next(guard).await, Err(End::Stopping));
    }
    assert!(hub.socket_permit().is_none());
    let late = hub.join(joining("bert", None)).await.unwrap_err();
    assert_eq!(late.id, "app.socket.too_many.app_error");
}

#[path = "tests/checkpoints.rs"]
mod checkpoints;
#[path = "tests/memory.rs"]
mod memory;
#[path = "tests/order.rs"]
mod order;
