//! Reads several logs as one: their lines in the order of time, from the newest back.

use std::io::{ErrorKind, Result};
use std::path::PathBuf;

use time::OffsetDateTime;

use super::filter::{Filter, Verdict, time_of};
use super::lines::{Line, Lines};

/// The logs that are read.
pub(super) struct Merged {
    logs: Vec<Log>,
}

/// One log, with the newest of its lines that matches and was not returned yet.
struct Log {
    lines: Lines,
    next: Option<(Option<OffsetDateTime>, Line)>,
    is_over: bool,
}

/// The outcome of a search for a line.
pub(super) enum Next {
    Line(Line),
    /// No log has a further line that matches.
    End,
    /// The time for the search is over.
    Late,
}

impl Merged {
    /// Opens the logs with their rotated files. All but the first one may be missing.
    pub(super) fn open(paths: &[PathBuf], rotated_files: u32) -> Result<Self> {
        let mut logs = Vec::new();
        for path in paths {
            match Lines::open(path, rotated_files) {
                Ok(lines) => logs.push(Log { lines, next: None, is_over: false }),
                Err(cause) if !logs.is_empty() && cause.kind() == ErrorKind::NotFound => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(Self { logs })
    }

    /// Returns the newest line that matches and was not returned yet. Of lines of the same time, that of the last log is
    /// the newest.
    pub(super) fn before(&mut self, filter: Option<&Filter>, is_late: &dyn Fn() -> bool) -> Result<Next> {
        let is_merged = self.logs.len() > 1;
        for log in &mut self.logs {
            if !log.find(filter, is_merged, is_late)? {
                return Ok(Next::Late);
            }
        }
        let waiting = self.logs.iter_mut().filter(|log| log.next.is_some());
        let newest = waiting.max_by_key(|log| log.time());
        let line = newest.and_then(|log| log.next.take());
        Ok(line.map_or(Next::End, |(_, line)| Next::Line(line)))
    }
}

impl Log {
    /// Reads until a line matches or the log is over. Returns false if the time for it is over.
    fn find(&mut self, filter: Option<&Filter>, is_merged: bool, is_late: &dyn Fn() -> bool) -> Result<bool> {
        while self.next.is_none() && !self.is_over {
            if is_late() {
                return Ok(false);
            }
            let Some(line) = self.lines.before()? else {
                self.is_over = true;
                break;
            };
            match filter.map_or(Verdict::Wanted, |filter| filter.judge(&line.text)) {
                Verdict::Wanted => {
                    let time = if is_merged { time_of(&line.text) } else { None };
                    self.next = Some((time, line));
                }
                Verdict::Passed => {}
                Verdict::TooOld => self.is_over = true,
            }
        }
        Ok(true)
    }

    /// Returns the place of the waiting line among those of other logs. A line without a time is returned at once.
    fn time(&self) -> (bool, OffsetDateTime) {
        let time = self.next.as_ref().and_then(|(time, _)| *time);
        (time.is_none(), time.unwrap_or(OffsetDateTime::UNIX_EPOCH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(second: u32, name: &str) -> String {
        format!("{{\"timestamp\":\"2026-03-01 12:00:{second:02}.000 Z\",\"level\":\"info\",\"msg\":\"{name}\"}}\n")
    }

    /// Returns the names of all lines, the newest first.
    fn names(paths: &[PathBuf]) -> Vec<String> {
        let mut merged = Merged::open(paths, 2).unwrap();
        let mut names = Vec::new();
        while let Next::Line(line) = merged.before(None, &|| false).unwrap() {
            let text = String::from_utf8(line.text).unwrap();
            names.push(text.rsplit('"').nth(1).map_or(text.clone(), str::to_owned));
        }
        names
    }

    #[test]
    fn lines_of_two_logs_come_in_the_order_of_time_over_rotated_files() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["a.log", "b.log"].map(|name| folder.path().join(name));
        std::fs::write(folder.path().join("a.log.1"), line(1, "a1") + &line(4, "a4")).unwrap();
        std::fs::write(&first, line(6, "a6") + "plain\n").unwrap();
        std::fs::write(&second, line(2, "b2") + &line(4, "b4") + &line(5, "b5") + &line(7, "b7")).unwrap();
        let both = [first.clone(), second.clone()];
        assert_eq!(names(&both), ["plain", "b7", "a6", "b5", "b4", "a4", "b2", "a1"]);
        assert_eq!(names(&both[..1]), ["plain", "a6", "a4", "a1"]);
        std::fs::remove_file(&second).unwrap();
        assert_eq!(names(&both).len(), 4, "there were no requests yet");
        std::fs::remove_file(&first).unwrap();
        assert!(Merged::open(&both, 2).is_err());
    }
}
