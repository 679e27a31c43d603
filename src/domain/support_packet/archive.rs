//! Writes a zip archive from front to back, and records its contents.

use std::io::{Error, Result, Write};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;
use serde::Serialize;
use time::OffsetDateTime;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The description of an entry, uncompressed.
#[derive(Debug, Serialize)]
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// An archive that is being written.
pub(crate) struct Archive<W: Write> {
    zip: ZipWriter<StreamWriter<W>>,
    options: SimpleFileOptions,
    contents: Vec<Content>,
}

/// An entry that is being written.
pub(crate) struct Entry<'a, W: Write> {
    archive: &'a mut Archive<W>,
    name: String,
    bytes: u64,
    digest: Context,
}

impl<W: Write> Archive<W> {
    /// Returns an archive whose entries all have the given time.
    pub(crate) fn new(out: W, at: OffsetDateTime) -> Self {
        let time = DateTime::from_date_and_time(
            u16::try_from(at.year()).unwrap_or_default(),
            at.month().into(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
        );
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(time.unwrap_or_default())
            .unix_permissions(0o600);
        Self { zip: ZipWriter::new_stream(out), options, contents: Vec::new() }
    }

    /// Allows entries of 4 GiB and more.
    pub(crate) fn with_large_entries(mut self) -> Self {
        self.options = self.options.large_file(true);
        self
    }

    /// Adds a complete entry.
    pub(crate) fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut entry = self.begin(name)?;
        entry.write_all(bytes)?;
        entry.end();
        Ok(())
    }

    /// Starts an entry, which [`Entry::end`] completes.
    pub(crate) fn begin(&mut self, name: &str) -> Result<Entry<'_, W>> {
        self.zip.start_file(name, self.options).map_err(Error::other)?;
        Ok(Entry { archive: self, name: name.to_owned(), bytes: 0, digest: Context::new(&SHA256) })
    }

    /// Returns the descriptions of the completed entries.
    pub(crate) fn contents(&self) -> &[Content] {
        &self.contents
    }

    /// Writes the directory of the archive.
    pub(crate) fn finish(self) -> Result<W> {
        Ok(self.zip.finish().map_err(Error::other)?.into_inner())
    }
}

impl<W: Write> Write for Entry<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = self.archive.zip.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        self.bytes += u64::try_from(written).unwrap_or_default();
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl<W: Write> Entry<'_, W> {
    /// Completes the entry and records its description.
    pub(crate) fn end(self) {
        let sha256 = HEXLOWER.encode(self.digest.finish().as_ref());
        self.archive.contents.push(Content { name: self.name, bytes: self.bytes, sha256 });
    }
}
