//! The time of an empty message to an actor and back. Tests compare shared memory with it.

use std::time::{Duration, Instant};

use actix::{Actor, Context, Handler, Message};
use futures_util::future::join_all;

use super::supervise;

/// The number of senders at once, below the capacity of a mailbox.
const SENDERS: u32 = 64;

struct Idle;

impl Actor for Idle {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Touch;

impl Handler<Touch> for Idle {
    type Result = ();

    fn handle(&mut self, Touch: Touch, _: &mut Self::Context) {}
}

/// The times of a message with its answer. Each is the lowest mean of several rounds, because other work of the machine
/// only adds to it.
#[derive(Debug)]
pub(crate) struct RoundTrip {
    /// One message after the other.
    pub(crate) alone: Duration,
    /// Many at once, so that sender and actor wait less for each other.
    pub(crate) at_once: Duration,
}

/// The number of rounds of a measurement.
pub(crate) const ROUNDS: u32 = 20;

/// Measures messages to an actor that does nothing.
pub(crate) async fn round_trip() -> RoundTrip {
    let idle = supervise("idle", || Idle);
    idle.ask(Touch).await.unwrap();
    let mut lowest = RoundTrip { alone: Duration::MAX, at_once: Duration::MAX };
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..SENDERS {
            idle.ask(Touch).await.unwrap();
        }
        lowest.alone = lowest.alone.min(begun.elapsed() / SENDERS);
        let begun = Instant::now();
        let answers = join_all((0..SENDERS).map(|_| idle.ask(Touch))).await;
        lowest.at_once = lowest.at_once.min(begun.elapsed() / SENDERS);
        assert!(answers.iter().all(Result::is_ok));
    }
    lowest
}
