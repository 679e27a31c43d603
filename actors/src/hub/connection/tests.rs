use serde_json::json;

use super::super::event::Event;
use super::super::frame::Held;
use super::super::guard::{ConnectionGuard, Detached};
use super::*;

fn frame(name: &'static str) -> Arc<Frame> {
    Frame::of(&Event::new(name, json!({})), &Arc::new(Held::default())).unwrap()
}

fn held() -> ConnectionGuard {
    ConnectionGuard::on(Connection::new("one".into(), "anna".into(), Uptime::default()), &Detached::default())
}

/// Takes the waiting events and returns their numbers.
fn sent(guard: &ConnectionGuard) -> Vec<i64> {
    let context = Context::from_waker(Waker::noop());
    let mut numbers = Vec::new();
    while let Poll::Ready(Outgoing::Event(_, seq)) = guard.poll_next(&context) {
        numbers.push(seq);
    }
    numbers
}

fn end_of(guard: &ConnectionGuard) -> Option<End> {
    match guard.poll_next(&Context::from_waker(Waker::noop())) {
        Poll::Ready(Outgoing::End(end)) => Some(end),
        Poll::Ready(_) | Poll::Pending => None,
    }
}

#[test]
fn events_are_numbered_from_zero_and_replies_take_no_number() {
    let guard = held();
    guard.connection.offer(&frame("one"));
    guard.connection.reply(b"reply".to_vec());
    guard.connection.offer(&frame("two"));
    let context = Context::from_waker(Waker::noop());
    assert!(matches!(guard.poll_next(&context), Poll::Ready(Outgoing::Event(_, 0))));
    assert!(matches!(guard.poll_next(&context), Poll::Ready(Outgoing::Reply(_))));
    assert!(matches!(guard.poll_next(&context), Poll::Ready(Outgoing::Event(_, 1))));
    assert!(guard.poll_next(&context).is_pending());
}

#[test]
fn a_client_that_comes_back_gets_what_it_missed_with_the_same_numbers() {
    let guard = held();
    for _ in 0..5 {
        guard.connection.offer(&frame("some"));
    }
    assert_eq!(sent(&guard), [0, 1, 2, 3, 4]);
    let connection = guard.connection.clone();
    drop(guard);
    connection.offer(&frame("meanwhile"));
    assert_eq!(connection.resume(3), Continuation::Replay(2));
    let again = ConnectionGuard::on(connection.clone(), &Detached::default());
    assert_eq!(sent(&again), [3, 4, 5]);
    drop(again);
    assert_eq!(connection.resume(6), Continuation::Lossless);
    connection.offer(&frame("next"));
    assert_eq!(sent(&ConnectionGuard::on(connection, &Detached::default())), [6]);
}

#[test]
fn a_client_that_asks_for_more_than_is_kept_or_for_the_future_cannot_go_on() {
    let guard = held();
    let one_more = MAX_RING_EVENTS + 1;
    for _ in 0..one_more {
        guard.connection.offer(&frame("some"));
        sent(&guard);
    }
    assert_eq!(guard.connection.resume(0), Continuation::Lost);
    assert_eq!(guard.connection.resume(1), Continuation::Replay(MAX_RING_EVENTS));
    assert_eq!(end_of(&guard), Some(End::Replaced));
    let guard = ConnectionGuard::on(guard.connection.clone(), &Detached::default());
    assert_eq!(sent(&guard).len(), MAX_RING_EVENTS);
    assert_eq!(guard.connection.resume(i64::try_from(one_more).unwrap() + 1), Continuation::Lost);
    assert_eq!(guard.connection.resume(-1), Continuation::Lost);
    assert_eq!(guard.connection.resume(i64::MIN), Continuation::Lost);
}

#[test]
fn a_slow_connection_is_spared_what_it_can_do_without_and_ended_when_its_queue_is_full() {
    let guard = held();
    for _ in 0..MAX_QUEUED_FOR_PASSING {
        assert_eq!(guard.connection.offer(&frame("posted")), Offered::Accepted);
    }
    assert_eq!(guard.connection.offer(&frame("typing")), Offered::Spared);
    for _ in MAX_QUEUED_FOR_PASSING..MAX_QUEUED_EVENTS {
        assert_eq!(guard.connection.offer(&frame("posted")), Offered::Accepted);
    }
    assert_eq!(end_of(&guard), None);
    let full = held();
    for _ in 0..MAX_QUEUED_EVENTS {
        full.connection.offer(&frame("posted"));
    }
    assert_eq!(full.connection.offer(&frame("posted")), Offered::Overflowed);
    assert_eq!(end_of(&full), Some(End::TooSlow));
    assert_eq!(full.connection.waiting(), 0);
}

#[test]
fn the_first_reason_to_end_stands() {
    let guard = held();
    guard.connection.end(End::SessionEnded);
    guard.connection.end(End::Stopping);
    assert_eq!(end_of(&guard), Some(End::SessionEnded));
}

#[test]
fn letting_go_of_a_connection_that_somebody_else_holds_changes_nothing() {
    let detached = Detached::default();
    let connection = Connection::new("one".into(), "anna".into(), Uptime::default());
    let first = ConnectionGuard::on(connection.clone(), &detached);
    let second = ConnectionGuard::on(connection.clone(), &detached);
    drop(first);
    assert!(connection.has_socket());
    assert!(detached.lock().unwrap().is_empty());
    drop(second);
    assert!(!connection.has_socket());
    assert_eq!(detached.lock().unwrap().len(), 1);
}

#[test]
fn replies_die_with_the_socket_on_which_they_were_asked_for() {
    let guard = held();
    guard.connection.reply(b"reply".to_vec());
    guard.connection.offer(&frame("kept"));
    let connection = guard.connection.clone();
    drop(guard);
    assert_eq!(sent(&ConnectionGuard::on(connection, &Detached::default())), [0]);
}

#[test]
fn a_connection_whose_numbers_are_computed_elsewhere_leaves_no_event_out_until_that_ends() {
    let guard = held();
    guard.connection.offer(&frame("hello"));
    guard.connection.reply(b"reply".to_vec());
    assert_eq!(guard.connection.begin_exact(), 1);
    assert_eq!(sent(&guard), [0]);
    for _ in 0..MIN_QUEUED_WHEN_SLOWING {
        assert!(!guard.connection.needs_exceptions());
        guard.connection.offer(&frame("posted"));
    }
    assert!(guard.connection.needs_exceptions());
    for _ in MIN_QUEUED_WHEN_SLOWING..MAX_QUEUED_FOR_PASSING {
        guard.connection.offer(&frame("posted"));
    }
    assert_eq!(guard.connection.offer(&frame("typing")), Offered::Accepted);
    let all = || ["channel", "thread", "side"].map(|name| Some(name.to_owned()));
    guard.connection.view(|viewing| [viewing.channel, viewing.thread_view, viewing.side] = all());
    assert!(guard.connection.wants("other"));
    guard.connection.end_exact();
    assert!(!guard.connection.wants("other") && guard.connection.wants("side"));
    assert_eq!(guard.connection.offer(&frame("typing")), Offered::Spared);
}

#[test]
fn missed_events_come_before_those_that_came_since() {
    let connection = Connection::new("one".into(), "anna".into(), Uptime::default());
    assert_eq!(connection.begin_exact(), 0);
    connection.offer(&frame("since"));
    assert!(connection.adopt(vec![frame("missed"), frame("missed")], 40));
    assert_eq!(connection.begin_exact(), 43);
    assert_eq!(sent(&ConnectionGuard::on(connection.clone(), &Detached::default())), [40, 41, 42]);
    connection.end(End::Stopping);
    assert!(!connection.adopt(Vec::new(), 0));
}
