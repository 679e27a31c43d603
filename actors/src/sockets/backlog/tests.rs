use std::sync::atomic::Ordering;

use serde_json::json;

use super::*;
use crate::cluster::memory::Memory;
use crate::hub::Event;

/// Returns a bus with this many events.
async fn bus_with(count: usize) -> Arc<Memory> {
    let bus = Arc::new(Memory::default());
    for number in 0..count {
        bus.note(&Message::Event(Box::new(Event::new(number.to_string(), json!({})))));
    }
    while bus.place().await.unwrap() {}
    bus
}

fn place(bus: &Memory, position: i64) -> Place {
    bus.state().placed.iter().map(|placed| placed.place).find(|place| place.position == position).unwrap_or_default()
}

async fn names(backlog: &Backlog, from: Place, to: Place) -> Option<Vec<String>> {
    let slices = backlog.between(from, to).await.unwrap()?;
    let name = |logged: &Logged| {
        let Some(Message::Event(event)) = &logged.message else { return String::new() };
        event.name.to_string()
    };
    Some(slices.iter().flat_map(Slice::messages).map(name).collect())
}

#[tokio::test]
async fn messages_between_any_two_places_are_found_however_they_were_read() {
    let bus = bus_with(10).await;
    let backlog = Backlog::new(bus.clone());
    let wanted = [(4, 6), (4, 10), (7, 7), (2, 9), (0, 10), (5, 5), (0, 1), (9, 10)];
    for (from, to) in wanted {
        let expected: Vec<String> = (from..to).map(|number: i64| number.to_string()).collect();
        assert_eq!(names(&backlog, place(&bus, from), place(&bus, to)).await, Some(expected), "{from} to {to}");
    }
}

#[tokio::test]
async fn messages_that_were_deleted_or_replaced_are_not_guessed() {
    let bus = bus_with(10).await;
    let backlog = Backlog::new(bus.clone());
    let (from, to) = (place(&bus, 3), place(&bus, 9));
    let of_other_times = |place: Place| Place { mark: place.mark + 100, ..place };
    assert_eq!(names(&backlog, of_other_times(from), to).await, None);
    assert_eq!(names(&backlog, from, of_other_times(to)).await, None);
    assert_eq!(names(&backlog, to, from).await, None);
    assert_eq!(names(&backlog, from, to).await.map(|names| names.len()), Some(6));
    bus.state().placed.drain(..5);
    assert_eq!(names(&backlog, from, to).await.map(|names| names.len()), Some(6), "they are still in memory");
    assert_eq!(names(&backlog, Place { position: 2, mark: 3 }, to).await, None);
    assert_eq!(names(&backlog, from, to).await, None);
    assert_eq!(names(&backlog, to, to).await, Some(Vec::new()));
}

#[tokio::test]
async fn messages_and_their_bytes_have_a_largest_number() {
    let bus = bus_with(10).await;
    let count = async |backlog: &Backlog, from, to| {
        names(backlog, place(&bus, from), place(&bus, to)).await.map(|names| names.len())
    };
    let few = Backlog::bounded(bus.clone(), 4, MAX_BACKLOG_BYTES);
    assert_eq!((count(&few, 2, 6).await, count(&few, 2, 7).await), (Some(4), None));
    // Two portions of three messages.
    let whole = Backlog::new(bus.clone());
    assert_eq!(count(&whole, 0, 3).await, Some(3));
    let max_bytes = 2 * whole.portions.lock().await[0].bytes;
    let small = Backlog::bounded(bus.clone(), MAX_BACKLOG_MESSAGES, max_bytes);
    assert_eq!((count(&small, 4, 10).await, count(&small, 4, 5).await), (Some(6), Some(1)));
    assert_eq!(count(&small, 0, 10).await, None, "the front does not fit");
    assert_eq!(count(&small, 0, 9).await, None, "the end drops the front");
    assert_eq!(count(&small, 6, 9).await, Some(3));
    let bytes: usize = small.portions.lock().await.iter().map(|portion| portion.bytes).sum();
    assert!((1..=max_bytes).contains(&bytes), "{bytes} of {max_bytes}");
}

#[tokio::test]
async fn a_bus_that_does_not_answer_is_an_error_and_its_messages_are_found_later() {
    let bus = bus_with(5).await;
    let backlog = Backlog::new(bus.clone());
    bus.is_away.store(true, Ordering::Relaxed);
    assert!(backlog.between(Place::default(), place(&bus, 5)).await.is_err());
    bus.is_away.store(false, Ordering::Relaxed);
    assert_eq!(names(&backlog, Place::default(), place(&bus, 5)).await.map(|names| names.len()), Some(5));
    backlog.drop_if_idle();
    assert!(!backlog.portions.lock().await.is_empty(), "a client needed them a moment ago");
    *backlog.used_at.lock().unwrap() = Instant::now().checked_sub(IDLE);
    backlog.drop_if_idle();
    assert!(backlog.portions.lock().await.is_empty(), "no client has needed them for a while");
}
