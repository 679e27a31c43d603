//! A server that runs already, with an administrator, and the load generator as a process.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The deadline of each step. A machine may stand still for some seconds.
const DEADLINE: Duration = Duration::from_mins(2);

const PASSWORD: &str = "Load-Test-1";

/// A running server. It ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) folder: TempDir,
    pub(crate) url: String,
    http: Client,
    token: String,
}

/// The load generator. It ends when this is dropped.
pub(crate) struct Bench {
    child: Option<Child>,
    pid: Pid,
    lines: Receiver<String>,
}

/// Returns the server program beside the load generator.
pub(crate) fn server_program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_quarterdeck-bench")).with_file_name("quarterdeck");
    assert!(program.exists(), "{} is missing: `cargo build` makes it", program.display());
    program
}

impl Server {
    /// Starts a server and creates its administrator.
    pub(crate) async fn start() -> Self {
        Self::start_with(tempfile::tempdir().unwrap(), &[], Client::new()).await
    }

    /// Starts a server with TLS and a certificate for `localhost`, which is in the file `server.crt` of its folder.
    pub(crate) async fn start_tls() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let pem = made.cert.pem();
        std::fs::write(folder.path().join("server.crt"), &pem).unwrap();
        std::fs::write(folder.path().join("server.key"), made.signing_key.serialize_pem()).unwrap();
        let http = Client::builder().tls_certs_only([Certificate::from_pem(pem.as_bytes()).unwrap()]).build().unwrap();
        let settings = [("CONNECTIONSECURITY", "TLS"), ("TLSCERTFILE", "server.crt"), ("TLSKEYFILE", "server.key")];
        Self::start_with(folder, &settings, http).await
    }

    async fn start_with(folder: TempDir, settings: &[(&str, &str)], http: Client) -> Self {
        let mut command = Command::new(server_program());
        command.current_dir(folder.path()).env("MM_SERVICESETTINGS_LISTENADDRESS", "127.0.0.1:0");
        command.envs(settings.iter().map(|(name, value)| (format!("MM_SERVICESETTINGS_{name}"), value)));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        let url = loop {
            let line = lines.recv_timeout(DEADLINE).unwrap();
            if let Some((_, url)) = line.split_once("listens on ") {
                break url.trim().replace("https://127.0.0.1", "https://localhost");
            }
        };
        let mut server = Self { child, folder, url, http, token: String::new() };
        server.sign_up().await;
        server
    }

    async fn sign_up(&mut self) {
        let account = json!({ "email": "root@load.invalid", "username": "root", "password": PASSWORD });
        let made = self.http.post(self.api("/users")).json(&account).send().await.unwrap();
        assert_eq!(made.status(), 201);
        let login = json!({ "login_id": "root", "password": PASSWORD });
        let answer = self.http.post(self.api("/users/login")).json(&login).send().await.unwrap();
        answer.headers()["token"].to_str().unwrap().clone_into(&mut self.token);
        std::fs::write(self.path("token"), &self.token).unwrap();
    }

    fn api(&self, path: &str) -> String {
        format!("{}/api/v4{path}", self.url)
    }

    /// Returns the path of a file in the folder of the server.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Returns the accounts of the server as its administrator sees them.
    pub(crate) async fn accounts(&self) -> Vec<Value> {
        let request = self.http.get(self.api("/users?per_page=200")).bearer_auth(&self.token);
        request.send().await.unwrap().json().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bench {
    /// Starts the load generator with arguments, and with a folder for its temporary files.
    pub(crate) fn start(temporary: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck-bench"));
        command.args(arguments).env("TMPDIR", temporary).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = lines_of(child.stderr.take().unwrap());
        Self { pid: Pid::from_child(&child), child: Some(child), lines }
    }

    /// Returns the id of the process.
    pub(crate) fn pid(&self) -> String {
        self.pid.as_raw_nonzero().to_string()
    }

    /// Waits for the line about the progress of the measurement.
    pub(crate) fn measures(&self) {
        while !self.lines.recv_timeout(DEADLINE).unwrap().contains(" requests/s ") {}
    }

    /// Sends the signal of Ctrl-C.
    pub(crate) fn interrupt(&self) {
        kill_process(self.pid, Signal::INT).unwrap();
    }

    /// Waits for the end. Returns the output, with the lines of the standard error that were not read.
    pub(crate) fn ended(mut self) -> Output {
        let (begin, mut errors) = (Instant::now(), Vec::new());
        loop {
            assert!(begin.elapsed() < DEADLINE, "the run does not end: {errors:?}");
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => errors.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        Output { stderr: errors.join("\n").into_bytes(), ..output }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Returns the lines of an output, which end with it.
fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (line, lines) = channel();
    std::thread::spawn(move || {
        let read = BufReader::new(output).lines().map_while(Result::ok);
        // The rest is read too, because the process writes it.
        read.for_each(|text| drop(line.send(text)));
    });
    lines
}

/// Reads the report in a folder.
pub(crate) fn report(folder: &str) -> Value {
    serde_json::from_slice(&std::fs::read(Path::new(folder).join("report.json")).unwrap()).unwrap()
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < DEADLINE, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
