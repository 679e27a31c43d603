//! Reads a backup and trusts nothing in it: names, sizes and hashes must match the manifest.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;
use quarterdeck_actors::secret::Secret;
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::draft::is_draft;
use super::format::{
    FILES, MANIFEST, MAX_MANIFEST_BYTES, MAX_ROW_BYTES, MAX_SMALL_PART_BYTES, Manifest, Part, table_part,
};
use super::seal::{MAGIC, Opening};
use super::{BackupError, rows};
use crate::settings::named_file::opened;
use crate::store::{Table, Value};

/// The first bytes of a zip archive.
const ARCHIVE: &[u8] = b"PK";

/// The number of bytes of lines after which a batch of rows ends.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// An opened backup whose manifest was checked against its parts.
pub(crate) struct Backup {
    zip: ZipArchive<Box<dyn Source>>,
    pub(crate) manifest: Manifest,
    pub(super) tables: Vec<Table>,
}

/// A reader for the rows of a table.
pub(super) struct Rows<'a> {
    table: &'a Table,
    part: Part,
    reader: BufReader<Hashing<ZipFile<'a, Box<dyn Source>>>>,
    count: u64,
}

struct Hashing<R> {
    source: R,
    digest: Context,
    bytes: u64,
}

impl Backup {
    /// Opens a backup. Calls `passphrase` only if the backup is encrypted. Names a file that an interrupted backup left.
    pub(crate) fn open(
        path: &Path,
        passphrase: &mut dyn FnMut() -> Result<Secret, BackupError>,
    ) -> Result<Self, BackupError> {
        Self::read(path, passphrase).map_err(|refusal| {
            let is_damaged = matches!(refusal, BackupError::Bad(_) | BackupError::Damaged { .. });
            if !(is_damaged && is_draft(path)) {
                return refusal;
            }
            BackupError::Refused(format!(
                "{} is not a whole backup: it is being written, or an interrupted backup left it\n\
                 make the backup again; one of the same name replaces this file",
                path.display()
            ))
        })
    }

    fn read(path: &Path, passphrase: &mut dyn FnMut() -> Result<Secret, BackupError>) -> Result<Self, BackupError> {
        let mut file = opened(path).map_err(BackupError::at(path))?;
        let mut begin = Vec::new();
        let looked = file.by_ref().take(8).read_to_end(&mut begin).and_then(|_| file.seek(SeekFrom::Start(0)));
        looked.map_err(BackupError::at(path))?;
        let source: Box<dyn Source> = if begin == MAGIC {
            let opening = Opening::begin(BufReader::new(file), &passphrase()?);
            // Errors of the encryption have texts of our own, so they are shown.
            Box::new(BufReader::new(opening.map_err(|cause| BackupError::damaged_by(cause.to_string(), cause))?))
        } else if begin.starts_with(ARCHIVE) {
            Box::new(BufReader::new(file))
        } else {
            let is_empty = begin.is_empty();
            return Err(BackupError::damaged(if is_empty {
                "it is empty"
            } else {
                "`quarterdeck backup` did not make it"
            }));
        };
        let mut zip = ZipArchive::new(source).map_err(|cause| {
            let text = "its end is missing or was changed; it may be an incomplete copy";
            if let ZipError::Io(cause) = cause {
                BackupError::unread("its end", cause)
            } else {
                BackupError::damaged_by(text, cause)
            }
        })?;
        let mut text = Vec::new();
        let entry = zip.by_name(MANIFEST).map_err(|cause| BackupError::damaged_by("it has no manifest", cause))?;
        let read = entry.take(MAX_MANIFEST_BYTES + 1).read_to_end(&mut text);
        read.map_err(|cause| BackupError::unread("its manifest", cause))?;
        if u64::try_from(text.len()).is_ok_and(|length| length > MAX_MANIFEST_BYTES) {
            return Err(BackupError::bad("its manifest is too large"));
        }
        let manifest = serde_json::from_slice(&text);
        let manifest: Manifest = manifest.map_err(|cause| BackupError::damaged_by("its manifest is damaged", cause))?;
        let tables = manifest.tables()?;
        manifest.check_parts(&tables)?;
        if zip.len() != manifest.parts.len() + 1 {
            return Err(BackupError::bad("its parts differ from the list in its manifest"));
        }
        Ok(Self { zip, manifest, tables })
    }

    /// Reads every part to its end, and checks sizes, hashes and the form of each row.
    pub(crate) fn check(&mut self) -> Result<(), BackupError> {
        for table in self.tables.clone() {
            let mut rows = self.rows(&table)?;
            while !rows.batch(usize::MAX)?.is_empty() {}
            rows.end()?;
        }
        let others: Vec<Part> = self.manifest.parts.iter().filter(|part| part.rows.is_none()).cloned().collect();
        for part in others {
            if !part.name.starts_with(FILES) && part.bytes > MAX_SMALL_PART_BYTES {
                return Err(BackupError::bad(format!("{} is too large", part.name)));
            }
            self.copy(&part, &mut std::io::sink())?;
        }
        Ok(())
    }

    /// Returns a reader for the rows of a table.
    pub(super) fn rows<'a>(&'a mut self, table: &'a Table) -> Result<Rows<'a>, BackupError> {
        let name = table_part(&table.name);
        let part = self.manifest.part(&name).cloned().ok_or_else(|| BackupError::bad(format!("it lacks {name}")))?;
        let reader = BufReader::new(entry(&mut self.zip, &part)?);
        Ok(Rows { table, part, reader, count: 0 })
    }

    /// Copies a part. Refuses a part whose size or hash differs from the manifest.
    pub(super) fn copy(&mut self, part: &Part, target: &mut dyn std::io::Write) -> Result<(), BackupError> {
        let mut entry = entry(&mut self.zip, part)?;
        copied(&mut entry, target, &part.name)?;
        entry.end(part)
    }

    /// Returns a small part as a whole; `None` if the backup has no part of that name.
    pub(super) fn small(&mut self, name: &str) -> Result<Option<Vec<u8>>, BackupError> {
        let Some(part) = self.manifest.part(name).cloned() else { return Ok(None) };
        if part.bytes > MAX_SMALL_PART_BYTES {
            return Err(BackupError::bad(format!("{name} is too large")));
        }
        let mut bytes = Vec::new();
        self.copy(&part, &mut bytes)?;
        Ok(Some(bytes))
    }
}

/// Opens a part. The reader yields at most one byte more than the manifest says.
fn entry<'a>(
    zip: &'a mut ZipArchive<Box<dyn Source>>,
    part: &Part,
) -> Result<Hashing<ZipFile<'a, Box<dyn Source>>>, BackupError> {
    let source = zip.by_name(&part.name).map_err(|cause| {
        let is_missing = matches!(cause, ZipError::FileNotFound);
        let name = &part.name;
        BackupError::damaged_by(
            if is_missing { format!("it lacks {name}") } else { format!("{name} is damaged") },
            cause,
        )
    })?;
    Ok(Hashing { source, digest: Context::new(&SHA256), bytes: 0 })
}

/// Copies a part to its end. A read error means damage; a write error means that the target's disk is full or failed.
fn copied(source: &mut dyn Read, target: &mut dyn std::io::Write, part: &str) -> Result<(), BackupError> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let length = source.read(&mut piece).map_err(|cause| BackupError::unread(part, cause))?;
        if length == 0 {
            return Ok(());
        }
        let written = target.write_all(piece.get(..length).unwrap_or_default());
        written.map_err(|cause| BackupError::File { file: part.to_owned(), cause })?;
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read(target)?;
        self.digest.update(target.get(..read).unwrap_or_default());
        self.bytes += u64::try_from(read).unwrap_or_default();
        Ok(read)
    }
}

impl<R> Hashing<R> {
    fn end(self, part: &Part) -> Result<(), BackupError> {
        let is_same = self.bytes == part.bytes && HEXLOWER.encode(self.digest.finish().as_ref()) == part.sha256;
        if is_same {
            Ok(())
        } else {
            Err(BackupError::damaged(format!("{} was changed after the backup was made", part.name)))
        }
    }
}

impl Rows<'_> {
    /// Returns the next rows, at most `max`; an empty list at the end.
    pub(super) fn batch(&mut self, max: usize) -> Result<Vec<Vec<Value>>, BackupError> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut line = String::new();
        while batch.len() < max && bytes < BATCH_BYTES {
            line.clear();
            let name = &self.part.name;
            let read = self.reader.by_ref().take(MAX_ROW_BYTES + 1).read_line(&mut line);
            bytes += read.map_err(|cause| BackupError::unread(name, cause))?;
            if line.is_empty() {
                break;
            }
            self.count += 1;
            let row = line.strip_suffix('\n').and_then(|line| rows::row(self.table, line));
            let row = row.ok_or_else(|| BackupError::damaged(format!("line {} of {name} is not a row", self.count)))?;
            batch.push(row);
        }
        Ok(batch)
    }

    /// Refuses a part whose number of rows, size or hash differs from the manifest.
    pub(super) fn end(self) -> Result<(), BackupError> {
        if self.part.rows != Some(self.count) {
            return Err(BackupError::damaged(format!(
                "{} has {} rows, which differs from the manifest",
                self.part.name, self.count
            )));
        }
        self.reader.into_inner().end(&self.part)
    }
}
