//! A full disk: existing data stays, and the next write succeeds when there is space again.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::config_place::{ConfigPlace, StoreKind};
use crate::support::needs;

const NOT_SAVED: &str = "app.save_config.app_error";

#[actix_web::test]
async fn a_full_disk_loses_nothing() {
    let place = ConfigPlace::new(StoreKind::InFile).await;
    let Some(disk) = Disk::mount(&place.store()) else { return };
    let server = place.start().await;
    let before = place.rename("before").await;
    let filler = disk.path.join("filler");
    let full = std::fs::write(&filler, vec![0; 8 << 20]);
    assert!(full.is_err(), "the disk is smaller than that");
    let bytes = std::fs::read(place.file()).unwrap();
    for _ in 0..3 {
        let refused = place.try_rename("after").await.unwrap();
        refused.expect_refusal(500, NOT_SAVED);
        assert!(refused.text().contains("No space left on device"), "{}", refused.text());
    }
    assert_eq!(std::fs::read(place.file()).unwrap(), bytes);
    assert_eq!(std::fs::read_dir(place.store()).unwrap().count(), 3, "file, versions and filler: no remains");
    assert_eq!(place.in_force().await, ("before".to_owned(), before.clone()));
    server.kill().await;
    let server = place.start().await;
    assert_eq!(place.in_force().await, ("before".to_owned(), before));
    std::fs::remove_file(filler).unwrap();
    let after = place.rename("after").await;
    server.kill().await;
    let server = place.start().await;
    assert_eq!(place.in_force().await, ("after".to_owned(), after));
    drop(server);
}

#[actix_web::test]
async fn a_disk_that_turned_read_only_loses_nothing() {
    let place = ConfigPlace::new(StoreKind::InFile).await;
    let Some(disk) = Disk::mount(&place.store()) else { return };
    let server = place.start().await;
    let before = place.rename("before").await;
    disk.remount("ro");
    let refused = place.try_rename("after").await.unwrap();
    refused.expect_refusal(500, NOT_SAVED);
    assert!(refused.text().contains("Read-only file system"), "{}", refused.text());
    assert_eq!(place.in_force().await, ("before".to_owned(), before.clone()));
    server.kill().await;
    let server = place.start().await;
    assert_eq!(place.in_force().await, ("before".to_owned(), before));
    disk.remount("rw");
    place.rename("after").await;
    assert_eq!(place.in_force().await.0, "after");
    drop(server);
}

/// A small separate file system. It is removed at the end of the test.
struct Disk {
    path: PathBuf,
}

impl Disk {
    fn mount(path: &Path) -> Option<Self> {
        let is_mounted = || mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], path);
        needs::present("mount", is_mounted, "run the tests as root that may mount a tmpfs")?;
        Some(Self { path: path.to_owned() })
    }

    fn remount(&self, how: &str) {
        assert!(mount(&["-o", &format!("remount,{how}")], &self.path));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

fn mount(options: &[&str], path: &Path) -> bool {
    Command::new("mount").args(options).arg(path).status().is_ok_and(|status| status.success())
}
