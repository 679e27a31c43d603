//! The log to console and file, as `LogSettings` says. The settings can change while the server runs.
//!
//! Lines about single requests are written to a file of their own, so that the log shows what an administrator looks for.
//!
//! Each output has a thread of its own, so that code that logs never waits for a disk or a terminal.

mod file;
mod layer;
mod level;
mod output;
mod reading;
mod record;

use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::view::LogSettings;
use quarterdeck_actors::task;
use tokio::sync::watch;
use tracing::error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, reload};

pub(crate) use file::log_files;
pub(crate) use layer::REQUEST_TARGET;
pub(crate) use reading::{Filter, Limits, LogReader, Span, Wanted, invalid_filter, open};

use file::{Console, RotatingFile};
use layer::{Channel, Recorder, Selection};
use output::{Notice, Output};
use record::Format;

/// The folder of the log file when the settings name none.
const DEFAULT_FOLDER: &str = "logs";

const FILE_NAME: &str = "mattermost.log";

/// The file with a line for each request, in the same folder.
const REQUESTS_FILE_NAME: &str = "requests.log";

/// The maximum size of the log file, in bytes. Before it grows beyond this it is rotated.
const MAX_FILE_BYTES: u64 = 100 * 1024 * 1024;

/// The number of rotated files that are kept.
pub(crate) const MAX_ROTATED_FILES: u32 = 10;

/// A handle to the running log.
#[derive(Clone)]
pub(crate) struct Logs(Arc<Shared>);

struct Shared {
    recorder: reload::Handle<Recorder, Registry>,
    max_file_bytes: u64,
    outputs: Mutex<Outputs>,
}

/// The threads that write to the outputs.
#[derive(Default)]
struct Outputs {
    console: Option<Output>,
    file: Option<(PathBuf, Output)>,
    requests: Option<(PathBuf, Output)>,
}

/// Starts logging for the whole process. The error names the invalid setting.
pub(crate) fn start(settings: &LogSettings) -> Result<Logs, String> {
    let (layer, recorder) = reload::Layer::new(Recorder::default());
    let logs = Logs(Arc::new(Shared { recorder, max_file_bytes: MAX_FILE_BYTES, outputs: Mutex::default() }));
    logs.apply(settings)?;
    tracing::subscriber::set_global_default(Registry::default().with(layer)).map_err(|cause| cause.to_string())?;
    report_panics();
    Ok(logs)
}

/// Returns the path of the log file.
pub(crate) fn file_path(settings: &LogSettings) -> PathBuf {
    let folder = if settings.file_location.is_empty() { DEFAULT_FOLDER } else { &settings.file_location };
    Path::new(folder).join(FILE_NAME)
}

/// Returns the path of the file with a line for each request.
pub(crate) fn requests_path(settings: &LogSettings) -> PathBuf {
    file_path(settings).with_file_name(REQUESTS_FILE_NAME)
}

impl Logs {
    /// Applies the log settings of the configuration in force, then those of each later one. Invalid settings change
    /// nothing.
    pub(crate) async fn follow(&self, mut config: watch::Receiver<Arc<Config>>) {
        self.apply_current(&mut config).await;
        let logs = self.clone();
        task::keep("log_settings", move || logs.clone().apply_changes(config.clone()));
    }

    async fn apply_changes(self, mut config: watch::Receiver<Arc<Config>>) {
        while config.changed().await.is_ok() {
            self.apply_current(&mut config).await;
        }
    }

    async fn apply_current(&self, config: &mut watch::Receiver<Arc<Config>>) {
        let settings = config.borrow_and_update().view.log.clone();
        let logs = self.clone();
        // Opening and closing files can take long on a slow disk, so it runs on a blocking thread.
        let applied = actix_web::rt::task::spawn_blocking(move || logs.apply(&settings)).await;
        if let Ok(Err(problem)) = applied {
            error!(problem, "the log settings cannot be applied; the earlier settings stay in use");
        }
    }

    /// Writes all waiting lines and closes the outputs.
    pub(crate) fn flush(&self) {
        let _ = self.0.recorder.reload(Recorder::default());
        *self.0.outputs.lock().unwrap_or_else(PoisonError::into_inner) = Outputs::default();
    }

    /// Applies log settings. Invalid settings change nothing.
    pub(crate) fn apply(&self, settings: &LogSettings) -> Result<(), String> {
        let levels = Levels::of(settings)?;
        let mut outputs = self.0.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = std::mem::take(&mut *outputs);
        outputs.console = settings.enable_console.then(|| earlier.console.unwrap_or_else(|| self.open_console()));
        let file = |earlier: Option<(PathBuf, Output)>, thread: &str, path: PathBuf| {
            let kept = earlier.filter(|(earlier, _)| *earlier == path);
            kept.unwrap_or_else(|| (path.clone(), self.open_file(thread, path)))
        };
        outputs.file = settings.enable_file.then(|| file(earlier.file, "log-file", file_path(settings)));
        outputs.requests =
            settings.enable_file.then(|| file(earlier.requests, "log-requests", requests_path(settings)));
        let size = settings.max_field_size;
        let console = outputs.console.as_ref().map(|output| {
            let is_coloured = settings.enable_color && std::io::stderr().is_terminal();
            Channel {
                level: levels.console,
                selection: Selection::All,
                format: Format::new(settings.console_json, is_coloured, size),
                queue: output.queue(),
            }
        });
        let files = [(&outputs.file, Selection::Others), (&outputs.requests, Selection::Requests)];
        let files = files.into_iter().filter_map(|(output, selection)| {
            let (_, output) = output.as_ref()?;
            let format = Format::new(settings.file_json, false, size);
            Some(Channel { level: levels.file, selection, format, queue: output.queue() })
        });
        let recorder = Recorder::new(console.into_iter().chain(files).collect());
        self.0.recorder.reload(recorder).map_err(|cause| cause.to_string())
    }

    fn open_console(&self) -> Output {
        Output::open("log-console", Console, self.reporter("console".to_owned()))
    }

    fn open_file(&self, thread: &str, path: PathBuf) -> Output {
        let name = path.display().to_string();
        let file = RotatingFile::new(path, self.0.max_file_bytes, MAX_ROTATED_FILES);
        Output::open(thread, file, self.reporter(name))
    }

    /// Returns a function that reports an output's failure: in the log, and on standard error if no console logs.
    fn reporter(&self, output: String) -> impl Fn(&Notice) + Send + 'static {
        let shared = Arc::downgrade(&self.0);
        move |notice| {
            notice.log(&output);
            let has_console = shared.upgrade().is_some_and(|shared| {
                // If the lock is taken, `apply` may be closing this output and waiting for this thread, so do not wait.
                shared.outputs.try_lock().map_or(true, |outputs| outputs.console.is_some())
            });
            if !has_console {
                notice.print(&output);
            }
        }
    }
}

/// The levels of both outputs.
struct Levels {
    console: LevelFilter,
    file: LevelFilter,
}

impl Levels {
    fn of(settings: &LogSettings) -> Result<Self, String> {
        Ok(Self {
            console: level::named("LogSettings.ConsoleLevel", &settings.console_level)?,
            file: level::named("LogSettings.FileLevel", &settings.file_level)?,
        })
    }
}

/// Installs a panic hook that logs panics. It does not change what a panic ends.
fn report_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_logged = tracing::enabled!(tracing::Level::ERROR);
        if is_logged { log_panic(panic) } else { print(panic) }
    }));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    error!(panic.message = message, panic.location = location, thread = thread.name(), "panic");
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::Overrides;
    use tracing::info;

    use super::output::Memory;
    use super::*;

    #[test]
    fn a_panic_is_one_line_with_its_message_and_its_place() {
        let memory = Memory::default();
        let output = Output::open("test", memory.clone(), |_| {});
        let format = Format::new(true, false, 0);
        let recorder = Recorder::new(vec![Channel {
            level: LevelFilter::ERROR,
            selection: Selection::All,
            format,
            queue: output.queue(),
        }]);
        report_panics();
        tracing::subscriber::with_default(Registry::default().with(recorder), || {
            assert!(std::panic::catch_unwind(|| panic!("asked to")).is_err());
        });
        drop(output);
        let line: serde_json::Value = serde_json::from_str(&memory.text()).unwrap();
        assert_eq!((line["msg"].as_str(), line["panic.message"].as_str()), (Some("panic"), Some("asked to")));
        assert!(line["panic.location"].as_str().unwrap().starts_with("src/telemetry/logging.rs:"), "{line}");
    }

    #[test]
    fn both_files_are_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Config::compose(None, Overrides::new()).unwrap().view.log;
        settings.enable_console = false;
        settings.enable_file = true;
        settings.file_location = folder.path().display().to_string();
        let (layer, recorder) = reload::Layer::new(Recorder::default());
        let logs = Logs(Arc::new(Shared { recorder, max_file_bytes: 1, outputs: Mutex::default() }));
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            for count in 1..=2 {
                logs.apply(&settings).unwrap();
                info!(count, "one of the log");
                info!(target: REQUEST_TARGET, count, "one of the requests");
                logs.flush();
            }
        });
        for (name, message) in [(FILE_NAME, "one of the log"), (REQUESTS_FILE_NAME, "one of the requests")] {
            for (number, count) in [("", 2), (".1", 1)] {
                let text = std::fs::read_to_string(folder.path().join(format!("{name}{number}"))).unwrap();
                let line: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!((line["msg"].as_str(), line["count"].as_u64()), (Some(message), Some(count)), "{text}");
            }
        }
    }
}
