//! A full disk, and a store that refuses: existing data stays, the refusal says why, and the next write succeeds when
//! there is space again.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::backdoor::named_in;
use crate::support::config_place::{ConfigPlace, StoreKind, version_of};
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

#[actix_web::test]
async fn a_database_that_stores_nothing_is_quoted_in_the_refusal() {
    let place = ConfigPlace::new(StoreKind::InDatabase).await;
    let server = place.start().await;
    let body = json!({ "TeamSettings": { "SiteName": "waits" } });
    let reply = place.client().put("/config/patch?confirm_within=3600", body).await;
    reply.expect(200);
    let version = version_of(&reply);
    refuse(&place, "INSERT", "configurations").await;
    refuse(&place, "DELETE", "qd_configconfirmation").await;
    let saved = place.try_rename("after").await.unwrap();
    let confirmed = place.client().post(&format!("/config/versions/{version}/confirm"), Value::Null).await;
    for refused in [saved, confirmed] {
        refused.expect_refusal(500, NOT_SAVED);
        assert!(refused.text().contains("no room is left"), "{}", refused.text());
    }
    assert_eq!(place.in_force().await, ("waits".to_owned(), version));
    drop(server);
}

#[actix_web::test]
async fn a_confirmation_that_cannot_be_stored_says_why() {
    let place = ConfigPlace::new(StoreKind::InFile).await;
    let Some(disk) = Disk::mount(&place.store()) else { return };
    let server = place.start().await;
    place.rename("before").await;
    let body = json!({ "TeamSettings": { "SiteName": "waits" } });
    let reply = place.client().put("/config/patch?confirm_within=3600", body).await;
    reply.expect(200);
    disk.remount("ro");
    let path = format!("/config/versions/{}/confirm", version_of(&reply));
    let refused = place.client().post(&path, Value::Null).await;
    refused.expect_refusal(500, NOT_SAVED);
    assert!(refused.text().contains("Read-only file system"), "{}", refused.text());
    disk.remount("rw");
    place.client().post(&path, Value::Null).await.expect(200);
    drop(server);
}

/// Makes the database refuse every statement of this kind on a table.
async fn refuse(place: &ConfigPlace, statement: &str, table: &str) {
    let (engine, _) = named_in(place.home.folder());
    let sql = if engine == "postgres" {
        format!(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql \
             AS $$BEGIN RAISE EXCEPTION 'no room is left'; END$$; \
             CREATE TRIGGER refuse BEFORE {statement} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    } else {
        format!(
            "CREATE TRIGGER refuse_{table} BEFORE {statement} ON {table} \
             BEGIN SELECT RAISE(ABORT, 'no room is left'); END"
        )
    };
    place.home.execute(&sql).await;
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
