use super::*;
use crate::hub::frame::Frame;

#[actix_rt::test]
async fn too_much_memory_costs_the_absent_first_and_then_whoever_is_behind() {
    let hub = hub_with(Limits { held_bytes: 20_000, ..Limits::default() });
    let (absent, slow, fast) = (joined(&hub, "anna").await, joined(&hub, "anna").await, joined(&hub, "anna").await);
    let id = absent.connection.id.to_string();
    drop(absent);
    let apart = someone_apart(&hub);
    for number in 0..100 {
        assert_eq!(next(&fast).await.unwrap()["seq"], number);
        hub.publish(Event::new("large", json!({ "text": "x".repeat(1_000) }))).await;
        // Events in the mailbox of the other hub take memory too, so the test waits until it has delivered this one.
        hub.change_memberships(apart, hub.epoch(), Memberships::default()).await.unwrap();
    }
    assert_eq!(next(&slow).await, Err(End::OutOfMemory));
    // The hub frees memory after it has delivered an event. It answers once it is done with all of them.
    let back = hub.join(joining("anna", Some((&id, 1)))).await.unwrap();
    assert_eq!(back.outcome, JoinOutcome::Unknown);
    assert!(hub.held_bytes() <= 21_200, "{}", hub.held_bytes());
}

#[actix_rt::test]
async fn who_is_behind_in_one_hub_costs_nobody_in_another() {
    let hub = hub_with(Limits { held_bytes: 100_000, ..Limits::default() });
    let slow = joined(&hub, "anna").await;
    let fast = joined(&hub, someone_apart(&hub)).await;
    for number in 0..200 {
        assert_eq!(next(&fast).await.unwrap()["seq"], number);
        hub.publish(Event::new("large", json!({ "text": "x".repeat(2_000) }))).await;
        // Events in the mailbox of the other hub take memory too, so the test waits until it has delivered this one.
        hub.change_memberships("anna", hub.epoch(), Memberships::default()).await.unwrap();
    }
    assert_eq!(next(&slow).await, Err(End::OutOfMemory));
    assert_eq!(hub.counts().ended(End::OutOfMemory), 1);
}

#[actix_rt::test]
async fn all_sockets_of_a_node_share_one_encoding_of_an_event() {
    let hub = hub_with(Limits::default());
    let apart = someone_apart(&hub);
    let mut guards = Vec::new();
    for user_id in ["anna", "anna", "anna", apart, apart] {
        guards.push(greeted(&hub, user_id, false).await);
    }
    let before = hub.held_bytes();
    hub.publish(Event::new("some", json!({ "text": "x".repeat(1_000) }))).await;
    let mut frames = Vec::new();
    for guard in &guards {
        frames.push(frame(guard).await);
    }
    assert!(frames.iter().all(|other| Arc::ptr_eq(&frames[0], other)));
    let held = hub.held_bytes() - before;
    assert!((1_000..2_000).contains(&held), "{held} bytes for {} sockets", frames.len());
}

#[actix_rt::test]
async fn clients_that_acknowledge_posts_share_another_encoding() {
    let hub = hub_with(Limits::default());
    let apart = someone_apart(&hub);
    let others = [greeted(&hub, "anna", false).await, greeted(&hub, apart, false).await];
    let acknowledging = [greeted(&hub, "anna", true).await, greeted(&hub, apart, true).await];
    hub.publish(Event::new("posted", json!({})).with_acknowledged(json!({ "should_ack": true }))).await;
    let plain = [frame(&others[0]).await, frame(&others[1]).await];
    let acknowledged = [frame(&acknowledging[0]).await, frame(&acknowledging[1]).await];
    assert!(Arc::ptr_eq(&plain[0], &plain[1]) && Arc::ptr_eq(&acknowledged[0], &acknowledged[1]));
    assert!(!Arc::ptr_eq(&plain[0], &acknowledged[0]));
}

/// Opens a connection that has read its greeting.
async fn greeted(hub: &HubHandle, user_id: &str, acknowledges: bool) -> ConnectionGuard {
    let joining = Joining { pending_join: hub.begin_join(user_id), acknowledges, ..joining(user_id, None) };
    let guard = hub.join(joining).await.unwrap().guard;
    frame(&guard).await;
    guard
}

/// Returns the bytes of the next event.
async fn frame(guard: &ConnectionGuard) -> Arc<Frame> {
    let next = poll_fn(|context| {
        let sent = std::iter::from_fn(|| match guard.poll_next(context) {
            Poll::Ready(outgoing) => Some(outgoing),
            Poll::Pending => None,
        });
        let frames = sent.filter_map(|outgoing| match outgoing {
            Outgoing::Event(frame, _) => Some(frame),
            Outgoing::End(end) => panic!("{end:?}"),
            Outgoing::Reply(_) | Outgoing::Ping | Outgoing::CheckSession => None,
        });
        frames.take(1).last().map_or(Poll::Pending, Poll::Ready)
    });
    within("an event is sent", next).await
}

/// Returns a user in another hub than anna.
fn someone_apart(hub: &HubHandle) -> &'static str {
    let users = ["bert", "carla", "dora", "emil", "fritz", "gerda", "hugo"];
    users.into_iter().find(|user| is_apart(hub, user)).unwrap()
}

/// Returns true if a user is in another hub than anna.
fn is_apart(hub: &HubHandle, user_id: &str) -> bool {
    let hub_of = |user_id: &str| hub.hub_of(user_id).unwrap().vitals().name;
    hub_of(user_id) != hub_of("anna")
}
