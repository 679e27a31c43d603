//! The local file store: a directory of this machine.

use std::collections::BTreeMap;
use std::fs::{File, read_dir, remove_file};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::storage::report::{Kind, Step, StepFailure};
use quarterdeck_actors::storage::settings::StoreSettings;
use tokio::sync::Semaphore;

use super::endpoint::Endpoint;
use super::network::code;
use super::objects::{Done, Objects, StoreDescription, joined, unusable};
use crate::files::private;

const SETTING: &str = "FileSettings.Directory";

/// The timeout of one operation, because a network disk can hang.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The maximum number of simultaneous operations in a directory, including those whose caller has timed out.
const MAX_OPERATIONS_PER_FOLDER: usize = 8;

/// A directory. Relative paths start at the working directory.
pub(super) struct Folder {
    path: PathBuf,
    /// True for a trial of submitted settings: it creates only a probe file, and its errors reveal nothing about paths.
    is_tried: bool,
    turns: Arc<Semaphore>,
    about: StoreDescription,
}

/// Returns the semaphore of a directory, which all stores on that directory share.
fn turns_at(path: &Path) -> Arc<Semaphore> {
    static OPERATION_PERMITS: Mutex<BTreeMap<PathBuf, Weak<Semaphore>>> = Mutex::new(BTreeMap::new());
    let mut all = OPERATION_PERMITS.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|_, turns| turns.strong_count() > 0);
    if let Some(turns) = all.get(path).and_then(Weak::upgrade) {
        return turns;
    }
    let turns = Arc::new(Semaphore::new(MAX_OPERATIONS_PER_FOLDER));
    all.insert(path.to_owned(), Arc::downgrade(&turns));
    turns
}

impl Folder {
    pub(super) fn open(settings: &StoreSettings) -> Result<Self, StepFailure> {
        if settings.directory.is_empty() {
            return Err(unusable("no directory is set", format!("Set {SETTING}.")));
        }
        let path = std::path::absolute(&settings.directory)
            .map_err(|error| unusable(format!("{}: {error}", settings.directory), format!("Check {SETTING}.")))?;
        let is_tried = settings.is_tried;
        let about = StoreDescription {
            driver: "local",
            // The error for a caller who tests settings does not contain the working directory.
            target: if is_tried { settings.directory.clone() } else { path.display().to_string() },
            identity: format!("the server's own user (uid {})", rustix::process::geteuid().as_raw()),
            request_timeout: OPERATION_TIMEOUT,
            place: SETTING,
            tls: "",
            note: None,
        };
        Ok(Self { turns: turns_at(&path), path, is_tried, about })
    }

    /// Runs blocking work on the path of `key`, on a blocking thread.
    fn at<T: Send + 'static>(
        &self,
        step: Step,
        key: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Done<'static, T> {
        let path = self.path.join(joined("", key));
        let is_tried = self.is_tried;
        let failed = move |path: &Path, error: &io::Error| {
            if !is_tried {
                return failure(step, path, error);
            }
            // A directory without space exists, which the test reveals as well if there is space.
            full(step, error).unwrap_or_else(no_folder)
        };
        let turns = self.turns.clone();
        async move {
            let place = path.clone();
            let turn = turns.acquire_owned().await.map_err(|error| failed(&place, &io::Error::other(error)))?;
            // The permit moves along, because work that waits for a disk cannot be cancelled.
            let working = move || {
                let done = work(&path);
                drop(turn);
                done
            };
            match tokio::task::spawn_blocking(working).await {
                Ok(ended) => ended.map_err(|error| failed(&place, &error)),
                Err(error) => Err(failed(&place, &io::Error::other(error))),
            }
        }
        .boxed()
    }
}

impl Objects for Folder {
    fn about(&self) -> &StoreDescription {
        &self.about
    }

    fn endpoint(&self) -> Option<Endpoint> {
        None
    }

    fn look(&self) -> Done<'_, ()> {
        async move {
            if self.is_tried {
                return self.at(Step::Bucket, "", usable).await;
            }
            self.at(Step::Bucket, "", |folder| {
                private::folder(folder)?;
                if folder.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
            })
            .await?;
            self.at(Step::List, "", |folder| read_dir(folder)?.next().transpose().map(|_| ())).await
        }
        .boxed()
    }

    fn write<'a>(&'a self, key: &'a str, content: Bytes) -> Done<'a, ()> {
        self.at(Step::Write, key, move |path| {
            if let Some(folder) = path.parent() {
                private::folder(folder)?;
            }
            // A reader finds the earlier content or the new one, but no part of it.
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(format!(".{}", new_id()));
            let written = path.with_file_name(name);
            let stored = whole(&written, &content).and_then(|()| std::fs::rename(&written, path));
            stored.inspect_err(|_| {
                let _ = remove_file(&written);
            })
        })
    }

    fn read<'a>(&'a self, key: &'a str) -> Done<'a, Bytes> {
        self.at(Step::Read, key, |path| {
            let mut content = Vec::new();
            File::open(path)?.read_to_end(&mut content)?;
            Ok(content.into())
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Done<'a, ()> {
        self.at(Step::Delete, key, |path| match remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        })
    }
}

fn whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = private::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Checks that the server can list and write a folder. Creates only a probe file and deletes it.
fn usable(folder: &Path) -> io::Result<()> {
    read_dir(folder)?.next().transpose()?;
    let probe = folder.join(format!("qd-probe-{}", new_id()));
    let written = whole(&probe, b"");
    let removed = remove_file(&probe);
    written.and(removed)
}

/// Returns the error of a directory in a trial. It is the same for a missing, a wrong and an inaccessible directory.
fn no_folder() -> StepFailure {
    StepFailure {
        step: Step::Bucket,
        kind: Kind::Missing,
        code: None,
        cause: "the directory does not exist or the server cannot read and write it".to_owned(),
        remedy: format!(
            "Set {SETTING} to an existing directory, and give the server's user the rights to read, write and \
             search it."
        ),
    }
}

/// Returns the failure for a full disk or an exhausted quota, without a path; `None` for other errors.
fn full(step: Step, error: &io::Error) -> Option<StepFailure> {
    let cause = match code(error)? {
        "ENOSPC" => "the disk of the directory is full",
        "EDQUOT" => "the disk quota of the server's user is exhausted",
        _ => return None,
    };
    Some(StepFailure { cause: cause.to_owned(), ..failure(step, Path::new(""), error) })
}

/// Returns the failure for an error of the file system at a path.
pub(super) fn failure(step: Step, path: &Path, error: &io::Error) -> StepFailure {
    let code = code(error).or((error.kind() == io::ErrorKind::NotADirectory).then_some("ENOTDIR"));
    let remedy = match code {
        Some("EACCES" | "EPERM") => "Give the server's user the rights to read, write and search",
        Some("EROFS") => "Mount the file system writable, or set another directory in",
        Some("ENOSPC") => "Free space on the disk, or set a directory on another disk in",
        Some("EDQUOT") => "Raise the disk quota of the server's user for the directory in",
        Some("ENOTDIR" | "EEXIST") => "Correct the path, on which every element must be a directory, in",
        Some("EIO" | "ESTALE") => "Check the disk or the mount under the directory in",
        Some(_) | None => "Check the path in",
    };
    StepFailure {
        step,
        kind: Kind::Other,
        code: code.map(str::to_owned),
        cause: format!("{}: {error}", path.display()),
        remedy: format!("{remedy} {SETTING}."),
    }
}
