//! One log output: a bounded queue, and the thread that empties it.
//!
//! Code that logs never waits. A line that does not fit into the queue is lost, counted and reported.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use tracing::{error, info, warn};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

/// The maximum number of waiting lines.
const MAX_QUEUED_LINES: usize = 8192;

/// The approximate size up to which waiting lines are written together, in bytes.
const BATCH_BYTES: usize = 64 * 1024;

/// The destination of log lines.
pub(super) trait Sink: Send + 'static {
    /// Writes whole lines: all of them or none.
    fn append(&mut self, lines: &[u8]) -> std::io::Result<()>;
}

/// A running output. Dropping it writes the waiting lines.
pub(super) struct Output {
    queue: NonBlocking,
    _thread: WorkerGuard,
}

/// A message to the operator about an output.
#[derive(Debug)]
pub(super) enum Notice {
    /// Lines cannot be written. This is reported once, until they can be written again.
    Failed(String),
    /// Lines can be written again; this many were lost.
    Recovered(usize),
    /// This many lines did not fit into the queue.
    Overflowed(usize),
}

impl Output {
    /// Starts the thread of an output. The thread calls `report` with messages for the operator.
    pub(super) fn open(name: &str, sink: impl Sink, report: impl Fn(&Notice) + Send + 'static) -> Self {
        Self::with_queue(name, MAX_QUEUED_LINES, sink, report)
    }

    fn with_queue(name: &str, length: usize, sink: impl Sink, report: impl Fn(&Notice) + Send + 'static) -> Self {
        let overflow = Arc::new(OnceLock::new());
        let writer = Writer {
            sink,
            report,
            batch: Vec::new(),
            batched: 0,
            lost: 0,
            overflow: overflow.clone(),
            reported_overflow: 0,
        };
        let builder = NonBlockingBuilder::default().buffered_lines_limit(length).lossy(true).thread_name(name);
        let (queue, thread) = builder.finish(writer);
        let _ = overflow.set(queue.error_counter());
        Self { queue, _thread: thread }
    }

    /// Returns the queue for lines.
    pub(super) fn queue(&self) -> NonBlocking {
        self.queue.clone()
    }
}

impl Notice {
    /// Logs the message.
    pub(super) fn log(&self, output: &str) {
        match self {
            Self::Failed(cause) => {
                error!(output, cause, "log lines cannot be written and are lost");
            }
            Self::Recovered(lost) => info!(output, lines_lost = lost, "log lines are written again"),
            Self::Overflowed(lost) => {
                warn!(
                    output,
                    lines_lost = lost,
                    "log lines were dropped, because they came faster than they could be written"
                );
            }
        }
    }

    /// Prints the message on standard error, for when no log works.
    pub(super) fn print(&self, output: &str) {
        let text = match self {
            Self::Failed(cause) => format!("{output}: {cause}; log lines cannot be written and are lost"),
            Self::Recovered(lost) => format!("{output}: log lines are written again, {lost} were lost"),
            Self::Overflowed(lost) => {
                format!("{output}: {lost} log lines were dropped, because they came faster than they could be written")
            }
        };
        let _ = writeln!(std::io::stderr(), "quarterdeck: {text}");
    }
}

/// Wraps a sink for the thread. It returns no errors, because the thread cannot handle them.
struct Writer<S, R> {
    sink: S,
    report: R,
    batch: Vec<u8>,
    /// The number of lines in the batch.
    batched: usize,
    /// The number of lines lost since the sink failed; 0 while it works.
    lost: usize,
    overflow: Arc<OnceLock<ErrorCounter>>,
    reported_overflow: usize,
}

impl<S: Sink, R: Fn(&Notice)> Writer<S, R> {
    fn write_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut self.batched);
        let was_failing = self.lost > 0;
        match self.sink.append(&self.batch) {
            Ok(()) if was_failing => {
                (self.report)(&Notice::Recovered(self.lost));
                self.lost = 0;
            }
            Ok(()) => {}
            Err(cause) => {
                self.lost += lines;
                if !was_failing {
                    (self.report)(&Notice::Failed(cause.to_string()));
                }
            }
        }
        self.batch.clear();
    }

    fn report_overflow(&mut self) {
        let overflow = self.overflow.get().map_or(0, ErrorCounter::dropped_lines);
        let unreported = overflow.saturating_sub(self.reported_overflow);
        if unreported > 0 {
            self.reported_overflow = overflow;
            (self.report)(&Notice::Overflowed(unreported));
        }
    }
}

impl<S: Sink, R: Fn(&Notice)> Write for Writer<S, R> {
    /// Adds one line to the batch; the queue's thread calls it once for each line.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.batched += 1;
        self.batch.extend_from_slice(line);
        if self.batch.len() >= BATCH_BYTES {
            self.write_batch();
        }
        Ok(line.len())
    }

    /// Writes the batch; the queue's thread calls it whenever no line waits.
    fn flush(&mut self) -> std::io::Result<()> {
        self.write_batch();
        self.report_overflow();
        Ok(())
    }
}

/// Collects lines for tests.
#[cfg(test)]
#[derive(Clone, Default)]
pub(super) struct Memory(Arc<std::sync::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Memory {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl Sink for Memory {
    fn append(&mut self, lines: &[u8]) -> std::io::Result<()> {
        self.0.lock().unwrap().extend(lines);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Returns the scripted result of each batch; waits while there is none.
    struct Scripted(Receiver<Result<(), &'static str>>);

    impl Sink for Scripted {
        fn append(&mut self, _: &[u8]) -> std::io::Result<()> {
            self.0.recv().unwrap().map_err(std::io::Error::other)
        }
    }

    #[test]
    fn a_sink_that_fails_is_reported_once_and_again_when_it_works() {
        let (script, steps) = channel();
        let notices = Arc::new(Mutex::new(Vec::new()));
        let said = notices.clone();
        let mut writer = Writer {
            sink: Scripted(steps),
            report: move |notice: &Notice| said.lock().unwrap().push(format!("{notice:?}")),
            batch: Vec::new(),
            batched: 0,
            lost: 0,
            overflow: Arc::default(),
            reported_overflow: 0,
        };
        for step in [Err("disk full"), Err("disk full"), Ok(()), Ok(())] {
            script.send(step).unwrap();
        }
        for _ in 0..4 {
            writer.write_all(b"line\n").unwrap();
            writer.write_all(b"line\n").unwrap();
            writer.flush().unwrap();
        }
        assert_eq!(*notices.lock().unwrap(), ["Failed(\"disk full\")", "Recovered(4)"]);
    }

    #[test]
    fn who_logs_never_waits_and_lines_beyond_the_queue_are_counted() {
        let (script, steps) = channel();
        let notices = Arc::new(Mutex::new(Vec::new()));
        let said = notices.clone();
        let report = move |notice: &Notice| said.lock().unwrap().push(format!("{notice:?}"));
        let output = Output::with_queue("test", 1, Scripted(steps), report);
        for _ in 0..100 {
            output.queue().write_all(b"line\n").unwrap();
        }
        let lost = output.queue().error_counter().dropped_lines();
        assert!(lost >= 90, "{lost}");
        (0..100).for_each(|_| script.send(Ok(())).unwrap());
        drop(output);
        assert_eq!(*notices.lock().unwrap(), [format!("Overflowed({lost})")]);
    }
}
