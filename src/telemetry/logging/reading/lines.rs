//! Reads the log backwards, line by line. Only one block and the current line are in memory, for files of any size.

use std::fs::File;
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use memchr::memrchr;

use crate::files::private;
use crate::telemetry::logging::file::log_files;

/// The number of bytes that are read at once.
const BLOCK_BYTES: u64 = 256 << 10;

/// The maximum length of a line, in bytes; longer lines are skipped.
pub(super) const MAX_LINE_BYTES: usize = 1 << 20;

/// The lines from the end of the newest file to the beginning of the oldest.
///
/// All files are opened at the start, so a file that is rotated later is still read to its beginning.
#[derive(Debug)]
pub(super) struct Lines {
    /// The files, oldest first.
    files: Vec<File>,
    /// The offset of the block in the last of `files`.
    at: u64,
    /// The part of the block that was not returned yet.
    block: Vec<u8>,
    /// The end of a line that begins in an earlier block.
    rest: Vec<u8>,
    /// True when that line is already too long.
    is_too_long: bool,
    /// True until the line feed at the end of the file is skipped.
    is_at_end: bool,
    /// True when the file is not empty; then it has a first line, even if that is empty.
    has_text: bool,
}

/// A line without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: Vec<u8>,
    /// True for the first line of the log, which has no line feed before it.
    pub(super) is_first: bool,
}

impl Lines {
    /// Opens the log file and the rotated files. An unreadable rotated file ends the list instead of failing.
    pub(super) fn open(path: &Path, kept: u32) -> Result<Self> {
        let newest = private::read(path)?;
        let mut known = vec![identity(&newest)?];
        let mut files = vec![newest];
        for rotated in log_files(path, kept).skip(1) {
            // The log begins after a file that is missing, or that is not a file of the server.
            let Ok(file) = private::read(&rotated) else { break };
            let identity = identity(&file)?;
            // A file that was rotated after it was opened would appear twice.
            if !known.contains(&identity) {
                known.push(identity);
                files.push(file);
            }
        }
        files.reverse();
        let mut lines = Self {
            files,
            at: 0,
            block: Vec::new(),
            rest: Vec::new(),
            is_too_long: false,
            is_at_end: true,
            has_text: false,
        };
        lines.begin_file()?;
        Ok(lines)
    }

    /// Returns the line before the last returned one, or `None` at the beginning of the log.
    pub(super) fn before(&mut self) -> Result<Option<Line>> {
        loop {
            if let Some(feed) = memrchr(b'\n', &self.block) {
                let is_last_feed = self.is_at_end && feed + 1 == self.block.len();
                self.is_at_end = false;
                if is_last_feed {
                    self.block.truncate(feed);
                    continue;
                }
                let start = self.block.split_off(feed + 1);
                self.block.truncate(feed);
                if let Some(line) = self.finish(start, false) {
                    return Ok(Some(line));
                }
            } else {
                let start = std::mem::take(&mut self.block);
                self.is_at_end &= start.is_empty();
                if self.at > 0 {
                    self.keep(start);
                    self.read_block()?;
                    continue;
                }
                let line = if self.has_text { self.finish(start, self.files.len() == 1) } else { None };
                if !self.next_file()? {
                    return Ok(line);
                }
                if line.is_some() {
                    return Ok(line);
                }
            }
        }
    }

    /// Adds the beginning of a line to its end, unless the line becomes too long.
    fn keep(&mut self, mut start: Vec<u8>) {
        self.is_too_long |= start.len() + self.rest.len() > MAX_LINE_BYTES;
        if self.is_too_long {
            self.rest = Vec::new();
        } else {
            start.append(&mut self.rest);
            self.rest = start;
        }
    }

    fn finish(&mut self, start: Vec<u8>, is_first: bool) -> Option<Line> {
        self.keep(start);
        let is_told = !std::mem::take(&mut self.is_too_long);
        let mut text = std::mem::take(&mut self.rest);
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        is_told.then_some(Line { text, is_first })
    }

    fn read_block(&mut self) -> Result<()> {
        let Some(file) = self.files.last() else { return Ok(()) };
        let size = self.at.min(BLOCK_BYTES);
        self.at -= size;
        self.block.resize(usize::try_from(size).unwrap_or_default(), 0);
        // The file has been shortened, so nothing is left at this offset.
        match file.read_exact_at(&mut self.block, self.at) {
            Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => self.block.clear(),
            read => read?,
        }
        Ok(())
    }

    /// Continues with the next older file; returns false when there is none.
    fn next_file(&mut self) -> Result<bool> {
        self.files.pop();
        self.begin_file()?;
        Ok(!self.files.is_empty())
    }

    fn begin_file(&mut self) -> Result<()> {
        self.is_at_end = true;
        self.at = self.files.last().map(File::metadata).transpose()?.map_or(0, |found| found.len());
        self.has_text = self.at > 0;
        self.read_block()
    }
}

fn identity(file: &File) -> Result<(u64, u64)> {
    let found = file.metadata()?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &Path) -> Vec<String> {
        let mut lines = Lines::open(path, 3).unwrap();
        let mut told = Vec::new();
        while let Some(line) = lines.before().unwrap() {
            let text = String::from_utf8(line.text).unwrap();
            told.push(if line.is_first { format!("^{text}") } else { text });
        }
        told.reverse();
        told
    }

    #[test]
    fn lines_come_from_all_files_and_only_the_very_first_has_none_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        for (end, text) in [(".2", "1\n2\n"), (".1", "3\r\n\n4"), ("", "5\n6\n")] {
            std::fs::write(format!("{}{end}", path.display()), text).unwrap();
        }
        assert_eq!(told(&path), ["^1", "2", "3", "", "4", "5", "6"]);
    }

    #[test]
    fn an_empty_file_has_no_line_and_hides_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, "").unwrap();
        assert_eq!(told(&path), Vec::<String>::new());
        std::fs::write(folder.path().join("a.log.1"), "1\n").unwrap();
        assert_eq!(told(&path), ["^1"]);
    }

    #[test]
    fn lines_that_cross_blocks_are_whole_whatever_the_border_cuts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let block = usize::try_from(BLOCK_BYTES).unwrap();
        for shift in 0..4 {
            let lines = ["x".repeat(shift), "ä€🦀".repeat(block / 4), "\u{20ac}".repeat(10), "end".to_owned()];
            std::fs::write(&path, format!("{}\n", lines.join("\n"))).unwrap();
            let told = told(&path);
            assert_eq!(told.len(), 4);
            assert!(told.iter().zip(&lines).all(|(told, line)| told.trim_start_matches('^') == line), "shift {shift}");
        }
    }

    #[test]
    fn a_line_without_end_is_left_out_and_those_around_it_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, format!("1\n{}\n3\n", "x".repeat(MAX_LINE_BYTES + 1))).unwrap();
        assert_eq!(told(&path), ["^1", "3"]);
        std::fs::write(&path, "x".repeat(MAX_LINE_BYTES + 1)).unwrap();
        assert_eq!(told(&path), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_is_moved_aside_meanwhile_is_read_to_its_beginning_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, "1\n2\n").unwrap();
        let mut lines = Lines::open(&path, 3).unwrap();
        std::fs::rename(&path, folder.path().join("a.log.1")).unwrap();
        std::fs::write(&path, "3\n").unwrap();
        let texts: Vec<Vec<u8>> = std::iter::from_fn(|| lines.before().unwrap()).map(|line| line.text).collect();
        assert_eq!(texts, [b"2", b"1"]);
    }

    #[test]
    fn a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(folder.path().join("secret"), "x\n").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), &path).unwrap();
        assert_eq!(Lines::open(&path, 0).unwrap_err().raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
    }
}
