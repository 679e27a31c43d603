//! Reads the log for administrators: from its end, page by page, on background threads.

mod filter;
mod lines;
mod merged;

use std::fs::File;
use std::io::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::rt::task::spawn_blocking;
use quarterdeck_actors::background;
use quarterdeck_actors::error::AppError;
use tokio::sync::Semaphore;

pub(crate) use filter::{Filter, Wanted, invalid_filter};
use lines::{Line, MAX_LINE_BYTES};
use merged::{Merged, Next};

use super::MAX_ROTATED_FILES;
use crate::files::private;

/// The maximum number of simultaneous readers; further ones are refused.
const MAX_READERS: usize = 4;

/// The maximum size of a page, in bytes; a larger page is cut.
const MAX_PAGE_BYTES: usize = 8 << 20;

/// The size of a page that is allowed however many logs are read for one response, in bytes. Each line fits.
const MIN_PAGE_BYTES: usize = MAX_LINE_BYTES + (64 << 10);

/// The maximum number of simultaneous readers for other servers, beside those for callers of this one.
const MAX_READERS_FOR_OTHERS: usize = 2;

/// The time limit for reading a page; the page ends with the lines found by then.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the log, with a limit on simultaneous readers.
pub(crate) struct LogReader {
    turns: Arc<Semaphore>,
    turns_of_others: Arc<Semaphore>,
}

/// The lines of a page, counted from the newest matching line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) skipped: usize,
    pub(crate) taken: usize,
}

/// The limits of a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The size, in bytes; a larger page is cut.
    pub(crate) bytes: usize,
    /// The time for reading; the page ends with the lines found by then.
    pub(crate) time: Duration,
    /// True for a page that another server requests.
    pub(crate) is_for_other: bool,
}

impl Limits {
    /// The limits of a page of one log.
    pub(crate) const WHOLE: Self = Self { bytes: MAX_PAGE_BYTES, time: READ_TIMEOUT, is_for_other: false };

    /// Returns the limits of the pages of several logs that are read for one response.
    pub(crate) fn of_each(count: usize) -> Self {
        Self { bytes: (MAX_PAGE_BYTES / count.max(1)).max(MIN_PAGE_BYTES), ..Self::WHOLE }
    }

    /// Returns the limits of a page that another server requests, which cannot be more than those of this one.
    pub(crate) fn for_other(bytes: usize, time: Duration) -> Self {
        Self { bytes: bytes.min(MAX_PAGE_BYTES), time: time.min(READ_TIMEOUT), is_for_other: true }
    }
}

/// Lines of the log, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Page {
    lines: Vec<Line>,
    /// The limit that ended the page early, if one did.
    pub(crate) cut: Option<&'static str>,
}

/// Stops the reading thread when the caller has disconnected.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl LogReader {
    pub(crate) fn new() -> Self {
        let [turns, turns_of_others] =
            [MAX_READERS, MAX_READERS_FOR_OTHERS].map(|count| Arc::new(Semaphore::new(count)));
        Self { turns, turns_of_others }
    }

    /// Returns the lines of a page, of all lines or of those that match the filter. Of the logs at `paths` the first one
    /// must exist.
    pub(crate) async fn page(
        &self,
        paths: Vec<PathBuf>,
        span: Span,
        filter: Option<Filter>,
        limits: Limits,
    ) -> Result<Page, AppError> {
        let turns = if limits.is_for_other { &self.turns_of_others } else { &self.turns };
        let turn = turns.clone().try_acquire_owned();
        let turn = turn.map_err(|_| AppError::new("api.context.server_busy.app_error"))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let stop_on_drop = StopOnDrop(is_over.clone());
        let read = background::compute(move || {
            let _turn = turn;
            let until = Instant::now() + limits.time;
            let is_late = || is_over.load(Ordering::Relaxed) || Instant::now() > until;
            gather(&paths, span, filter.as_ref(), limits.bytes, &is_late)
        });
        let page = read.await.map_err(|ended| AppError::new("api.admin.file_read_error").because(ended))?;
        drop(stop_on_drop);
        page.map_err(|cause| refusal(&cause))
    }
}

/// Opens the log file for sending it unchanged.
pub(crate) async fn open(path: PathBuf) -> Result<File, AppError> {
    const FAILED: &str = "api.system.logs.download_bytes_buffer.app_error";
    let opened = spawn_blocking(move || private::read(&path)).await;
    let opened = opened.map_err(|ended| AppError::new(FAILED).because(ended))?;
    opened.map_err(|cause| AppError::new(FAILED).because(cause))
}

/// Returns the error for an unreadable log. A link has its own error, because it may lead out of the log's folder.
fn refusal(cause: &Error) -> AppError {
    let is_link = cause.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    let id = if is_link { "api.admin.file_read_error#link" } else { "api.admin.file_read_error" };
    AppError::new(id).because(cause.to_string())
}

fn gather(
    paths: &[PathBuf],
    span: Span,
    filter: Option<&Filter>,
    max_bytes: usize,
    is_late: &dyn Fn() -> bool,
) -> Result<Page, Error> {
    let mut lines = Merged::open(paths, MAX_ROTATED_FILES)?;
    let (mut page, mut skipped, mut bytes) = (Page::default(), 0, 0);
    while page.lines.len() < span.taken {
        match lines.before(filter, is_late)? {
            Next::Line(_) if skipped < span.skipped => skipped += 1,
            Next::Line(line) => {
                bytes += line.text.len();
                if bytes > max_bytes {
                    page.cut = Some("size");
                    break;
                }
                page.lines.push(line);
            }
            Next::End => break,
            Next::Late => {
                page.cut = Some("time");
                break;
            }
        }
    }
    page.lines.reverse();
    Ok(page)
}

impl Page {
    /// Returns the lines with the line feed before each, because clients concatenate them.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |line: &Line| {
            let text = String::from_utf8_lossy(&line.text);
            if line.is_first { text.into_owned() } else { format!("\n{text}") }
        };
        self.lines.iter().map(text).collect()
    }

    /// Returns the lines without line feeds. A NUL, which no database stores in a text, is replaced.
    pub(crate) fn lines(self) -> Vec<String> {
        let text = |line: Line| String::from_utf8_lossy(&line.text).replace('\0', "\u{fffd}");
        self.lines.into_iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn page(path: &Path, skipped: usize, taken: usize, filter: Option<&Filter>) -> Vec<String> {
        gather(&[path.to_owned()], Span { skipped, taken }, filter, MAX_PAGE_BYTES, &|| false).unwrap().texts()
    }

    #[test]
    fn pages_count_from_the_newest_line_and_only_what_matches() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let lines: Vec<String> =
            (0..10).map(|n| format!(r#"{{"level":"{}","n":{n}}}"#, ["info", "warn"][n % 2])).collect();
        std::fs::write(&path, format!("{}\n", lines.join("\n"))).unwrap();
        assert_eq!(page(&path, 8, 4, None), [lines[0].clone(), format!("\n{}", lines[1])]);
        let wanted: Wanted = serde_json::from_str(r#"{"log_levels":["warn"]}"#).unwrap();
        let filter = wanted.filter().unwrap();
        let warnings = page(&path, 1, 2, Some(&filter));
        assert_eq!(warnings, [format!("\n{}", lines[5]), format!("\n{}", lines[7])]);
        assert_eq!(page(&path, 5, 2, Some(&filter)), Vec::<String>::new());
    }

    #[test]
    fn a_page_ends_where_it_would_be_too_large_or_too_late_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, format!("{}\n", "x".repeat(1 << 19)).repeat(20)).unwrap();
        let span = Span { skipped: 0, taken: 100 };
        let paths = [path];
        let large = gather(&paths, span, None, MAX_PAGE_BYTES, &|| false).unwrap();
        assert_eq!((large.lines.len(), large.cut), (16, Some("size")));
        let late = gather(&paths, span, None, MAX_PAGE_BYTES, &|| true).unwrap();
        assert_eq!((late.lines.len(), late.cut), (0, Some("time")));
    }

    #[test]
    fn another_server_gets_no_more_than_the_limits_of_this_one() {
        let limits = Limits::for_other(usize::MAX, Duration::MAX);
        assert_eq!((limits.bytes, limits.time), (MAX_PAGE_BYTES, READ_TIMEOUT));
        assert_eq!(Limits::for_other(5, Duration::ZERO).bytes, 5);
    }

    #[actix_web::test]
    async fn readers_for_other_servers_take_no_turn_of_callers_of_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, "line\n").unwrap();
        let reader = LogReader::new();
        let page = async |limits| {
            let read = reader.page(vec![path.clone()], Span { skipped: 0, taken: 1 }, None, limits).await;
            read.map(Page::lines).map_err(|refusal| refusal.id)
        };
        let count = u32::try_from(MAX_READERS_FOR_OTHERS).unwrap();
        let _turns = reader.turns_of_others.clone().try_acquire_many_owned(count).unwrap();
        let for_other = Limits { is_for_other: true, ..Limits::WHOLE };
        assert_eq!(page(for_other).await.unwrap_err(), "api.context.server_busy.app_error");
        assert_eq!(page(Limits::WHOLE).await.unwrap(), ["line"]);
    }
}
