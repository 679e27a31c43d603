//! A source of releases of the program, signed with common tools.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use super::peers;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The version of the program that `tests/run` builds beside the usual one.
pub const NEWER: &str = "999.0.0";

/// The response of a release server.
#[derive(Clone)]
pub enum Answer {
    Bytes(Rc<[u8]>),
    Redirect(String),
    /// The first half of the announced bytes; the `Rest` says what follows.
    Half(Rc<[u8]>, Rest),
}

/// The behaviour after the first half.
#[derive(Clone, Copy, PartialEq)]
pub enum Rest {
    Closed,
    Withheld,
    /// The second half is sent after `go_on` is called.
    Later,
}

/// A running release server with its own key pair. It ends with the test.
pub struct ReleasePlace {
    folder: TempDir,
    address: SocketAddr,
    shared: Rc<Shared>,
}

struct Shared {
    answers: RefCell<HashMap<String, Answer>>,
    goes_on: watch::Sender<bool>,
}

impl ReleasePlace {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        make_keys(folder.path());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Rc::new(Shared { answers: RefCell::default(), goes_on: watch::Sender::new(false) });
        let serving = shared.clone();
        actix_web::rt::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                actix_web::rt::spawn(serve(connection, serving.clone()));
            }
        });
        Self { folder, address, shared }
    }

    /// Returns the section of the settings for this server, whose key is copied to `folder`. A download may stall for
    /// `stall_s` seconds.
    pub fn settings(&self, folder: &Path, stall_s: u32) -> String {
        let key = folder.join("release.pub");
        std::fs::copy(self.folder.path().join("release.pub"), &key).unwrap();
        let (address, key) = (self.address, key.display());
        format!(
            "[Quarterdeck]\nReleaseURL = \"http://{address}/latest/release.json\"\nReleasePublicKeyFile = \"{key}\"\n\
             ReleaseStallSeconds = {stall_s}\n"
        )
    }

    /// Offers a program with its manifest, in which these members are replaced.
    pub fn offer(&self, program: &[u8], other: &Value) {
        let mut manifest = json!({
            "version": NEWER, "target": target(), "file": "quarterdeck-next", "size": program.len(),
            "sha256": HEXLOWER.encode(digest(&SHA256, program).as_ref()), "expires": "9999-12-31T23:59:59Z",
        });
        manifest.as_object_mut().unwrap().extend(other.as_object().cloned().unwrap_or_default());
        self.sign(manifest.to_string().as_bytes(), self.folder.path());
        self.answer("/latest/quarterdeck-next", Answer::Bytes(program.into()));
    }

    /// Offers a program with a manifest that an untrusted key signed.
    pub fn offer_with_other_keys(&self, program: &[u8]) {
        self.offer(program, &json!({}));
        let other_keys = tempfile::tempdir().unwrap();
        make_keys(other_keys.path());
        let manifest = std::fs::read(self.folder.path().join("release.json")).unwrap();
        self.sign(&manifest, other_keys.path());
    }

    /// Sets the response for `path`; `None` is 404.
    pub fn answer(&self, path: &str, answer: impl Into<Option<Answer>>) {
        let mut answers = self.shared.answers.borrow_mut();
        match answer.into() {
            Some(answer) => answers.insert(path.to_owned(), answer),
            None => answers.remove(path),
        };
    }

    /// Sends the delayed second halves.
    pub fn go_on(&self) {
        self.shared.goes_on.send_replace(true);
    }

    fn sign(&self, manifest: &[u8], keys: &Path) {
        let (file, signature) = (self.folder.path().join("release.json"), keys.join("release.json.sig"));
        std::fs::write(&file, manifest).unwrap();
        let (input, key) = (file.to_str().unwrap(), keys.join("release.key"));
        let output = ["-in", input, "-out", signature.to_str().unwrap()];
        openssl(&["pkeyutl", "-sign", "-inkey", key.to_str().unwrap(), "-rawin"], &output);
        self.answer("/latest/release.json", Answer::Bytes(manifest.into()));
        self.answer("/latest/release.json.sig", Answer::Bytes(std::fs::read(signature).unwrap().into()));
    }
}

/// Returns a program that prints a version, and exits with 7 for any other argument.
pub fn teller(version: &str) -> Vec<u8> {
    format!("#!/bin/sh\n[ \"$*\" = --version ] || exit 7\necho quarterdeck {version}\n").into_bytes()
}

fn target() -> String {
    let library = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    format!("{}-{}-{library}", std::env::consts::ARCH, std::env::consts::OS)
}

fn make_keys(folder: &Path) {
    let (private, public) = (folder.join("release.key"), folder.join("release.pub"));
    let (private, public) = (private.to_str().unwrap(), public.to_str().unwrap());
    openssl(&["genpkey", "-algorithm", "ed25519"], &["-out", private]);
    openssl(&["pkey", "-pubout"], &["-in", private, "-out", public]);
}

fn openssl(what: &[&str], files: &[&str]) {
    let ended = Command::new(peers::tool("openssl")).args(what).args(files).output().unwrap();
    assert!(ended.status.success(), "openssl {what:?}: {ended:?}");
}

async fn serve(mut connection: TcpStream, shared: Rc<Shared>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut chunk = [0; 4096];
        let read = connection.read(&mut chunk).await.unwrap();
        if read == 0 {
            return;
        }
        request.extend_from_slice(&chunk[..read]);
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap();
    let answer = shared.answers.borrow().get(path).cloned();
    // The client may disconnect before it has read the whole response.
    let _ = match answer {
        None => connection.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n").await,
        Some(Answer::Redirect(to)) => {
            let head = format!("HTTP/1.1 302 There\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            connection.write_all(head.as_bytes()).await
        }
        Some(Answer::Bytes(bytes)) => send(&mut connection, &bytes, None, &shared).await,
        Some(Answer::Half(bytes, rest)) => send(&mut connection, &bytes, Some(rest), &shared).await,
    };
}

async fn send(connection: &mut TcpStream, bytes: &[u8], rest: Option<Rest>, shared: &Shared) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 200 Yes\r\nContent-Length: {}\r\n\r\n", bytes.len());
    connection.write_all(head.as_bytes()).await?;
    let (first, second) = bytes.split_at(bytes.len() / 2);
    connection.write_all(first).await?;
    match rest {
        Some(Rest::Closed) => return Ok(()),
        Some(Rest::Withheld) => std::future::pending().await,
        Some(Rest::Later) => {
            shared.goes_on.subscribe().wait_for(|goes_on| *goes_on).await.unwrap();
        }
        None => {}
    }
    connection.write_all(second).await
}
