//! Passes events to the queues of the outputs.

use std::io::Write;

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_appender::non_blocking::NonBlocking;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::record::{Format, Record};

/// The prefix of this program's targets. Of other targets only warnings and errors are logged.
const OWN_TARGETS: &str = "quarterdeck";

/// The target of events that report a single request.
pub(crate) const REQUEST_TARGET: &str = "quarterdeck::request";

/// The prefix of the targets with which actix-http reports on single connections.
const CONNECTION_TARGETS: &str = "actix_http::h1";

/// One output from the side of the code that logs.
pub(super) struct Channel {
    pub(super) level: LevelFilter,
    pub(super) selection: Selection,
    pub(super) format: Format,
    pub(super) queue: NonBlocking,
}

/// The events that an output takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Selection {
    All,
    /// Those that report a single request.
    Requests,
    /// All but those.
    Others,
}

impl Selection {
    fn takes(self, metadata: &Metadata<'_>) -> bool {
        let is_request = metadata.target() == REQUEST_TARGET;
        match self {
            Self::All => true,
            Self::Requests => is_request,
            Self::Others => !is_request,
        }
    }
}

/// Passes each event to the outputs. It is replaced as a whole when the settings change.
#[derive(Default)]
pub(super) struct Recorder {
    channels: Vec<Channel>,
}

impl Recorder {
    pub(super) fn new(channels: Vec<Channel>) -> Self {
        Self { channels }
    }

    fn most_verbose(&self) -> LevelFilter {
        self.channels.iter().map(|channel| channel.level).max().unwrap_or(LevelFilter::OFF)
    }

    fn takes(&self, metadata: &Metadata<'_>) -> bool {
        let is_wanted = level_of(metadata) <= self.most_verbose();
        let is_ours = metadata.target().starts_with(OWN_TARGETS);
        !metadata.is_span() && is_wanted && (is_ours || *metadata.level() <= Level::WARN)
    }
}

/// Returns the level at which an event is logged.
///
/// actix-http reports each malformed request and each lost connection as an error. Those are errors of clients, which
/// tell an operator nothing about the server. Errors of response bodies are also logged where they occur.
pub(super) fn level_of(metadata: &Metadata<'_>) -> Level {
    let is_of_client = metadata.target().starts_with(CONNECTION_TARGETS);
    if is_of_client { Level::DEBUG.max(*metadata.level()) } else { *metadata.level() }
}

impl<S: Subscriber> Layer<S> for Recorder {
    // An event that no output takes costs one comparison.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.takes(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.takes(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most_verbose())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let record = Record::of(event);
        let metadata = event.metadata();
        let is_taken = |channel: &&Channel| level_of(metadata) <= channel.level && channel.selection.takes(metadata);
        for channel in self.channels.iter().filter(is_taken) {
            // When the queue is full, the line is counted as lost instead of failing.
            let _ = channel.queue.clone().write_all(&channel.format.line(&record));
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::{debug, enabled, error, info, warn};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{Registry, reload};

    use super::super::output::{Memory, Output};
    use super::*;

    #[test]
    fn a_level_takes_effect_at_once_and_other_crates_are_heard_from_warnings_on() {
        let memory = Memory::default();
        let output = Output::open("test", memory.clone(), |_| {});
        let at = |level| {
            let format = Format::new(false, false, 100);
            Recorder::new(vec![Channel { level, selection: Selection::All, format, queue: output.queue() }])
        };
        let (layer, handle) = reload::Layer::new(at(LevelFilter::INFO));
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            let log = || {
                debug!("ours in detail");
                info!("ours");
                info!(target: "actix_server::builder", "theirs");
                warn!(target: "actix_server::builder", "their warning");
                error!(target: "actix_http::h1::dispatcher", "a client's error");
                enabled!(Level::DEBUG)
            };
            assert!(!log());
            handle.reload(at(LevelFilter::DEBUG)).unwrap();
            assert!(log());
            handle.reload(Recorder::default()).unwrap();
            assert!(!log());
        });
        drop(output);
        let text = memory.text();
        let count = |message: &str| text.lines().filter(|line| line.contains(&format!("] {message} caller"))).count();
        assert_eq!(["ours in detail", "ours", "theirs", "their warning"].map(count), [1, 2, 0, 2], "{text}");
        let of_client: Vec<&str> = text.lines().filter(|line| line.contains("a client's error")).collect();
        assert!(of_client.len() == 1 && of_client[0].contains("debug"), "{text}");
    }

    #[test]
    fn lines_of_single_requests_go_to_outputs_that_take_them_only() {
        let outputs = [Selection::All, Selection::Requests, Selection::Others].map(|selection| {
            let memory = Memory::default();
            (selection, memory.clone(), Output::open("test", memory, |_| {}))
        });
        let channels = outputs.iter().map(|(selection, _, output)| Channel {
            level: LevelFilter::INFO,
            selection: *selection,
            format: Format::new(false, false, 100),
            queue: output.queue(),
        });
        let recorder = Recorder::new(channels.collect());
        tracing::subscriber::with_default(Registry::default().with(recorder), || {
            info!(target: REQUEST_TARGET, "of a request");
            info!("of the server");
        });
        let counts = outputs.map(|(_, memory, output)| {
            drop(output);
            let text = memory.text();
            ["of a request", "of the server"].map(|message| text.matches(message).count())
        });
        assert_eq!(counts, [[1, 1], [1, 0], [0, 1]]);
    }
}
