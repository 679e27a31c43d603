use serde_json::json;

use super::*;
use crate::clock::{Clock, Uptime, wall_ms};
use crate::hub::tests::{greeting, session};
use crate::hub::{Event, HubHandle, Joining, Limits, Memberships};
use crate::roles::Roles;
use crate::roles::handle::RolesHandle;

/// Returns the request of a client of Anna, who is in one channel.
fn joining(hub: &HubHandle) -> Joining {
    Joining {
        pending_join: hub.begin_join("anna"),
        session: session("anna", "s"),
        memberships: Memberships { teams: Vec::new(), channels: vec!["c".to_owned()] },
        resume: None,
        acknowledges: false,
        greeting: greeting(),
    }
}

/// Returns the names of the missed events and the next number, for a client at number 10 of a checkpoint at number 8.
fn missed(messages: Vec<Message>) -> Option<(Vec<String>, i64)> {
    missed_among(messages.into_iter().map(Some).collect())
}

fn missed_among(messages: Vec<Option<Message>>) -> Option<(Vec<String>, i64)> {
    missed_of_length(messages, 100_000)
}

/// Returns the same for messages of this number of bytes.
fn missed_of_length(messages: Vec<Option<Message>>, bytes: usize) -> Option<(Vec<String>, i64)> {
    let hub =
        HubHandle::start(0, Limits::default(), &RolesHandle::new(Roles::default()), &Clock::new(wall_ms, Uptime::now));
    let joining = joining(&hub);
    let logged: Vec<Logged> = messages.into_iter().map(|message| Logged::new(message, bytes)).collect();
    let mut replay = Replay::new(hub.candidate(&joining, "one"), ["a", "b"], 8, 10);
    let missed = if replay.add(logged.iter()) { replay.missed()? } else { return None };
    let name = |logged: &&Logged| match &logged.message {
        Some(Message::Event(event)) => Some(event.name.to_string()),
        Some(_) | None => None,
    };
    Some((missed.events.iter().filter_map(name).collect(), missed.next))
}

fn event(name: &'static str) -> Event {
    Event::new(name, json!({}))
}

fn sent(event: Event) -> Message {
    Message::Event(Box::new(event))
}

#[test]
fn a_client_misses_the_events_for_it_from_its_number_on() {
    let omitting = |id: &str| {
        let mut event = event("omitted");
        event.audience.omit_connection_id = id.to_owned();
        event
    };
    let messages = vec![
        sent(event("eighth")),
        sent(event("other").for_user("bert")),
        sent(event("typing").for_channel("c")),
        sent(event("elsewhere").for_channel("d")),
        sent(event("tenth").for_channel("c")),
        sent(omitting("one")),
        Message::Busy,
        Message::Users(vec!["bert".to_owned()]),
        Message::Moved(vec!["one".to_owned()]),
        sent(event("of_others").for_node("c")),
        sent(omitting("two")),
    ];
    let names = ["tenth", "omitted"].map(str::to_owned).to_vec();
    assert_eq!(missed(messages), Some((names, 12)));
    assert_eq!(missed(vec![sent(event("eighth")), sent(event("ninth"))]), Some((Vec::new(), 10)));
}

#[test]
fn nothing_is_known_of_a_client_that_is_ahead() {
    assert_eq!(missed(vec![sent(event("eighth"))]), None);
}

#[test]
fn a_change_that_the_other_node_may_have_known_earlier_or_later_makes_it_uncertain() {
    let both = || vec![sent(event("eighth")), sent(event("ninth"))];
    let anna = || vec!["bert".to_owned(), "anna".to_owned()];
    let doubtful = [
        Some(Message::Users(anna())),
        Some(Message::Members(anna())),
        Some(Message::Users(Vec::new())),
        Some(Message::Members(Vec::new())),
        Some(Message::Roles),
        Some(Message::Config),
        Some(Message::License),
        Some(Message::Caches),
        Some(Message::Lost),
        Some(Message::Rewound),
        None,
        Some(sent(event("config_changed").for_node("a"))),
        Some(sent(event("config_changed").for_node("b"))),
    ];
    for message in doubtful {
        let label = format!("{message:?}");
        let mut messages: Vec<Option<Message>> = both().into_iter().map(Some).collect();
        messages.push(message);
        assert_eq!(missed_among(messages), None, "{label}");
    }
    let mut for_admins = both();
    for_admins.push(sent(event("storage_settings_changed").for_node("a").sensitive()));
    assert!(missed(for_admins).is_some(), "the client does not get it");
}

#[test]
fn a_client_that_missed_too_much_gets_nothing_again() {
    let many = |count: usize| (0..count + 2).map(|_| sent(event("some"))).collect::<Vec<_>>();
    let fits = MAX_BYTES / 100_000;
    assert_eq!(missed(many(fits)).map(|(names, _)| names.len()), Some(fits));
    assert_eq!(missed(many(fits + 1)), None);
    let short = |count: usize| missed_of_length(many(count).into_iter().map(Some).collect(), 10);
    assert_eq!(short(MAX_EVENTS).map(|(names, _)| names.len()), Some(MAX_EVENTS));
    assert_eq!(short(MAX_EVENTS + 1), None);
}
