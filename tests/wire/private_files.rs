//! Only the server's own user can read the files of a server, including readable files of an earlier version.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::Client;
use crate::support::needs;
use crate::support::process::{Workplace, read};
use crate::support::server::{PASSWORD, account};

/// The id of an unprivileged user that exists on all systems.
const NOBODY: u32 = 65_534;

/// The files that the test itself creates in the folder.
const OF_THE_TEST: [&str; 3] = ["bin", "config.toml", "stderr"];

const SETTINGS: &str = "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\nEnableLocalMode = true\n\
     LocalModeSocketLocation = \"data/local.socket\"\n\
     [SqlSettings]\nDriverName = \"sqlite\"\nDataSource = \"data/quarterdeck.db\"\n\
     [FileSettings]\nDirectory = \"data/files/\"\n[LogSettings]\nFileLocation = \"data/logs\"\n";

/// Returns the files below the folder, without those of the test.
fn made(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(&inner).unwrap() {
            let path = entry.unwrap().path();
            if inner == folder && OF_THE_TEST.iter().any(|name| path.ends_with(name)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn open_up(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Fails if another user can read the files: by their modes, and by an attempt if the test may do that.
fn assert_private(place: &Workplace, expected: &[&str]) {
    let found = made(&place.path(""));
    for name in expected {
        assert!(found.iter().any(|path| path.ends_with(name)), "{name} is not there: {found:?}");
    }
    open_up(&place.path(""), 0o755);
    for path in &found {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(path), wanted, "{} {:o}", path.display(), mode(path));
        let is_socket = std::fs::symlink_metadata(path).unwrap().file_type().is_socket();
        if rustix::process::geteuid().is_root() && !is_socket {
            let program = if path.is_dir() { "ls" } else { "cat" };
            let read = Command::new(program).arg(path).uid(NOBODY).gid(NOBODY).output().unwrap();
            assert!(!read.status.success() && read.stdout.is_empty(), "{} is read", path.display());
        }
    }
}

#[actix_web::test]
async fn everything_that_a_server_makes_is_private_and_what_it_made_earlier_is_mended() {
    let mut place = Workplace::new(SETTINGS).await;
    // The umask does not protect the files.
    let script = format!("#!/bin/sh\numask 000\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_quarterdeck"));
    std::fs::write(place.copy_program(), script).unwrap();
    let server = place.serve().await;
    let client = Client::new(&server.base);
    client.post("/users", account("admin")).await.expect(201);
    let admin = client.log_in("admin").await;
    admin.get("/logs").await;
    for line in [
        &["support-packet", "packet.zip"][..],
        &["config", "export", "exported.json"],
        &["license", "keygen", "license.key", "license.pub"],
    ] {
        let _ = place.run(line, "").await;
    }
    let _ = std::fs::remove_file(place.path("license.pub"));
    let running = [
        "quarterdeck.db",
        "quarterdeck.db-wal",
        "quarterdeck.db-shm",
        "quarterdeck.lock",
        "mattermost.log",
        "requests.log",
        "local.socket",
    ];
    assert_private(&place, &running);
    assert!(server.stop().await.success());

    // An earlier version left all files readable, including rotated logs and the remains of a crash.
    std::fs::write(place.path("data/logs/mattermost.log.1"), "earlier\n").unwrap();
    for path in made(&place.path("")) {
        open_up(&path, if path.is_dir() { 0o755 } else { 0o644 });
    }
    let packet = place.path("packet.zip");
    for mine in [packet, place.path("exported.json"), place.path("license.key")] {
        // A file that a command wrote for the operator belongs to the operator.
        let _ = std::fs::remove_file(mine);
    }
    let server = place.serve().await;
    server.client().log_in("admin").await;
    assert_private(&place, &running);
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn a_folder_that_holds_something_else_and_the_operators_files_keep_their_modes() {
    let place = Workplace::new(SETTINGS).await;
    for folder in ["data", "data/logs"] {
        std::fs::create_dir(place.path(folder)).unwrap();
        open_up(&place.path(folder), 0o755);
    }
    for (file, mode) in [("data/other.txt", 0o644), ("data/logs/syslog", 0o640), ("config.toml", 0o640)] {
        std::fs::write(place.path(file), std::fs::read(place.path(file)).unwrap_or_default()).unwrap();
        open_up(&place.path(file), mode);
    }
    let server = place.serve().await;
    assert!(server.stop().await.success());
    let modes =
        ["data", "data/logs", "data/other.txt", "data/logs/syslog", "config.toml"].map(|name| mode(&place.path(name)));
    assert_eq!(modes, [0o755, 0o755, 0o644, 0o640, 0o640]);
    assert_eq!(
        [mode(&place.path("data/quarterdeck.db")), mode(&place.path("data/logs/mattermost.log"))],
        [0o600, 0o600]
    );
}

#[actix_web::test]
async fn what_a_command_makes_as_root_is_read_by_a_server_with_a_user_of_its_own() {
    let Some(()) = needs::root() else { return };
    let mut place = Workplace::new(SETTINGS).await;
    chown(place.path(""), Some(NOBODY), Some(NOBODY)).unwrap();
    let arguments =
        ["user", "create", "--system-admin", "--username", "admin", "--email", "admin@chat.example", "--new"];
    let created = place.run(&arguments, &format!("{PASSWORD}\n")).await;
    assert!(created.status.success(), "{created:?}");
    let found = made(&place.path(""));
    for name in ["audit.key", "data/quarterdeck.db"] {
        assert!(found.iter().any(|path| path.ends_with(name)), "{name} is not there: {found:?}");
    }
    for path in &found {
        let owner = std::fs::symlink_metadata(path).unwrap();
        assert_eq!((owner.uid(), owner.gid()), (NOBODY, NOBODY), "{}", path.display());
    }
    place.run_as(NOBODY);
    let server = place.serve().await;
    server.client().log_in("admin").await;
    let said = read(&place.path("stderr"));
    assert!(!said.contains("key of the audit trail"), "{said}");
    assert!(server.stop().await.success());
}
