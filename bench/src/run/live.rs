//! Progress while a run goes on: one line that changes on a terminal, otherwise a line now and then.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::engine::Run;
use super::recorder::Recorder;
use crate::report::{rate, to_float};

const TERMINAL_INTERVAL: Duration = Duration::from_millis(500);
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Shows the progress until it is dropped.
pub(crate) async fn show(run: &Run) {
    let is_terminal = std::io::stderr().is_terminal();
    let interval = if is_terminal { TERMINAL_INTERVAL } else { LINE_INTERVAL };
    let mut before = (0, Instant::now());
    loop {
        sleep(interval).await;
        let (text, count) = {
            let recorder = run.recorder.borrow();
            (line(&recorder, Instant::now(), before), recorder.total.count)
        };
        before = (count, Instant::now());
        let mut stderr = std::io::stderr();
        // A line that cannot be shown ends no run.
        let _ = if is_terminal { write!(stderr, "\r\x1b[K{text}") } else { writeln!(stderr, "{text}") };
        let _ = stderr.flush();
    }
}

/// Removes the line from a terminal.
pub(crate) fn clear() {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K");
        let _ = stderr.flush();
    }
}

fn line(recorder: &Recorder, now: Instant, (count, since): (u64, Instant)) -> String {
    if now < recorder.from {
        return format!("warming up, {:.0} s left", (recorder.from - now).as_secs_f64().ceil());
    }
    let total = &recorder.total;
    let passed = (now - recorder.from).min(recorder.measured());
    let progress = passed.as_secs_f64() / recorder.measured().as_secs_f64().max(1e-6) * 100.0;
    let p99 = to_float(total.latency.value_at_quantile(0.99)) / 1000.0;
    let rate = rate(total.count - count, now - since);
    format!("{progress:>3.0} %  {rate:>8.0} requests/s  {} failed  p99 {p99:.2} ms", total.failed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_progress_rate_failures_and_latency() {
        let now = Instant::now();
        let from = now + Duration::from_secs(2);
        let mut recorder = Recorder::new(from, Duration::from_secs(10), vec![false]).unwrap();
        assert_eq!(line(&recorder, now, (0, now)), "warming up, 2 s left");
        for _ in 0..100 {
            let ended = from + Duration::from_millis(3);
            let outcome = Err(super::super::failure::Failed::timeout());
            recorder.add(&super::super::recorder::Sample {
                request: 0,
                intended: from,
                sent: Some(from),
                ended,
                outcome,
            });
        }
        let at = from + Duration::from_secs(5);
        assert_eq!(line(&recorder, at, (50, from)), " 50 %        10 requests/s  100 failed  p99 3.00 ms");
    }
}
