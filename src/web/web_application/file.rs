//! A file of a web application. It is read and compressed once, and stays in memory.
//!
//! Any client may request a file, also one that disconnects at once. So the work has a task of its own, which stores its
//! result even if no request waits for it any more, and one file is worked on at a time.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use quarterdeck_actors::background;
use tokio::sync::Semaphore;
use tracing::warn;

use super::folder::{self, Found, Kind};
use super::{page, tag_of};
use crate::base::site_path::SitePath;
use crate::web::prepared::Packed;

/// A file of the application.
pub(crate) struct File {
    pub(super) found: Found,
    content: OnceLock<Content>,
    /// The latest reading of the file. Requests share it until it ends.
    reading: Mutex<Option<Reading>>,
}

type Reading = Shared<BoxFuture<'static, ()>>;

/// The content of a file, shared by all responses.
pub(super) struct Content {
    pub(super) body: Body,
    /// The entity tag.
    pub(super) tag: String,
}

/// The bytes of a file.
pub(super) enum Body {
    Packed(Packed),
    Plain(Bytes),
}

/// Reads files, one at a time.
pub(super) struct Reader {
    site_path: SitePath,
    turns: Semaphore,
}

impl Reader {
    pub(super) fn new(site_path: SitePath) -> Arc<Self> {
        Arc::new(Self { site_path, turns: Semaphore::new(1) })
    }

    /// Reads the file if no earlier reading did. A failure is logged, and leaves the file as it was.
    async fn read(self: Arc<Self>, file: Arc<File>) {
        let Ok(_turn) = self.turns.acquire().await else { return };
        if file.content.get().is_some() {
            return;
        }
        let (found, site_path) = (file.found.clone(), self.site_path.clone());
        let reading = background::compute(move || content(&found, &site_path));
        match reading.await.map_err(|cause| cause.to_string()).and_then(|read| read) {
            Ok(content) => {
                // Fails only if there is a content already, which the turn rules out.
                let _ = file.content.set(content);
            }
            Err(cause) => {
                warn!(file = %file.found.path.display(), %cause, "a file of the web application cannot be read");
            }
        }
    }
}

impl File {
    pub(super) fn new(found: Found) -> Arc<Self> {
        Arc::new(Self { found, content: OnceLock::new(), reading: Mutex::default() })
    }

    /// Returns the content; `None` if the file cannot be read.
    pub(super) async fn content(self: &Arc<Self>, reader: &Arc<Reader>) -> Option<&Content> {
        if self.content.get().is_none() {
            self.reading(reader).await;
        }
        self.content.get()
    }

    /// Returns the reading that is in progress, or starts one.
    fn reading(self: &Arc<Self>, reader: &Arc<Reader>) -> Reading {
        let mut latest = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = latest.as_ref().filter(|reading| reading.peek().is_none()) {
            return reading.clone();
        }
        let task = tokio::spawn(reader.clone().read(self.clone()));
        let reading = task.map(drop).boxed().shared();
        *latest = Some(reading.clone());
        reading
    }
}

/// Reads a file, and compresses it if its kind is compressible. A file that has changed its place is refused.
fn content(found: &Found, site_path: &SitePath) -> Result<Content, String> {
    let read = folder::content(found)?;
    let bytes = if found.kind.names_files { page::at(site_path, read) } else { read };
    let tag = tag_of(&bytes);
    let body = match found.kind {
        Kind { is_text: true, .. } => Body::Packed(Packed::new(bytes)),
        Kind { is_text: false, .. } => Body::Plain(bytes.into()),
    };
    Ok(Content { body, tag })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// Returns the files of an application with these names, each with its name as its content.
    fn files(names: &[&str]) -> (TempDir, Vec<Arc<File>>) {
        let folder = tempfile::tempdir().unwrap();
        for name in names.iter().chain(&["root.html"]) {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let mut listed = folder::list(folder.path(), &[]).unwrap().files;
        let files = names.iter().map(|name| File::new(listed.remove(*name).unwrap())).collect();
        (folder, files)
    }

    fn latest(file: &File) -> Reading {
        file.reading.lock().unwrap().clone().unwrap()
    }

    #[actix_web::test]
    async fn clients_that_disconnect_leave_one_reading_whose_result_is_kept() {
        let (folder, files) = files(&["main.js"]);
        let (file, reader) = (&files[0], Reader::new(SitePath::default()));
        let held = reader.turns.acquire().await.unwrap();
        assert!(file.content(&reader).now_or_never().is_none());
        let first = latest(file);
        for _ in 0..8 {
            assert!(file.content(&reader).now_or_never().is_none());
            assert!(latest(file).ptr_eq(&first), "a request started the work again");
        }
        drop(held);
        first.await;
        assert!(file.content.get().is_some(), "the result was lost with its requests");
        std::fs::remove_file(folder.path().join("main.js")).unwrap();
        assert!(file.content(&reader).now_or_never().unwrap().is_some(), "the next request reads nothing");
    }

    #[actix_web::test]
    async fn one_file_is_read_at_a_time() {
        let (_folder, files) = files(&["a.js", "b.js"]);
        let reader = Reader::new(SitePath::default());
        let held = reader.turns.acquire().await.unwrap();
        for file in &files {
            assert!(file.content(&reader).now_or_never().is_none());
        }
        // A reading that took no turn would end.
        let readings: Vec<Reading> = files.iter().map(|file| latest(file)).collect();
        assert_eq!(reader.turns.available_permits(), 0);
        drop(held);
        for (file, reading) in files.iter().zip(readings) {
            reading.await;
            assert!(
                matches!(&file.content.get().unwrap().body, Body::Packed(packed) if packed.plain.ends_with(b".js"))
            );
        }
        assert_eq!(reader.turns.available_permits(), 1);
    }

    #[actix_web::test]
    async fn a_file_that_cannot_be_read_is_tried_again_at_the_next_request() {
        let (folder, files) = files(&["main.js"]);
        let (file, reader, path) = (&files[0], Reader::new(SitePath::default()), folder.path().join("main.js"));
        std::fs::remove_file(&path).unwrap();
        assert!(file.content(&reader).await.is_none());
        std::fs::write(&path, "back").unwrap();
        assert!(file.content(&reader).await.is_some());
    }
}
