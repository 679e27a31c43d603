//! The bus of a run has the events at the moment of each fault, and again after the last one.

use std::time::Duration;

use super::stand::{Bus, Stand};
use crate::support::database;
use crate::support::quiet::pass;
use crate::support::waiting::until_within;

/// The time after which servers try Redis again. It doubles with each failure, which a busy machine adds to those of a run.
const USED_AGAIN_WITHIN: Duration = Duration::from_mins(5);

/// The time between two looks. Each one opens a connection to the database.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A position of the bus, and the kind of its message: `redis` for events there, `event` for one in the database.
type Row = (i64, String);

const ROWS: &str = "SELECT position || ' ' || kind FROM qd_events WHERE kind IN ('event', 'redis')";

/// Waits until new events are in Redis in a run on Redis, and notes the moment: before a fault, or after the last one.
pub(super) async fn until_used(stand: &Stand) {
    let sql = format!("{ROWS} ORDER BY position DESC LIMIT 1");
    let is_used = async || {
        pass(LOOK_INTERVAL).await;
        let Some((position, kind)) = rows(stand, &sql).await.pop() else { return false };
        let mut moments = stand.record.moments.borrow_mut();
        let is_new = kind == stand.bus.kind() && moments.last().is_none_or(|last| *last < position);
        moments.extend(is_new.then_some(position));
        is_new
    };
    until_within(USED_AGAIN_WITHIN, "new events are on the bus", is_used).await;
}

/// The last event at each moment was on the bus of the run.
pub(super) async fn check_bus(stand: &Stand) -> Vec<String> {
    let rows = rows(stand, &format!("{ROWS} ORDER BY position")).await;
    violations(stand.bus, &stand.record.moments.borrow(), &rows)
}

async fn rows(stand: &Stand, sql: &str) -> Vec<Row> {
    let rows = database::texts(&stand.database.address(), sql).await;
    let row = |row: &String| row.split_once(' ').map(|(position, kind)| (position.parse().unwrap(), kind.to_owned()));
    rows.iter().filter_map(row).collect()
}

fn violations(bus: Bus, moments: &[i64], rows: &[Row]) -> Vec<String> {
    let mut violations = Vec::new();
    if moments.len() < 2 || moments.windows(2).any(|pair| pair[0] >= pair[1]) {
        violations.push(format!("the moments {moments:?} are not before and after a fault"));
    }
    for moment in moments {
        let kind = rows.iter().find(|(position, _)| position == moment).map(|(_, kind)| kind.as_str());
        if kind != Some(bus.kind()) {
            violations.push(format!("the event at {moment} is {kind:?} instead of {}", bus.kind()));
        }
    }
    if bus == Bus::Database && rows.iter().any(|(_, kind)| kind != bus.kind()) {
        violations.push("events were in Redis".to_owned());
    }
    violations
}

impl Bus {
    /// Returns the kind of rows of events on this bus.
    fn kind(self) -> &'static str {
        match self {
            Self::Database => "event",
            Self::Redis => "redis",
        }
    }
}

#[test]
fn a_run_whose_events_are_elsewhere_at_the_moment_of_a_fault_is_a_violation() {
    let rows: Vec<Row> = [(1, "event"), (2, "redis"), (3, "redis"), (4, "event"), (5, "redis")]
        .map(|(position, kind)| (position, kind.to_owned()))
        .to_vec();
    let count = |bus, moments: &[i64], rows: &[Row]| violations(bus, moments, rows).len();
    assert_eq!(count(Bus::Redis, &[2, 5], &rows), 0);
    assert_eq!(count(Bus::Redis, &[2, 4], &rows), 1, "the events are not in Redis again");
    assert_eq!(count(Bus::Redis, &[1, 3, 5], &rows), 1, "the events are not in Redis at the fault");
    assert_eq!(count(Bus::Redis, &[2, 9], &rows), 1, "an event that is not there");
    for moments in [&[][..], &[5], &[5, 5]] {
        assert!(count(Bus::Redis, moments, &rows) > 0, "nothing after the fault: {moments:?}");
    }
    assert_eq!(count(Bus::Database, &[1, 4], &rows), 1, "events are in Redis");
    assert_eq!(count(Bus::Database, &[1], &rows[..1]), 1);
}
