//! Reads the log files line by line, only from the folder of the log.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use super::scrub::{Scrubber, Tally};
use crate::files::private;
use crate::telemetry::logging::log_files;

/// The largest part of a log file that is copied, in bytes. Of a longer file, only the end is copied.
pub(super) const MAX_LOG_BYTES: u64 = 1 << 30;

/// The longest line that is copied, in bytes. Longer and unfinished lines are left out, because a part of a line could
/// contain a part of a secret.
const MAX_LINE_BYTES: u64 = 64 << 10;

/// An open log file.
#[derive(Debug)]
pub(super) struct LogFile {
    pub(super) name: String,
    reader: BufReader<File>,
    /// The number of bytes still to read. Lines written after the file was opened are not read.
    rest: u64,
    /// True if the beginning of the file is left out.
    pub(super) is_cut: bool,
}

/// The result of copying a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Copied {
    /// The whole file was copied.
    Whole,
    /// The copy ended early, because of a read error or the time limit.
    Partly(String),
}

/// Opens the current log file and then the rotated ones. Returns them with the errors of files that cannot be opened.
pub(super) fn files(path: &Path, kept: u32, max_bytes: u64) -> (Vec<LogFile>, Vec<String>) {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in log_files(path, kept) {
        match open(&path, max_bytes) {
            Ok(file) => files.push(file),
            Err(cause) if cause.kind() == ErrorKind::NotFound => {}
            Err(cause) => problems.push(format!("{}: {cause}", path.display())),
        }
    }
    (files, problems)
}

fn open(path: &Path, max_bytes: u64) -> Result<LogFile> {
    let file = private::read(path)?;
    let found = file.metadata()?;
    let is_cut = found.len() > max_bytes;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut file = LogFile { name, reader: BufReader::new(file), rest: found.len().min(max_bytes), is_cut };
    if is_cut {
        file.reader.seek(SeekFrom::Start(found.len() - max_bytes))?;
        // The file now starts at an arbitrary byte, so the first line may be incomplete.
        file.skip_line()?;
    }
    Ok(file)
}

impl LogFile {
    /// Writes every line without its secrets. Returns an error only if writing to `out` fails.
    pub(super) fn copy(
        &mut self,
        out: &mut impl Write,
        scrubber: &Scrubber,
        tally: &mut Tally,
        deadline: Instant,
    ) -> Result<Copied> {
        let mut line = Vec::new();
        loop {
            line.clear();
            match self.read_line(&mut line) {
                Ok(0) => return Ok(Copied::Whole),
                Ok(_) if Instant::now() > deadline => return Ok(Copied::Partly("it took too long".to_owned())),
                // The line is too long, or not completely written yet.
                Ok(_) if line.last() != Some(&b'\n') => {
                    tally.lines_left_out += 1;
                    if let Err(cause) = self.skip_line() {
                        return Ok(Copied::Partly(cause.to_string()));
                    }
                }
                Ok(_) => {
                    let text = String::from_utf8_lossy(&line);
                    let clean = scrubber.line(text.trim_end_matches(['\n', '\r']), tally);
                    out.write_all(clean.as_bytes())?;
                    out.write_all(b"\n")?;
                }
                Err(cause) => return Ok(Copied::Partly(cause.to_string())),
            }
        }
    }

    fn read_line(&mut self, line: &mut Vec<u8>) -> Result<u64> {
        let read = (&mut self.reader).take(self.rest.min(MAX_LINE_BYTES)).read_until(b'\n', line)?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        self.rest = self.rest.saturating_sub(read);
        Ok(read)
    }

    /// Skips to the next line, reading one piece at a time.
    fn skip_line(&mut self) -> Result<()> {
        let mut piece = Vec::new();
        while self.read_line(&mut piece)? > 0 && piece.last() != Some(&b'\n') {
            piece.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn copied(path: &Path, max_bytes: u64) -> (String, Tally) {
        let (mut files, problems) = files(path, 2, max_bytes);
        assert_eq!(problems, Vec::<String>::new());
        let (mut out, mut tally) = (Vec::new(), Tally::default());
        let later = Instant::now() + Duration::from_mins(1);
        for file in &mut files {
            writeln!(out, "[{}]", file.name).unwrap();
            assert_eq!(file.copy(&mut out, &Scrubber::new(&[]), &mut tally, later).unwrap(), Copied::Whole);
        }
        (String::from_utf8(out).unwrap(), tally)
    }

    #[test]
    fn the_newest_file_comes_first_and_of_a_long_one_only_whole_lines_of_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mattermost.log");
        std::fs::write(&path, "new\n").unwrap();
        std::fs::write(folder.path().join("mattermost.log.2"), "first\nsecond\nlast\nhal").unwrap();
        let (text, _) = copied(&path, 12);
        assert_eq!(text, "[mattermost.log]\nnew\n[mattermost.log.2]\nlast\n");
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mattermost.log");
        std::fs::write(&path, format!("before\n{}\nafter\n", "x".repeat(200_000))).unwrap();
        let (text, tally) = copied(&path, MAX_LOG_BYTES);
        assert_eq!(text, "[mattermost.log]\nbefore\nafter\n");
        assert_eq!(tally.lines_left_out, 1);
    }

    #[test]
    fn a_link_and_a_pipe_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mattermost.log");
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        let pipe = folder.path().join("mattermost.log.1");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let (files, problems) = files(&path, 2, MAX_LOG_BYTES);
        assert!(files.is_empty() && problems.len() == 2, "{problems:?}");
    }

    #[test]
    fn what_takes_too_long_ends_with_what_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mattermost.log");
        std::fs::write(&path, "line\n").unwrap();
        let (mut files, _) = files(&path, 0, MAX_LOG_BYTES);
        let (mut out, mut tally) = (Vec::new(), Tally::default());
        let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let ended = files[0].copy(&mut out, &Scrubber::new(&[]), &mut tally, past).unwrap();
        assert_eq!((ended, out.len()), (Copied::Partly("it took too long".to_owned()), 0));
    }
}
