//! Notes for each publication when it was sent, and which sockets have it.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::sockets::Arrivals;
use crate::load::histogram;

/// The nodes, and the number of sockets at each that receive a publication.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) nodes: u64,
    pub(super) sockets: u64,
}

/// The result of a round.
pub(super) struct Outcome {
    pub(super) publications: u64,
    /// The number of requests that a busy server refused. They are no publications.
    pub(super) refused: u64,
    /// The number of publications that did not reach all sockets.
    pub(super) lost: u64,
    /// The time from the first publication to the last arrival.
    pub(super) elapsed: Duration,
    /// Microseconds from each publication until the last socket of another node had it; of the only node if there is one.
    pub(super) latency: Histogram<u64>,
}

pub(super) struct Ledger {
    shape: Shape,
    round: Mutex<Round>,
    /// Rings when a publication has reached all sockets.
    completed: Notify,
}

struct Round {
    /// The number of the first publication. Numbers grow over all rounds, so a late arrival counts for no other round.
    first: u64,
    max: u64,
    publications: Vec<Publication>,
    incomplete: u64,
    refused: u64,
    last_arrival: Option<Instant>,
    latency: Histogram<u64>,
    failure: Option<String>,
}

struct Publication {
    sent: Instant,
    node: usize,
    /// The number of sockets that do not have it yet.
    missing: u64,
    /// The number of those among them that count for the latency.
    missing_elsewhere: u64,
}

impl Ledger {
    pub(super) fn new(shape: Shape) -> io::Result<Self> {
        let round = Round {
            first: 0,
            max: 0,
            publications: Vec::new(),
            incomplete: 0,
            refused: 0,
            last_arrival: None,
            latency: histogram()?,
            failure: None,
        };
        Ok(Self { shape, round: Mutex::new(round), completed: Notify::new() })
    }

    /// Begins a round of at most `max` publications.
    pub(super) fn begin(&self, max: u64) {
        let mut round = self.round();
        round.first += to_u64(round.publications.len());
        round.max = max;
        round.publications.clear();
        round.incomplete = 0;
        round.refused = 0;
        round.last_arrival = None;
        round.latency.reset();
    }

    /// Notes a publication at a node. Returns its number; `None` if the round has as many as it may have.
    pub(super) fn publish(&self, node: usize, sent: Instant) -> Option<u64> {
        let Shape { nodes, sockets } = self.shape;
        let others = if nodes == 1 { 1 } else { nodes - 1 };
        let mut round = self.round();
        let count = to_u64(round.publications.len());
        if count >= round.max {
            return None;
        }
        let publication = Publication { sent, node, missing: nodes * sockets, missing_elsewhere: others * sockets };
        round.publications.push(publication);
        round.incomplete += 1;
        Some(round.first + count)
    }

    /// Notes that a busy server refused the publication with this number.
    pub(super) fn refused(&self, number: u64) {
        let mut round = self.round();
        if number >= round.first {
            round.incomplete = round.incomplete.saturating_sub(1);
            round.refused += 1;
        }
    }

    /// Waits until all sockets have all publications, or none was completed for as long as `silence`.
    pub(super) async fn settled(&self, silence: Duration) {
        while self.round().incomplete > 0 {
            if timeout(silence, self.completed.notified()).await.is_err() {
                return;
            }
        }
    }

    /// Returns the result of the round. Fails if a socket ended.
    pub(super) fn outcome(&self) -> io::Result<Outcome> {
        let round = self.round();
        if let Some(failure) = &round.failure {
            return Err(io::Error::other(format!("a socket failed: {failure}")));
        }
        let begun = round.publications.iter().map(|publication| publication.sent).min();
        let elapsed = begun.zip(round.last_arrival).map(|(begun, last)| last.saturating_duration_since(begun));
        Ok(Outcome {
            publications: to_u64(round.publications.len()).saturating_sub(round.refused),
            refused: round.refused,
            lost: round.incomplete,
            elapsed: elapsed.unwrap_or_default(),
            latency: round.latency.clone(),
        })
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrivals for Ledger {
    fn arrived(&self, number: u64, node: usize, now: Instant) {
        let is_alone = self.shape.nodes == 1;
        let mut round = self.round();
        let round = &mut *round;
        let at = number.checked_sub(round.first).and_then(|at| usize::try_from(at).ok());
        let Some(publication) = at.and_then(|at| round.publications.get_mut(at)) else { return };
        round.last_arrival = Some(now);
        if is_alone || node != publication.node {
            publication.missing_elsewhere = publication.missing_elsewhere.saturating_sub(1);
            if publication.missing_elsewhere == 0 {
                let latency = now.saturating_duration_since(publication.sent).as_micros();
                round.latency.saturating_record(u64::try_from(latency).unwrap_or(u64::MAX));
            }
        }
        publication.missing = publication.missing.saturating_sub(1);
        if publication.missing == 0 {
            round.incomplete = round.incomplete.saturating_sub(1);
            self.completed.notify_one();
        }
    }

    fn fail(&self, cause: &io::Error) {
        self.round().failure.get_or_insert_with(|| cause.to_string());
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ledger(nodes: u64, sockets: u64) -> Ledger {
        let ledger = Ledger::new(Shape { nodes, sockets }).unwrap();
        ledger.begin(10);
        ledger
    }

    #[test]
    fn the_latency_is_that_of_the_last_socket_of_another_node() {
        let (ledger, sent) = (ledger(3, 1), Instant::now());
        let number = ledger.publish(1, sent).unwrap();
        ledger.arrived(number, 0, sent + SECOND);
        ledger.arrived(number, 2, sent + 2 * SECOND);
        ledger.arrived(number, 1, sent + 4 * SECOND);
        let outcome = ledger.outcome().unwrap();
        assert_eq!((outcome.publications, outcome.lost, outcome.elapsed), (1, 0, 4 * SECOND));
        assert!(outcome.latency.len() == 1 && outcome.latency.equivalent(outcome.latency.max(), 2_000_000));
    }

    #[test]
    fn the_latency_of_one_node_is_that_of_its_last_socket() {
        let (ledger, sent) = (ledger(1, 2), Instant::now());
        let number = ledger.publish(0, sent).unwrap();
        ledger.arrived(number, 0, sent + SECOND);
        assert_eq!((ledger.outcome().unwrap().latency.len(), ledger.outcome().unwrap().lost), (0, 1));
        ledger.arrived(number, 0, sent + SECOND);
        assert_eq!((ledger.outcome().unwrap().latency.len(), ledger.outcome().unwrap().lost), (1, 0));
    }

    #[test]
    fn a_round_ends_at_its_limit_and_takes_no_arrivals_of_an_earlier_one() {
        let (ledger, sent) = (ledger(1, 1), Instant::now());
        ledger.begin(1);
        let late = ledger.publish(0, sent).unwrap();
        assert_eq!(ledger.publish(0, sent), None);
        ledger.begin(1);
        let number = ledger.publish(0, sent).unwrap();
        ledger.arrived(late, 0, sent);
        assert_eq!((number, ledger.outcome().unwrap().lost), (late + 1, 1));
    }

    #[tokio::test]
    async fn waiting_ends_when_all_is_there_or_nothing_comes() {
        let (ledger, sent) = (ledger(1, 1), Instant::now());
        let number = ledger.publish(0, sent).unwrap();
        ledger.settled(Duration::from_millis(1)).await;
        assert_eq!(ledger.outcome().unwrap().lost, 1);
        ledger.arrived(number, 0, sent);
        ledger.settled(Duration::MAX).await;
        assert_eq!(ledger.outcome().unwrap().lost, 0);
    }

    #[test]
    fn a_request_that_was_refused_is_no_publication() {
        let (ledger, sent) = (ledger(1, 1), Instant::now());
        let numbers = [ledger.publish(0, sent).unwrap(), ledger.publish(0, sent).unwrap()];
        ledger.refused(numbers[0]);
        ledger.arrived(numbers[1], 0, sent);
        let outcome = ledger.outcome().unwrap();
        assert_eq!((outcome.publications, outcome.refused, outcome.lost), (1, 1, 0));
    }

    #[test]
    fn a_socket_that_ends_fails_the_round() {
        let ledger = ledger(1, 1);
        ledger.fail(&io::Error::other("closed"));
        assert_eq!(ledger.outcome().err().unwrap().to_string(), "a socket failed: closed");
    }
}
