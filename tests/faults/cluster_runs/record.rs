//! The requests of the clients of a run, and their events.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::configurations::Reading;
use super::facts::{Changes, Fact};
use super::removals::Removal;

/// A write that publishes an event with its value.
pub(super) struct Write {
    pub(super) value: String,
    pub(super) begun: Instant,
    pub(super) is_acknowledged: bool,
}

/// The events that a client got after one greeting, on one server or, after resumptions, on several.
pub(super) struct Span {
    pub(super) greeted: Instant,
    /// The values of the writes, in the order of their events.
    pub(super) values: Vec<String>,
    /// True if the connection was open when the run ended.
    pub(super) is_last: bool,
}

/// A connection of a client with a WebSocket.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) id: String,
    /// The number of times that clients were told to connect again before this connection.
    pub(super) round: u32,
    /// True if the client got no greeting.
    pub(super) is_resumed: bool,
}

/// The numbers that a client wrote into a setting.
#[derive(Default, Clone)]
pub(super) struct Attempts {
    pub(super) last: u64,
    pub(super) acknowledged: u64,
    pub(super) count: u64,
    /// The changes without an answer. A server that was frozen may make them later than the next ones.
    pub(super) unanswered: BTreeSet<u64>,
}

#[derive(Default)]
pub(super) struct Record {
    pub(super) writes: RefCell<Vec<Write>>,
    pub(super) spans: RefCell<Vec<Span>>,
    pub(super) settings: RefCell<BTreeMap<&'static str, Attempts>>,
    pub(super) facts: RefCell<BTreeMap<Fact, Changes>>,
    /// The versions of the configuration that servers told, in the order of their answers.
    pub(super) readings: RefCell<Vec<Reading>>,
    pub(super) revocations: RefCell<Vec<Removal>>,
    pub(super) demotions: RefCell<Vec<Removal>>,
    /// The users whose last change is an acknowledged demotion.
    pub(super) demoted: RefCell<BTreeSet<String>>,
    /// The number of visits of users whom a server showed as online.
    pub(super) visits: RefCell<u32>,
    /// The positions of the bus before faults, and after the last one.
    pub(super) moments: RefCell<Vec<i64>>,
    /// The number of connections that went on with their old id.
    pub(super) resumptions: RefCell<usize>,
    /// The last connection of each client with a WebSocket, by the number of the client.
    pub(super) connections: RefCell<BTreeMap<usize, Connection>>,
    /// Broken promises that a client noticed.
    pub(super) violations: RefCell<Vec<String>>,
}

impl Record {
    /// Returns the number of acknowledged writes.
    pub(super) fn acknowledged(&self) -> usize {
        self.writes.borrow().iter().filter(|write| write.is_acknowledged).count()
    }

    /// Returns the last connections of the clients that have connected since this round began.
    pub(super) fn connections(&self, round: u32) -> Vec<Connection> {
        let connections = self.connections.borrow();
        connections.values().filter(|connection| connection.round == round).cloned().collect()
    }

    /// Notes that a client got the first event of a connection.
    pub(super) fn note_connection(&self, client: usize, connection: Connection) {
        *self.resumptions.borrow_mut() += usize::from(connection.is_resumed);
        self.connections.borrow_mut().insert(client, connection);
    }

    pub(super) fn violation(&self, text: String) {
        self.violations.borrow_mut().push(text);
    }

    pub(super) fn note_violations(&self, violations: Vec<String>) {
        self.violations.borrow_mut().extend(violations);
    }
}

/// The phases of a run, as its clients see them.
#[derive(Default)]
pub(super) struct Phases {
    pub(super) is_writing_over: Cell<bool>,
    pub(super) is_over: Cell<bool>,
    /// True while no fact changes that makes the events of connections uncertain. Other writes go on.
    pub(super) are_facts_paused: Cell<bool>,
    /// The number of times that all clients were told to connect again.
    pub(super) round: Cell<u32>,
}
