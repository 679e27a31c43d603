//! A run while it is observed: the server is read, the progress is shown, and a signal is awaited.

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
    let saturation = tokio::select! {
        saturation = run.carry_out() => saturation?,
        () = read(run, meter.as_deref_mut()) => return Err("the readings of the server ended".into()),
        () = live::show(run) => return Err("the progress ended".into()),
        () = end(run, interrupt) => return Err("the wait for a signal ended".into()),
    };
    live::clear();
    if let Some(meter) = meter {
        meter.read().await;
    }
    Ok(Ended { saturation, is_interrupted: interrupt.is_requested() })
}

/// Reads the server during the measurement.
async fn read(run: &Run, meter: Option<&mut Meter>) {
    let from = run.recorder.borrow().from;
    sleep(from.saturating_duration_since(Instant::now())).await;
    let Some(meter) = meter else { return std::future::pending().await };
    meter.begin().await;
    loop {
        sleep(READING_INTERVAL).await;
        meter.read().await;
    }
}

/// Ends the run at a signal; its last responses are still awaited.
async fn end(run: &Run, interrupt: &mut Interrupt) {
    interrupt.requested().await;
    run.stop();
    std::future::pending::<()>().await;
}
