//! Connections that publish, at a rate or as fast as they are answered.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::ledger::Ledger;
use super::site::Sender;
use crate::load::read_answer;

/// The timeout of one response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The time after which a sender publishes again that a busy server refused.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// The maximum length of a response, in bytes.
const MAX_RESPONSE_BYTES: usize = 16 * 1024;

/// Publishes for this long: `goal` publications a second by all senders together, or as many as are answered.
pub(super) async fn run(
    senders: &[Arc<Sender>],
    ledger: &Arc<Ledger>,
    goal: Option<u64>,
    duration: Duration,
) -> io::Result<()> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, sender) in (0..).zip(senders) {
        let pace = goal.map(|goal| Pace::of(begun, goal, senders.len(), number));
        tasks.spawn(publish(sender.clone(), ledger.clone(), pace, begun + duration));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// The times at which one of several senders publishes.
struct Pace {
    due: Instant,
    interval: Duration,
}

impl Pace {
    /// Spreads `goal` publications a second evenly over the senders and over the time.
    fn of(begun: Instant, goal: u64, senders: usize, number: u32) -> Self {
        let senders = u32::try_from(senders).unwrap_or(u32::MAX);
        let interval = Duration::from_secs(1) * senders / u32::try_from(goal).unwrap_or(u32::MAX).max(1);
        Self { due: begun + interval * number / senders.max(1), interval }
    }

    /// Waits until the next publication is due. Returns the time from which its latency counts: that of its request, or
    /// the earlier time at which it was due if the response to the previous one came later.
    async fn next(&mut self) -> Instant {
        let due = self.due;
        self.due += self.interval;
        if due <= Instant::now() {
            return due;
        }
        sleep_until(due).await;
        Instant::now()
    }
}

async fn publish(sender: Arc<Sender>, ledger: Arc<Ledger>, mut pace: Option<Pace>, until: Instant) -> io::Result<()> {
    let mut connection = connect(&sender).await?;
    let mut buffer = vec![0; MAX_RESPONSE_BYTES];
    loop {
        let sent = match &mut pace {
            Some(pace) if pace.due >= until => return Ok(()),
            Some(pace) => pace.next().await,
            None => Instant::now(),
        };
        if Instant::now() >= until {
            return Ok(());
        }
        let Some(number) = ledger.publish(sender.node, sent) else { return Ok(()) };
        connection.write_all(sender.request(number).as_bytes()).await?;
        match timeout(RESPONSE_TIMEOUT, read_answer(&mut connection, &mut buffer)).await? {
            Err(cause) if cause.kind() == io::ErrorKind::ResourceBusy => {
                ledger.refused(number);
                sleep(RETRY_DELAY).await;
                // The rest of the response is still on the old connection.
                connection = connect(&sender).await?;
            }
            answered => answered?,
        }
    }
}

async fn connect(sender: &Sender) -> io::Result<TcpStream> {
    let connection = TcpStream::connect(&sender.address).await?;
    connection.set_nodelay(true)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_take_turns_at_the_rate_of_all() {
        let begun = Instant::now();
        let due: Vec<Duration> = (0..4).map(|number| Pace::of(begun, 200, 4, number).due - begun).collect();
        assert_eq!(due, [0, 5, 10, 15].map(Duration::from_millis));
        assert_eq!(Pace::of(begun, 200, 4, 0).interval, Duration::from_millis(20));
    }

    #[tokio::test]
    async fn a_publication_that_had_to_wait_counts_from_when_it_was_due() {
        let begun = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let mut pace = Pace::of(begun, 10, 1, 0);
        assert_eq!((pace.next().await, pace.next().await), (begun, begun + Duration::from_millis(100)));
        let due = Instant::now() + Duration::from_millis(1);
        let mut pace = Pace { due, interval: Duration::from_millis(1) };
        assert!(pace.next().await >= due);
    }
}
