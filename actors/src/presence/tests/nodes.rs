//! Tests of several servers on one store.

use super::super::announcer::Change;
use super::super::*;
use super::store::{Setup, id, start, stored};

#[actix_rt::test]
async fn who_leaves_here_and_is_elsewhere_stays_online_and_nobody_is_told_otherwise() {
    let Setup { presence, store, audience, .. } = start(&[]).await;
    for name in ["anna", "bert"] {
        presence.connected(&id(name));
    }
    presence.flush().await.unwrap();
    assert_eq!(store.here(), 2);
    store.connect("there", "anna");
    presence.disconnected(&id("anna"));
    presence.disconnected(&id("bert"));
    presence.flush().await.unwrap();
    assert_eq!((store.presence_of("anna").as_str(), store.presence_of("bert").as_str()), ("online", "offline"));
    assert_eq!((store.here(), presence.of(&[id("anna")]).await.unwrap()[0].presence.as_str()), (0, "online"));
    let mut told = audience.announced(3).await;
    told.sort_unstable();
    assert_eq!(told, [("anna", "online"), ("bert", "offline"), ("bert", "online")]);
}

#[actix_rt::test]
async fn a_status_that_changes_elsewhere_while_it_is_read_is_read_again() {
    let Setup { presence, store, .. } = start(&[stored("anna", "away")]).await;
    let (changing, invalidating) = (store.clone(), presence.clone());
    *store.before_response.lock().unwrap() = Some(Box::new(move || {
        changing.put(stored("anna", "dnd"));
        invalidating.announced(&id("anna"), "dnd");
    }));
    let presence_now = async || presence.of(&[id("anna")]).await.unwrap()[0].presence.clone();
    assert_eq!((presence_now().await, presence_now().await), ("away".to_owned(), "dnd".to_owned()));
}

#[actix_rt::test]
async fn a_stop_writes_those_offline_who_are_on_no_other_server() {
    let Setup { presence, store, .. } = start(&[]).await;
    for name in ["anna", "bert", "carl"] {
        presence.connected(&id(name));
    }
    presence.set(StatusRequest::of(&id("carl"), "away")).await.unwrap();
    presence.flush().await.unwrap();
    store.connect("there", "anna");
    presence.disconnect_all();
    presence.flush().await.unwrap();
    let words = ["anna", "bert", "carl"].map(|name| store.presence_of(name));
    assert_eq!((words, store.here()), (["online", "offline", "away"].map(str::to_owned), 0));
}

#[actix_rt::test]
async fn who_leaves_two_servers_at_once_is_offline() {
    let Setup { presence, store, audience, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    // The actor works at ticks of its own, so the test does its work.
    let _blocked = presence.vitals().block().await;
    store.connect("there", "anna");
    presence.disconnected(&id("anna"));
    presence.shared.process_all_notes().await.unwrap();
    // Each server has seen the user on the other one. The other one is the first to store that the user left.
    store.disconnect("there", "anna");
    assert_eq!(store.presence_of("anna"), "online");
    presence.shared.tick().await;
    assert_eq!((store.presence_of("anna").as_str(), store.here()), ("offline", 0));
    assert_eq!(audience.announced(2).await, [("anna", "online"), ("anna", "offline")]);
    assert_eq!(presence.of(&[id("anna")]).await.unwrap()[0].presence, "offline");
}

#[actix_rt::test]
async fn who_comes_to_another_server_while_leaving_this_one_is_online() {
    let Setup { presence, store, audience, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    let _blocked = presence.vitals().block().await;
    presence.disconnected(&id("anna"));
    presence.shared.process_all_notes().await.unwrap();
    assert_eq!(presence.all(), BTreeMap::new());
    store.connect("there", "anna");
    presence.shared.tick().await;
    assert_eq!((store.presence_of("anna").as_str(), store.here()), ("online", 0));
    assert_eq!(audience.announced(2).await, [("anna", "online"), ("anna", "online")], "the departure is not told");
    assert_eq!(presence.all()[&id("anna")], "online");
}

#[actix_rt::test]
async fn who_comes_is_stored_as_online_even_if_this_server_knew_that_already() {
    let Setup { presence, store, .. } = start(&[stored("anna", "online")]).await;
    presence.of(&[id("anna")]).await.unwrap();
    // The last socket on another server is gone.
    store.put(stored("anna", "offline"));
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    assert_eq!((store.presence_of("anna").as_str(), store.here()), ("online", 1));
}

#[actix_rt::test]
async fn who_comes_back_before_the_departure_is_handled_never_left() {
    let Setup { presence, store, audience, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    let _blocked = presence.vitals().block().await;
    presence.disconnected(&id("anna"));
    assert!(presence.shared.people().changes(9).is_empty(), "the departure waits for its note");
    presence.connected(&id("anna"));
    presence.connected(&id("bert"));
    presence.shared.tick().await;
    assert_eq!(store.here(), 2);
    assert_eq!(audience.announced(2).await, [("anna", "online"), ("bert", "online")]);
}

#[actix_rt::test]
async fn the_users_of_a_server_that_ended_are_offline_unless_they_are_elsewhere_or_chose_a_status() {
    let names = ["anna", "bert", "carl", "dora", "emil"];
    let mut rows = names.map(|name| stored(name, "online"));
    rows[1] = Status { manual: true, ..stored("bert", "dnd") };
    let Setup { presence, store, .. } = start(&rows).await;
    for name in names {
        store.connect("dead", name);
    }
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    store.connect("there", "carl");
    presence.of(&names.map(id)).await.unwrap();
    presence.remove_node("dead").await.unwrap();
    let words = presence.of(&names.map(id)).await.unwrap().into_iter().map(|status| status.presence);
    assert_eq!(words.collect::<Vec<_>>(), ["online", "dnd", "online", "offline", "offline"]);
    presence.remove_node("dead").await.unwrap();
    assert_eq!(store.here(), 1);
}

#[actix_rt::test]
async fn the_users_of_a_server_that_is_in_no_list_are_offline_unless_it_joins_again_meanwhile() {
    let names = ["anna", "bert", "carl", "dora"];
    let Setup { presence, store, .. } = start(&names.map(|name| stored(name, "online"))).await;
    for (node, name) in ["gone", "gone", "gone", "back"].into_iter().zip(names) {
        store.connect(node, name);
    }
    store.rejoined.lock().unwrap().push("back".to_owned());
    presence.remove_ended_nodes().await.unwrap();
    let words = presence.of(&names.map(id)).await.unwrap().into_iter().map(|status| status.presence);
    assert_eq!(words.collect::<Vec<_>>(), ["offline", "offline", "offline", "online"]);
}

#[actix_rt::test]
async fn a_server_that_was_taken_for_ended_stores_its_users_again() {
    let Setup { presence, store, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    // This server was frozen, and another one removed its sockets.
    store.disconnect("here", "anna");
    store.put(stored("anna", "offline"));
    presence.rejoin();
    presence.flush().await.unwrap();
    assert_eq!((store.presence_of("anna").as_str(), store.here()), ("online", 1));
}

#[actix_rt::test]
async fn a_status_that_another_server_changed_is_read_again_once_it_is_announced() {
    let Setup { presence, store, .. } = start(&[stored("anna", "online"), stored("bert", "online")]).await;
    let ids = ["anna", "bert"].map(id);
    presence.of(&ids).await.unwrap();
    for name in ["anna", "bert"] {
        store.put(stored(name, "away"));
    }
    presence.announced(&ids[0], "away");
    let words: Vec<String> = presence.of(&ids).await.unwrap().into_iter().map(|status| status.presence).collect();
    assert_eq!(words, ["away", "online"]);
    // The same presence, but set by hand on the other server.
    store.put(Status { manual: true, ..stored("anna", "away") });
    presence.announced(&ids[0], "away");
    assert!(presence.of(&ids).await.unwrap()[0].manual);
}

#[actix_rt::test]
async fn a_change_is_announced_once_it_is_stored() {
    let Setup { presence, store, audience, .. } = start(&[]).await;
    let _blocked = presence.vitals().block().await;
    presence.connected(&id("anna"));
    presence.shared.process_urgent_notes().await;
    // Another server that reads the status now reads the earlier one.
    presence.shared.set(StatusRequest::of(&id("bert"), "away")).await.unwrap();
    presence.shared.tick().await;
    assert_eq!(store.presence_of("anna"), "online");
    assert_eq!(audience.announced(2).await, [("bert", "away"), ("anna", "online")]);
}

#[actix_rt::test]
async fn no_report_and_no_late_announcement_shows_a_change_before_it_is_stored() {
    let Setup { presence, audience, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    let _blocked = presence.vitals().block().await;
    let shared = &presence.shared;
    let late = || Change { user_id: id("anna"), presence: "online".to_owned() };
    shared.act(id("anna"), Event::LastActive { at: -300_000 }).await.unwrap();
    shared.act(id("anna"), Event::Idle).await.unwrap();
    assert_eq!(shared.as_it_is(late()).await, None);
    presence.finish_announcing().await;
    assert_eq!(audience.told(), [("anna", "online")]);
    shared.tick().await;
    presence.finish_announcing().await;
    assert_eq!(audience.told(), [("anna", "online"), ("anna", "away")]);
    assert_eq!(shared.as_it_is(late()).await, Some(Change { presence: "away".to_owned(), ..late() }));
}

#[actix_rt::test]
async fn a_status_that_a_user_sets_elsewhere_before_the_activity_here_is_stored_is_the_one_that_is_announced() {
    let Setup { presence, store, audience, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    let _blocked = presence.vitals().block().await;
    // Once with a socket that is new here, and once with nothing but activity.
    presence.disconnected(&id("anna"));
    presence.shared.tick().await;
    presence.connected(&id("anna"));
    presence.shared.process_urgent_notes().await;
    store.put(Status { manual: true, ..stored("anna", "dnd") });
    presence.shared.tick().await;
    store.put(stored("anna", "away"));
    presence.announced(&id("anna"), "away");
    presence.shared.act(id("anna"), Event::Active { at: 1 }).await.unwrap();
    store.put(Status { manual: true, ..stored("anna", "dnd") });
    presence.shared.tick().await;
    assert_eq!((store.presence_of("anna").as_str(), presence.all()[&id("anna")].as_str()), ("dnd", "dnd"));
    let told = audience.announced(4).await;
    assert_eq!(told, [("anna", "online"), ("anna", "offline"), ("anna", "dnd"), ("anna", "dnd")]);
}

#[actix_rt::test]
async fn a_status_stays_in_lists_when_another_server_announces_the_same_one() {
    let Setup { presence, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    let _blocked = presence.vitals().block().await;
    presence.announced(&id("anna"), "online");
    assert_eq!(presence.all(), BTreeMap::from([(id("anna"), "online".to_owned())]));
    presence.announced(&id("anna"), "away");
    assert_eq!(presence.all(), BTreeMap::new());
}

#[actix_rt::test]
async fn the_socket_of_a_deleted_account_is_removed_from_the_store() {
    let Setup { presence, store, .. } = start(&[]).await;
    presence.connected(&id("anna"));
    presence.flush().await.unwrap();
    presence.remove(&id("anna"));
    presence.disconnected(&id("anna"));
    presence.flush().await.unwrap();
    assert_eq!(store.here(), 0);
}

#[actix_rt::test]
async fn connected_users_are_listed_again_after_their_statuses_were_invalidated() {
    let Setup { presence, store, .. } = start(&[]).await;
    for name in ["anna", "bert"] {
        presence.connected(&id(name));
    }
    presence.flush().await.unwrap();
    store.put(Status { manual: true, ..stored("anna", "dnd") });
    presence.invalidate();
    presence.flush().await.unwrap();
    let listed = |anna: &str| BTreeMap::from([(id("anna"), anna.to_owned()), (id("bert"), "online".to_owned())]);
    assert_eq!(presence.all(), listed("dnd"));
    store.put(Status { manual: true, ..stored("anna", "away") });
    presence.announced(&id("anna"), "away");
    presence.flush().await.unwrap();
    assert_eq!(presence.all(), listed("away"));
}
