//! Many sockets at once, all on the load generator's thread.

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::ws::endpoint::{Socket, SocketEndpoint};
use crate::ws::event::{self, Kind};
use crate::ws::tally::Tally;

/// The maximum number of handshakes at the same time.
const MAX_HANDSHAKES: usize = 256;

/// The timeout for all handshakes together, in seconds.
const HANDSHAKES_TIMEOUT_S: u64 = 120;

/// The sockets of one server.
pub(crate) struct Crowd {
    pub(crate) tally: Arc<Tally>,
    slots: Vec<Arc<ConnectionSlot>>,
    sockets: JoinSet<()>,
}

/// The state of a connection, also while it has no socket.
struct ConnectionSlot {
    endpoint: Arc<SocketEndpoint>,
    connection_id: Mutex<String>,
    /// The number of the next event.
    next: AtomicI64,
}

impl Crowd {
    /// Opens `count` sockets, divided evenly among the doors, and waits until each is greeted.
    pub(crate) async fn gather(endpoints: Vec<SocketEndpoint>, count: u64) -> io::Result<Self> {
        let endpoints: Vec<Arc<SocketEndpoint>> = endpoints.into_iter().map(Arc::new).collect();
        let slots = endpoints
            .iter()
            .cycle()
            .zip(0..count)
            .map(|(endpoint, _)| Arc::new(ConnectionSlot::at(endpoint)))
            .collect();
        let mut crowd = Self { tally: Arc::new(Tally::new()?), slots, sockets: JoinSet::new() };
        crowd.tally.hellos.expect(count);
        crowd.open();
        for _ in 0..HANDSHAKES_TIMEOUT_S {
            let are_all_in = crowd.tally.hellos.is_reached(Duration::from_secs(1)).await;
            crowd.tally.check()?;
            if are_all_in {
                return Ok(crowd);
            }
        }
        Err(io::Error::other(format!("{} of {count} sockets were greeted in time", crowd.tally.hellos.value())))
    }

    /// Returns the number of connections, with or without a socket.
    pub(crate) fn len(&self) -> u64 {
        u64::try_from(self.slots.len()).unwrap_or(u64::MAX)
    }

    /// Drops every socket.
    pub(crate) async fn scatter(&mut self) {
        self.sockets.abort_all();
        while self.sockets.join_next().await.is_some() {}
    }

    /// Opens a socket for each connection. A connection that existed before is resumed.
    pub(crate) fn open(&mut self) {
        let turns = Arc::new(Semaphore::new(MAX_HANDSHAKES));
        for slot in &self.slots {
            let attendance = CountedSocket { slot: slot.clone(), tally: self.tally.clone() };
            self.sockets.spawn(attendance.run(turns.clone()));
        }
    }
}

impl ConnectionSlot {
    fn at(endpoint: &Arc<SocketEndpoint>) -> Self {
        Self { endpoint: endpoint.clone(), connection_id: Mutex::default(), next: AtomicI64::new(0) }
    }

    /// Returns the query with the connection to resume and the next number; empty for a new connection.
    fn query(&self) -> String {
        let id = self.connection_id.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.next.load(Ordering::Relaxed);
        if id.is_empty() { String::new() } else { format!("?connection_id={id}&sequence_number={next}") }
    }

    fn greeted(&self, hello: &[u8]) {
        *self.connection_id.lock().unwrap_or_else(PoisonError::into_inner) =
            event::connection_id(hello).unwrap_or_default();
        self.next.store(0, Ordering::Relaxed);
    }

    /// Notes the number of an event. Returns the number of events that were skipped before it; negative if it is
    /// repeated.
    fn step(&self, number: i64) -> i64 {
        number - self.next.swap(number + 1, Ordering::Relaxed)
    }
}

/// One socket and the tally that counts it.
struct CountedSocket {
    slot: Arc<ConnectionSlot>,
    tally: Arc<Tally>,
}

impl CountedSocket {
    async fn run(self, turns: Arc<Semaphore>) {
        if let Err(cause) = self.read_events(turns).await {
            self.tally.fail(&cause);
        }
    }

    async fn read_events(&self, turns: Arc<Semaphore>) -> io::Result<()> {
        let turn = turns.acquire_owned().await.map_err(io::Error::other)?;
        let mut socket = self.slot.endpoint.open(&self.slot.query()).await?;
        drop(turn);
        loop {
            self.hear(&mut socket).await?;
            socket.fill().await?;
        }
    }

    /// Counts the complete frames and answers pings.
    async fn hear(&self, socket: &mut Socket) -> io::Result<()> {
        let mut published = 0;
        let taken = socket.take_texts(|text| published += u64::from(self.read(text))).await;
        if published > 0 {
            self.tally.arrived(published);
        }
        taken
    }

    /// Counts a text. Returns true if it is part of a publication.
    fn read(&self, text: &[u8]) -> bool {
        let kind = event::kind(text);
        if kind == Kind::Hello {
            self.slot.greeted(text);
            self.tally.began(1);
        }
        // The baseline sends the same number repeatedly, so these counts are not used for it.
        if let Some(number) = event::sequence(text) {
            let skipped = self.slot.step(number);
            self.tally.missing.fetch_add(u64::try_from(skipped).unwrap_or(0), Ordering::Relaxed);
            self.tally.repeated.fetch_add(u64::from(skipped < 0), Ordering::Relaxed);
        }
        kind == Kind::Published
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_goes_on_where_it_was_and_notices_what_it_missed() {
        let endpoint = SocketEndpoint::at("", "/", "", true);
        let slot = ConnectionSlot::at(&Arc::new(endpoint));
        assert_eq!(slot.query(), "");
        slot.greeted(b"{\"event\":\"hello\",\"data\":{\"connection_id\":\"abc\"},\"seq\":0}");
        assert_eq!((slot.step(0), slot.step(1), slot.step(5), slot.step(3)), (0, 0, 3, -3));
        assert_eq!(slot.query(), "?connection_id=abc&sequence_number=4");
    }
}
