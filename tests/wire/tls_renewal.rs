//! Renewed certificates, as the programs that renew them put them in place.

use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::tls::{Certificate, certificate, connect_to};
use crate::support::process::{Process, Workplace, lines};
use crate::support::waiting::until;

/// Settings of a server whose certificate is in the folder `tls`.
fn settings(place: &Workplace) -> String {
    let folder = place.path("tls");
    format!(
        "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\nConnectionSecurity = \"TLS\"\n\
         TLSCertFile = \"{0}/cert.pem\"\nTLSKeyFile = \"{0}/key.pem\"\n\
         [LogSettings]\nEnableConsole = false\nFileLocation = \"logs\"\n[FileSettings]\nDirectory = \"files\"\n",
        folder.display()
    )
}

async fn serves(server: &Process, certificate: &Certificate) -> bool {
    let address = server.base.strip_prefix("https://").unwrap();
    let Ok(mut connection) = connect_to(address, certificate, rustls::DEFAULT_VERSIONS).await else { return false };
    let ping = b"GET /api/v4/system/ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    connection.write_all(ping).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer.starts_with("HTTP/1.1 200")
}

/// Replaces one file by that of another folder, as a whole.
fn replace(from: &Path, to: &Path, name: &str) {
    std::fs::copy(from.join(name), to.join("new")).unwrap();
    std::fs::rename(to.join("new"), to.join(name)).unwrap();
}

fn count(place: &Workplace, message: &str) -> usize {
    lines(&place.path("logs/mattermost.log")).iter().filter(|line| line["msg"] == message).count()
}

const REFUSED: &str = "the renewed TLS certificate cannot be used; the earlier one stays in use";
const RENEWED: &str = "a renewed TLS certificate is in use";

#[actix_web::test]
async fn a_pair_behind_symbolic_links_is_taken_when_the_links_are_switched() {
    let (first, second, third) = (certificate(), certificate(), certificate());
    let place = Workplace::new("").await;
    place.configure(&settings(&place));
    let folder = place.path("tls");
    std::fs::create_dir(&folder).unwrap();
    // Kubernetes: the files lead through one link to a folder, and that link is replaced.
    symlink(first.folder.path(), folder.join("..data")).unwrap();
    for name in ["cert.pem", "key.pem"] {
        symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
    }
    let server = place.serve().await;
    assert!(serves(&server, &first).await && !serves(&server, &second).await);
    symlink(second.folder.path(), folder.join("..new")).unwrap();
    std::fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
    until("the second pair is in use", async || serves(&server, &second).await).await;
    assert!(!serves(&server, &first).await);
    // certbot: each file is a link of its own, and they are replaced one after the other.
    for name in ["cert.pem", "key.pem"] {
        symlink(third.folder.path().join(name), folder.join("new")).unwrap();
        std::fs::rename(folder.join("new"), folder.join(name)).unwrap();
    }
    until("the third pair is in use", async || serves(&server, &third).await).await;
    assert!(!serves(&server, &second).await);
    server.stop().await;
}

#[actix_web::test]
async fn half_of_a_pair_changes_nothing_and_is_logged_once_and_sighup_takes_the_whole() {
    let (first, second) = (certificate(), certificate());
    let place = Workplace::new("").await;
    place.configure(&settings(&place));
    let folder = place.path("tls");
    std::fs::create_dir(&folder).unwrap();
    for name in ["cert.pem", "key.pem"] {
        replace(first.folder.path(), &folder, name);
    }
    let server = place.serve().await;
    replace(second.folder.path(), &folder, "cert.pem");
    server.signal(Signal::HUP);
    until("the half pair is refused", async || count(&place, REFUSED) > 0).await;
    assert!(serves(&server, &first).await);
    server.signal(Signal::HUP);
    replace(second.folder.path(), &folder, "key.pem");
    server.signal(Signal::HUP);
    until("the second pair is in use", async || serves(&server, &second).await).await;
    until("the renewal is logged", async || count(&place, RENEWED) > 0).await;
    assert_eq!((count(&place, REFUSED), count(&place, RENEWED)), (1, 1));
    // Files that are gone change nothing either.
    std::fs::remove_file(folder.join("key.pem")).unwrap();
    server.signal(Signal::HUP);
    until("the missing file is refused", async || count(&place, REFUSED) > 1).await;
    assert!(serves(&server, &second).await);
    server.stop().await;
}
