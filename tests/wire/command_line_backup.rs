//! `quarterdeck backup` and `backup verify`, as an operator runs them.

use std::os::unix::fs::PermissionsExt;

use crate::support::backup::{QUIET, bad, good, inhabited, names};
use crate::support::process::Workplace;

#[actix_web::test]
async fn a_backup_beside_a_running_server_is_private_replaces_nothing_and_is_proved() {
    let (place, server, _) = inhabited(QUIET).await;
    let said = good(place.run(&["backup", "one.qdbackup"], "").await);
    assert!(said.starts_with("one.qdbackup\n") && said.contains("with 2 accounts"), "{said}");
    assert!(said.contains("it contains every change that was acknowledged before 20"), "{said}");
    assert!(said.contains("it is not encrypted"), "{said}");
    let mode = std::fs::metadata(place.path("one.qdbackup")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let verified = good(place.run(&["backup", "verify", "one.qdbackup"], "").await);
    assert!(verified.contains("every part and every row is unchanged"), "{verified}");
    assert!(verified.contains("rows of the audit trail: "), "{verified}");
    let before = std::fs::read(place.path("one.qdbackup")).unwrap();
    let refused = bad(place.run(&["backup", "one.qdbackup"], "").await);
    assert!(refused.contains("one.qdbackup exists already and is not replaced"), "{refused}");
    assert_eq!(std::fs::read(place.path("one.qdbackup")).unwrap(), before);
    std::os::unix::fs::symlink("nowhere", place.path("link")).unwrap();
    bad(place.run(&["backup", "link"], "").await);
    assert!(!names(&place).iter().any(|name| name.contains(".part") || name == "nowhere"), "{:?}", names(&place));
    assert!(server.stop().await.success());
    // A backup works without a server, too.
    good(place.run(&["backup", "two.qdbackup", "--with-keys"], "").await);
    good(place.run(&["backup", "verify", "two.qdbackup"], "").await);
}

#[actix_web::test]
async fn a_backup_of_nothing_is_refused_and_makes_nothing() {
    let place = Workplace::new(QUIET).await;
    let refused = bad(place.run(&["backup", "one.qdbackup"], "").await);
    assert!(refused.contains("there is no database to back up"), "{refused}");
    assert_eq!(names(&place), ["config.toml"]);
    let refused = place.run(&["backup"], "").await;
    assert_eq!(refused.status.code(), Some(2));
}

#[actix_web::test]
async fn a_damaged_or_foreign_file_is_refused_and_restored_by_nobody() {
    let (place, server, _) = inhabited(QUIET).await;
    good(place.run(&["backup", "good.qdbackup"], "").await);
    assert!(server.stop().await.success());
    let good_bytes = std::fs::read(place.path("good.qdbackup")).unwrap();
    let other = Workplace::new(QUIET).await;
    let mut changed = good_bytes.clone();
    let place_of_change = changed.len() / 3;
    changed[place_of_change] ^= 0x55;
    let cut = good_bytes[..good_bytes.len() - 30].to_vec();
    let foreign = [
        ("changed", changed, "tables/"),
        ("cut", cut, "its end is missing or was changed"),
        ("empty", Vec::new(), "it is empty"),
        ("text", b"not a zip".to_vec(), "`quarterdeck backup` did not make it"),
    ];
    for (name, bytes, reason) in foreign {
        std::fs::write(other.path(name), bytes).unwrap();
        for command in [&["backup", "verify", name][..], &["restore", name]] {
            let refused = bad(other.run(command, "").await);
            assert!(refused.contains("the backup cannot be used: ") && refused.contains(reason), "{name}: {refused}");
            assert!(refused.contains("copy it again from where it was made, or use another backup"), "{refused}");
            for word in ["EOCD", "deflate", "checksum", "archive", "line 1 column"] {
                assert!(!refused.contains(word), "{name}: {refused}");
            }
        }
    }
    assert_eq!(names(&other), ["changed", "config.toml", "cut", "empty", "text"]);
}

#[actix_web::test]
async fn an_encrypted_backup_shows_nothing_and_needs_its_passphrase() {
    let (place, server, _) = inhabited(QUIET).await;
    std::fs::write(place.path("passphrase"), "correct horse battery\n").unwrap();
    std::fs::write(place.path("short"), "too short").unwrap();
    std::fs::write(place.path("wrong"), "incorrect horse battery").unwrap();
    let make = ["backup", "one.qdbackup", "--passphrase-file", "passphrase"];
    let said = good(place.run(&make, "").await);
    assert!(!said.contains("it is not encrypted"), "{said}");
    assert!(server.stop().await.success());
    let bytes = std::fs::read(place.path("one.qdbackup")).unwrap();
    assert!(bytes.starts_with(b"QDBACKUP") && !bytes.windows(13).any(|found| found == b"manifest.json"));
    let short = bad(place.run(&["backup", "two.qdbackup", "--passphrase-file", "short"], "").await);
    assert!(short.contains("at least 12 characters"), "{short}");
    let verify = |file: &'static str| ["backup", "verify", "one.qdbackup", "--passphrase-file", file];
    good(place.run(&verify("passphrase"), "").await);
    let wrong = bad(place.run(&verify("wrong"), "").await);
    assert!(wrong.contains("the passphrase is wrong"), "{wrong}");
    let other = Workplace::new(QUIET).await;
    std::fs::copy(place.path("one.qdbackup"), other.path("one.qdbackup")).unwrap();
    std::fs::copy(place.path("passphrase"), other.path("passphrase")).unwrap();
    good(other.run(&["restore", "one.qdbackup", "--passphrase-file", "passphrase"], "").await);
    let server = other.serve().await;
    server.client().log_in("anna").await;
}

#[actix_web::test]
async fn a_trail_that_was_changed_behind_the_server_is_found_in_the_backup() {
    let (place, server, _) = inhabited(QUIET).await;
    assert!(server.stop().await.success());
    let forge = "UPDATE qd_audits SET userid = 'nobody' WHERE number = 2";
    crate::support::backdoor::execute_in(&place.path(""), forge).await;
    good(place.run(&["backup", "one.qdbackup"], "").await);
    let ended = place.run(&["backup", "verify", "one.qdbackup"], "").await;
    assert!(String::from_utf8_lossy(&ended.stdout).contains("row 2 ("), "{ended:?}");
    assert!(bad(ended).contains("could not be verified"));
    // Without the key the trail cannot be verified, and the output says so.
    let (other, server, _) = inhabited(QUIET).await;
    good(other.run(&["backup", "one.qdbackup"], "").await);
    assert!(server.stop().await.success());
    std::fs::copy(other.path("one.qdbackup"), place.path("of_other")).unwrap();
    let ended = place.run(&["backup", "verify", "of_other"], "").await;
    assert!(String::from_utf8_lossy(&ended.stdout).contains("cannot be verified"), "{ended:?}");
    bad(ended);
    let key = other.path("audit.key").display().to_string();
    good(place.run(&["backup", "verify", "of_other", "--key-file", &key], "").await);
}
