//! A run while it is observed: the server is read, the progress is shown, and a signal is awaited.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::engine::Run;
use super::interrupt::Interrupt;
use super::live;
use super::saturation::Saturation;
use super::usage::Meter;

type Failure = Box<dyn std::error::Error>;

/// The interval between two readings of the server's processor time and memory.
const READING_INTERVAL: Duration = Duration::from_secs(1);

/// The end of a run.
pub(crate) struct Ended {
    pub(crate) saturation: Saturation,
    /// True if a signal ended the run early.
    pub(crate) is_interrupted: bool,
}

/// Carries a run out to its end, or until a signal.
pub(crate) async fn carry_out(
    run: &Rc<Run>,
    mut meter: Option<&mut Meter>,
    interrupt: &mut Interrupt,
) -> Result<Ended, Failure> {
    let is_read = Cell::new(false);
    let saturation = tokio::select! {
        saturation = run.carry_out() => saturation?,
        () = read(run, meter.as_deref_mut(), &is_read) => return Err("the readings of the server ended".into()),
        () = live::show(run) => return Err("the progress ended".into()),
        () = end(run, interrupt) => return Err("the wait for a signal ended".into()),
    };
    live::clear();
    if let Some(meter) = meter.filter(|_| !is_read.get()) {
        meter.read().await;
    }
    Ok(Ended { saturation, is_interrupted: interrupt.is_requested() })
}

/// Reads the server during the measurement, and at its end, not after the last responses.
async fn read(run: &Run, meter: Option<&mut Meter>, is_read: &Cell<bool>) {
    let from = run.recorder.borrow().from;
    sleep(from.saturating_duration_since(Instant::now())).await;
    let Some(meter) = meter else { return std::future::pending().await };
    meter.begin().await;
    loop {
        // A signal moves the end.
        let left = run.recorder.borrow().until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            is_read.set(true);
            return std::future::pending().await;
        }
        // A short last interval would have an inexact figure.
        sleep(if left * 2 < READING_INTERVAL * 3 { left } else { READING_INTERVAL }).await;
        meter.read().await;
    }
}

/// Ends the run at a signal; its last responses are still awaited, until a second signal.
async fn end(run: &Run, interrupt: &mut Interrupt) {
    interrupt.requested().await;
    run.stop();
    interrupt.insisted().await;
    run.abandon();
    std::future::pending::<()>().await;
}
