//! `kill -9` during `quarterdeck backup`: the file is complete or missing, and the database is unchanged.

use std::path::Path;

use rustix::process::Signal;

use crate::support::backup::{
    Moment, QUIET, bad, bring, filled, good, inhabited, kill_at, kills, moments, names, signal,
};
use crate::support::process::Workplace;
use crate::support::waiting::until;

const PART: &str = ".one.qdbackup.part";

#[actix_web::test]
async fn a_killed_backup_leaves_no_file_or_a_whole_one() {
    let (place, server, admin) = inhabited(QUIET).await;
    let bytes = filled(&place);
    let mut cut_off = 0;
    for moment in moments(kills(), bytes) {
        cut_off += usize::from(killed(&place, moment).await);
        // The server that runs meanwhile continues.
        admin.get("/users/me").await.expect(200);
    }
    assert!(server.stop().await.success());
    for moment in moments(2, bytes) {
        cut_off += usize::from(killed(&place, moment).await);
        good(place.run(&["check"], "").await);
    }
    assert!(cut_off > 0, "no round was in the middle");
    // The next attempt overwrites the remains.
    std::fs::write(place.path(PART), "left").unwrap();
    good(place.run(&["backup", "one.qdbackup", "--with-files"], "").await);
    good(place.run(&["backup", "verify", "one.qdbackup"], "").await);
    assert!(!place.path(PART).exists());
    let server = place.serve().await;
    server.client().log_in("anna").await;
    assert!(server.stop().await.success());
    println!("{cut_off} backups were cut off");
}

/// Kills one backup at a given time. Returns true if the backup was not complete yet.
async fn killed(place: &Workplace, moment: Moment) -> bool {
    let arguments = ["backup", "one.qdbackup", "--with-files"];
    kill_at(place, &arguments, moment, |place| size(&place.path(PART))).await;
    let is_made = place.path("one.qdbackup").exists();
    let is_left = place.path(PART).exists();
    let known = ["one.qdbackup", PART, "audit.key", "config.toml", "files", "stderr"];
    let is_known = |name: &String| known.contains(&name.as_str()) || name.starts_with("test.");
    assert!(names(place).iter().all(is_known), "{:?}", names(place));
    if is_made {
        assert!(!is_left);
        good(place.run(&["backup", "verify", "one.qdbackup"], "").await);
        std::fs::remove_file(place.path("one.qdbackup")).unwrap();
    }
    is_left
}

fn size(file: &Path) -> Option<u64> {
    std::fs::metadata(file).ok().map(|found| found.len())
}

#[actix_web::test]
async fn what_a_killed_backup_left_is_refused_by_its_name_and_replaced_by_the_next_one() {
    let (place, server, _) = inhabited(QUIET).await;
    let bytes = filled(&place);
    assert!(server.stop().await.success());
    let target = Workplace::new(QUIET).await;
    for passphrase in [None, Some("Correct-Horse-1")] {
        let mut arguments = vec!["backup", "one.qdbackup", "--with-files", "--with-keys"];
        let mut unlocking = Vec::new();
        if let Some(passphrase) = passphrase {
            std::fs::write(place.path("words"), passphrase).unwrap();
            std::fs::write(target.path("words"), passphrase).unwrap();
            unlocking = vec!["--passphrase-file", "words"];
        }
        arguments.extend(&unlocking);
        while !place.path(PART).exists() {
            let _ = std::fs::remove_file(place.path("one.qdbackup"));
            kill_at(&place, &arguments, Moment::Written(bytes / 2), |place| size(&place.path(PART))).await;
        }
        bring(&place, &target, PART);
        let before = names(&target);
        for (place, command) in [(&place, ["backup", "verify", PART].as_slice()), (&target, &["restore", PART])] {
            let refused = bad(place.run(&[command, &unlocking].concat(), "").await);
            assert!(refused.contains(&format!("{PART} is not a whole backup: ")), "{command:?}: {refused}");
            assert!(refused.contains("make the backup again"), "{command:?}: {refused}");
        }
        assert_eq!(names(&target), before);
        good(place.run(&arguments, "").await);
        assert!(!place.path(PART).exists());
        good(place.run(&[&["backup", "verify", "one.qdbackup"][..], &unlocking].concat(), "").await);
        std::fs::remove_file(place.path("one.qdbackup")).unwrap();
    }
}

#[actix_web::test]
async fn two_backups_of_one_name_do_not_write_into_each_other() {
    let (place, server, _) = inhabited(QUIET).await;
    filled(&place);
    assert!(server.stop().await.success());
    let arguments = ["backup", "one.qdbackup", "--with-files"];
    let mut first = loop {
        let mut first = place.begin(&arguments);
        until("the first one writes", async || size(&place.path(PART)).is_some_and(|size| size > 0)).await;
        signal(&first, Signal::STOP);
        if place.path(PART).exists() {
            break first;
        }
        // The backup was complete before the signal.
        signal(&first, Signal::CONT);
        assert!(first.wait().await.unwrap().success());
        std::fs::remove_file(place.path("one.qdbackup")).unwrap();
    };
    let refused = bad(place.run(&arguments, "").await);
    assert!(refused.contains("is being written by another backup with this name"), "{refused}");
    signal(&first, Signal::CONT);
    assert!(first.wait().await.unwrap().success());
    good(place.run(&["backup", "verify", "one.qdbackup"], "").await);
}
