//! The log as administrators read it: from its end, a page at a time, away from the async threads.

mod filter;
mod lines;

use std::fs::File;
use std::io::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::rt::task::spawn_blocking;
use quarterdeck_actors::background;
use quarterdeck_actors::error::AppError;
use tokio::sync::Semaphore;

use filter::Verdict;
pub(crate) use filter::{Filter, Wanted};
use lines::{Line, Lines};

use super::FILES_KEPT;
use crate::files::private;

/// So many readers are at work at once; who comes then is refused.
const AT_ONCE: usize = 4;

/// A page holds so many bytes at most, and is cut where it would hold more.
const LARGEST_PAGE: usize = 8 << 20;

/// What is not found by then is not in the page.
const LONGEST: Duration = Duration::from_secs(10);

/// Reads the log, for a few at a time.
pub(crate) struct LogReader {
    turns: Arc<Semaphore>,
}

/// Which lines make a page, counted from the newest of those that match.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) skipped: usize,
    pub(crate) taken: usize,
}

/// Lines of the log, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Page {
    lines: Vec<Line>,
    /// Why there may be more that belongs to it.
    pub(crate) cut: Option<&'static str>,
}

/// Tells the thread that nobody waits any more.
struct Patience(Arc<AtomicBool>);

impl Drop for Patience {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl LogReader {
    pub(crate) fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The lines of a page; all of them count, or those that match.
    pub(crate) async fn page(&self, path: PathBuf, span: Span, filter: Option<Filter>) -> Result<Page, AppError> {
        let turn = self.turns.clone().try_acquire_owned();
        let turn = turn.map_err(|_| AppError::new("api.context.server_busy.app_error"))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let patience = Patience(is_over.clone());
        let read = background::compute(move || {
            let _turn = turn;
            let until = Instant::now() + LONGEST;
            gather(&path, span, filter.as_ref(), &|| is_over.load(Ordering::Relaxed) || Instant::now() > until)
        });
        let page = read.await.map_err(|ended| AppError::new("api.admin.file_read_error").because(ended))?;
        drop(patience);
        page.map_err(|cause| refusal(&cause))
    }
}

/// Opens the log file to be sent as it is.
pub(crate) async fn open(path: PathBuf) -> Result<File, AppError> {
    const FAILED: &str = "api.system.logs.download_bytes_buffer.app_error";
    let opened = spawn_blocking(move || private::read(&path)).await;
    let opened = opened.map_err(|ended| AppError::new(FAILED).because(ended))?;
    opened.map_err(|cause| AppError::new(FAILED).because(cause))
}

/// A link leads out of the folder of the log, and what is there is nobody's log.
fn refusal(cause: &Error) -> AppError {
    let is_link = cause.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    let id = if is_link { "api.admin.file_read_error#link" } else { "api.admin.file_read_error" };
    AppError::new(id).because(cause.to_string())
}

fn gather(path: &Path, span: Span, filter: Option<&Filter>, is_late: &dyn Fn() -> bool) -> Result<Page, Error> {
    let mut lines = Lines::open(path, FILES_KEPT)?;
    let (mut page, mut skipped, mut bytes) = (Page::default(), 0, 0);
    while page.lines.len() < span.taken {
        if is_late() {
            page.cut = Some("time");
            break;
        }
        let Some(line) = lines.before()? else { break };
        match filter.map_or(Verdict::Wanted, |filter| filter.judge(&line.text)) {
            Verdict::Wanted if skipped < span.skipped => skipped += 1,
            Verdict::Wanted => {
                bytes += line.text.len();
                if bytes > LARGEST_PAGE {
                    page.cut = Some("size");
                    break;
                }
                page.lines.push(line);
            }
            Verdict::Passed => {}
            Verdict::TooOld => break,
        }
    }
    page.lines.reverse();
    Ok(page)
}

impl Page {
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Each line with the line feed before it, as clients put them together.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |line: &Line| {
            let text = String::from_utf8_lossy(&line.text);
            if line.is_first { text.into_owned() } else { format!("\n{text}") }
        };
        self.lines.iter().map(text).collect()
    }

    /// The lines as a JSON list; only for lines that a filter found to be JSON.
    pub(crate) fn records(self) -> Vec<u8> {
        let mut list = b"[".to_vec();
        for (number, line) in self.lines.into_iter().enumerate() {
            if number > 0 {
                list.push(b',');
            }
            list.extend(line.text);
        }
        list.push(b']');
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(path: &Path, skipped: usize, taken: usize, filter: Option<&Filter>) -> Vec<String> {
        gather(path, Span { skipped, taken }, filter, &|| false).unwrap().texts()
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
        let large = gather(&path, span, None, &|| false).unwrap();
        assert_eq!((large.lines.len(), large.cut), (16, Some("size")));
        let late = gather(&path, span, None, &|| true).unwrap();
        assert_eq!((late.lines.len(), late.cut), (0, Some("time")));
    }
}
