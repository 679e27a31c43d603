//! Tests of the local file store.

use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use quarterdeck_actors::storage::report::{Kind, Step};
use quarterdeck_actors::storage::settings::StoreSettings;
use serde_json::json;
use tokio::time::timeout;

use super::support::{expect_failure, expect_passed, passed, probed, settings};
use crate::files::Stores;
use crate::files::local::failure;
use crate::files::needs;

#[tokio::test]
async fn a_directory_is_made_and_nothing_is_left_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("a/b");
    let report = probed(&at(&files)).await;
    expect_passed(&report);
    assert_eq!(passed(&report).first_chunk(), Some(&["settings", "bucket"]));
    assert_eq!(std::fs::metadata(&files).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(names(&files), Vec::<String>::new());
    assert!(report.identity.contains("uid"), "{}", report.identity);
}

#[tokio::test]
async fn what_is_written_belongs_to_the_server_alone() {
    let folder = tempfile::tempdir().unwrap();
    let objects = Stores::objects(&at(folder.path())).unwrap();
    objects.write("one", Bytes::from_static(b"1")).await.unwrap();
    assert_eq!(std::fs::metadata(folder.path().join("one")).unwrap().permissions().mode() & 0o777, 0o600);
    objects.delete("one").await.unwrap();
    objects.delete("one").await.unwrap();
}

#[tokio::test]
async fn a_file_is_no_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let report = probed(&at(&file.path().join("below"))).await;
    expect_failure(&report, Step::Bucket, Kind::Other, Some("ENOTDIR"), "FileSettings.Directory");
}

#[tokio::test]
async fn a_directory_that_is_only_tried_is_not_made_and_tells_no_paths_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("file"), "").unwrap();
    std::fs::create_dir(path("there")).unwrap();
    std::os::unix::fs::symlink(path("there"), path("link")).unwrap();
    std::os::unix::fs::symlink(path("nowhere"), path("dangling")).unwrap();
    std::os::unix::fs::symlink(path("round"), path("round")).unwrap();
    let tried = async |path: &Path| {
        let mut report = probed(&StoreSettings { is_tried: true, ..at(path) }).await;
        assert_eq!(report.target, path.to_str().unwrap(), "what was typed, and not where relative paths begin");
        report.target.clear();
        report.duration_ms = 0;
        report.stages.iter_mut().for_each(|stage| stage.duration_ms = 0);
        report
    };
    for good in [path("there"), path("link"), path("there/../there")] {
        expect_passed(&tried(&good).await);
        assert!(names(&good).is_empty());
    }
    let missing = tried(&path("missing")).await;
    expect_failure(&missing, Step::Bucket, Kind::Missing, None, "FileSettings.Directory");
    for bad in [
        path("missing/below"),
        path("file"),
        path("file/below"),
        path("dangling"),
        path("round"),
        path("missing/../there"),
        path(&"long".repeat(100)),
        "relative/nowhere".into(),
        "../../nowhere".into(),
        "/proc".into(),
        "/sys/kernel".into(),
        "/dev/null".into(),
    ] {
        assert_eq!(tried(&bad).await, missing, "{}", bad.display());
    }
    let mut left = names(folder.path());
    left.sort();
    assert_eq!(left, ["dangling", "file", "link", "round", "there"]);
}

#[tokio::test]
async fn a_full_disk_fails_at_the_write_and_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(folder.path()) else { return };
    let filler = folder.path().join("filler");
    std::fs::write(&filler, vec![0; 8 << 20]).unwrap_err();
    let report = probed(&at(folder.path())).await;
    expect_failure(&report, Step::Write, Kind::Other, Some("ENOSPC"), "Free space");
    // A directory that is only tried has the same remedy, without a path.
    let report = probed(&StoreSettings { is_tried: true, ..at(folder.path()) }).await;
    expect_failure(&report, Step::Write, Kind::Other, Some("ENOSPC"), "Free space on the disk");
    assert_eq!(report.failure.unwrap().cause, "the disk of the directory is full");
    assert_eq!(names(folder.path()), ["filler"]);
}

#[test]
fn an_exhausted_quota_is_told_apart_from_a_full_disk() {
    for (errno, code, remedy) in [
        (rustix::io::Errno::DQUOT, "EDQUOT", "Raise the disk quota of the server's user"),
        (rustix::io::Errno::NOSPC, "ENOSPC", "Free space on the disk, or set a directory on another disk"),
    ] {
        let told = failure(Step::Write, Path::new("/files"), &errno.into());
        assert_eq!((told.step, told.code.as_deref()), (Step::Write, Some(code)));
        assert!(told.remedy.starts_with(remedy) && told.remedy.contains("FileSettings.Directory"), "{}", told.remedy);
    }
}

#[tokio::test]
async fn a_read_only_disk_fails_at_the_write() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(folder.path()) else { return };
    assert!(mount(&["-o", "remount,ro"], folder.path()));
    let report = probed(&at(folder.path())).await;
    expect_failure(&report, Step::Write, Kind::Other, Some("EROFS"), "FileSettings.Directory");
}

#[test]
fn a_disk_that_hangs_holds_up_a_few_threads_and_not_all() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(16).enable_all().build().unwrap();
    let is_free = runtime.block_on(async {
        for _ in 0..40 {
            // Opening the pipe waits for a writer, and there is none.
            let store = Stores::objects(&at(folder.path())).unwrap();
            timeout(Duration::from_millis(5), store.read("pipe")).await.unwrap_err();
        }
        timeout(Duration::from_secs(5), tokio::task::spawn_blocking(|| ())).await.is_ok()
    });
    drop(OpenOptions::new().read(true).write(true).open(&pipe).unwrap());
    runtime.shutdown_background();
    assert!(is_free);
}

#[tokio::test]
async fn nothing_else_is_a_driver() {
    let report = probed(&settings(json!({"DriverName": "tape"}))).await;
    expect_failure(&report, Step::Settings, Kind::Unusable, None, "FileSettings.DriverName");
}

fn at(folder: &Path) -> StoreSettings {
    settings(json!({"Directory": folder}))
}

fn names(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A small mounted file system, which is unmounted when this is dropped.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(path: &'a Path) -> Option<Self> {
        let is_mounted = || mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], path);
        needs::present("mount", is_mounted, "run the tests as root that may mount a tmpfs")?;
        Some(Self(path))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

fn mount(options: &[&str], path: &Path) -> bool {
    Command::new("mount").args(options).arg(path).status().is_ok_and(|status| status.success())
}
