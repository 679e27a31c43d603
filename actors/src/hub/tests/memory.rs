use super::*;

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
