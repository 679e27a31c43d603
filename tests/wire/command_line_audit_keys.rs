//! The key of the audit trail: created once, stored in no other place, lost and restored.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::json;

use crate::support::backdoor::execute_in;
use crate::support::process::Workplace;
use crate::support::server::account;
use crate::support::trail::events_in;

const SETTINGS: &str = "[LogSettings]\nEnableConsole = false\nFileLevel = \"DEBUG\"\nFileLocation = \"logs\"\n\
                        [FileSettings]\nDirectory = \"files\"\n";

#[actix_web::test]
async fn the_key_is_made_once_and_stands_in_its_file_only() {
    let place = place_with_rows().await;
    let file = place.path("audit.key");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let key = key_in(&file);
    let said = good(verify(&place, &[]).await);
    assert!(said.contains(" rows from 1 to 3; written by a server with this key\n"), "{said}");
    good(place.run(&["config", "export", "export.json"], "").await);
    good(place.run(&["check"], "").await);
    serve_a_login(&place).await;
    assert_eq!(key_in(&file), key, "a start keeps the key that is there");
    for other in files_in(&place.path("")).into_iter().filter(|other| *other != file) {
        let bytes = std::fs::read(&other).unwrap();
        let holds_key = bytes.windows(key.len()).any(|window| window == key.as_bytes());
        assert!(!holds_key, "{}", other.display());
    }
    good(verify(&place, &[]).await);
}

#[actix_web::test]
async fn a_key_that_is_lost_is_made_anew_and_its_rows_wait_for_it() {
    let place = place_with_rows().await;
    let (file, moved) = (place.path("audit.key"), place.path("found.key"));
    std::fs::rename(&file, &moved).unwrap();
    serve_a_login(&place).await;
    assert_eq!(events_in(&place.path("")).await[3], "changeAuditKey success");
    let log = std::fs::read_to_string(place.path("logs/mattermost.log")).unwrap();
    assert!(log.contains("the key of the last audit row is missing in the audit key file"), "{log}");
    let said = bad(verify(&place, &[]).await);
    assert!(
        said.contains(" is missing, so 3 rows from 1 to 3 cannot be verified; name its file with --key-file\n"),
        "{said}"
    );
    let said = good(verify(&place, &["--key-file", moved.to_str().unwrap()]).await);
    assert_eq!(said.matches("; written by a server with this key").count(), 2, "{said}");
    // One file has both keys: the last one is used.
    let both = format!("{}\n{}\n", key_in(&moved), key_in(&file));
    std::fs::write(&file, both).unwrap();
    serve_a_login(&place).await;
    assert_eq!(events_in(&place.path("")).await.len(), 6, "no other change of the key");
    good(verify(&place, &[]).await);
}

#[actix_web::test]
async fn a_row_that_is_changed_and_hashed_anew_without_the_key_is_found() {
    let place = place_with_rows().await;
    let folder = place.path("");
    execute_in(&folder, "UPDATE qd_audits SET userid = 'x', keyid = '' WHERE number = 2").await;
    let said = bad(verify(&place, &[]).await);
    assert!(said.starts_with("row 2 ("), "{said}");
    assert!(said.contains("has no key, although rows before it have one") && said.contains("was changed"), "{said}");
}

#[actix_web::test]
async fn a_key_file_that_cannot_be_used_stops_no_server() {
    let place = Workplace::new(&format!("{SETTINGS}[Quarterdeck]\nAuditKeyFile = \"own.key\"\n")).await;
    std::fs::write(place.path("own.key"), "no key\n").unwrap();
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    assert!(server.stop().await.success());
    let said = good(verify(&place, &[]).await);
    assert!(said.starts_with("without a key: 1 rows from 1 to 1; "), "{said}");
    let log = std::fs::read_to_string(place.path("logs/mattermost.log")).unwrap();
    assert!(log.contains("the audit key file cannot be read"), "{log}");
    std::fs::remove_file(place.path("own.key")).unwrap();
    serve_a_login(&place).await;
    assert!(place.path("own.key").exists() && !place.path("audit.key").exists());
    good(verify(&place, &[]).await);
}

/// Creates a place with three rows: an account, a login, a change.
async fn place_with_rows() -> Workplace {
    let place = Workplace::new(SETTINGS).await;
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    admin.put("/users/me/patch", json!({ "nickname": "x" })).await.expect(200);
    assert!(server.stop().await.success());
    place
}

async fn serve_a_login(place: &Workplace) {
    let server = place.serve().await;
    server.client().log_in("admin").await;
    assert!(server.stop().await.success());
}

async fn verify(place: &Workplace, more: &[&str]) -> Output {
    place.run(&[&["audit", "verify"], more].concat(), "").await
}

fn key_in(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().last().unwrap().to_owned()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] })
        .filter(|path| path.is_file())
        .collect()
}

fn good(ended: Output) -> String {
    assert!(ended.status.success(), "{ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

fn bad(ended: Output) -> String {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}
