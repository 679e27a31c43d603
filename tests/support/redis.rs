//! A separate Redis for a test, which keeps nothing on the disk.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::needs;

/// The password of the default account.
pub const PASSWORD: &str = "word-of-the-bus";

const CERTIFICATE: &str = "tls.crt";

/// The number of attempts to start: another process may take a free port before the server does.
const ATTEMPTS: usize = 5;

/// The time limit of a start.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Returns the bodies of the messages of a kind on a bus, in their order, from the kinds and the bodies of its rows. Rows of
/// the kind `redis` name entries, whose texts are given by their ids.
pub fn published(rows: &[String], entries: &BTreeMap<String, String>, wanted: &str) -> Vec<String> {
    let bodies = rows.iter().flat_map(|row| match row.split_once(' ').unwrap() {
        // The id of the bus, three figures, and the ids of the entries.
        ("redis", reference) => reference.split(' ').skip(4).flat_map(|id| bodies_in(&entries[id], wanted)).collect(),
        (kind, body) => {
            if kind == wanted {
                vec![body.to_owned()]
            } else {
                Vec::new()
            }
        }
    });
    bodies.collect()
}

/// Returns the bodies of the messages of a kind in an entry, each after a line with its kind and its length. The first line
/// tells the node and the number.
fn bodies_in(entry: &str, wanted: &str) -> Vec<String> {
    let (mut rest, mut bodies) = (entry.split_once('\n').unwrap().1, Vec::new());
    while let Some((head, after)) = rest.split_once('\n') {
        let (kind, length) = head.split_once(' ').unwrap();
        let (body, next) = after.split_at(length.parse().unwrap());
        if kind == wanted {
            bodies.push(body.to_owned());
        }
        rest = next;
    }
    bodies
}

/// A running Redis. It ends with the test.
pub struct Redis {
    programs: PathBuf,
    folder: TempDir,
    pub port: u16,
    server: Child,
}

impl Redis {
    /// Starts a Redis; `None` in a run without it.
    pub fn start() -> Option<Self> {
        Self::start_with(false)
    }

    /// Starts a Redis that needs TLS. No authority signed its certificate.
    pub fn start_on_tls() -> Option<Self> {
        Self::start_with(true)
    }

    fn start_with(is_tls: bool) -> Option<Self> {
        let programs = needs::peer("redis")?;
        let folder = tempfile::tempdir().unwrap();
        if is_tls {
            let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
            std::fs::write(folder.path().join(CERTIFICATE), cert.pem()).unwrap();
            std::fs::write(folder.path().join("tls.key"), signing_key.serialize_pem()).unwrap();
        }
        let started = (0..ATTEMPTS).find_map(|_| {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            run(&programs, folder.path(), port).map(|server| (port, server))
        });
        let (port, server) = started.unwrap();
        Some(Self { programs, folder, port, server })
    }

    /// Returns the settings of a server that uses it at this address, such as `127.0.0.1:6379`.
    pub fn settings_at(address: &str) -> String {
        format!(
            "[CacheSettings]\nCacheType = \"redis\"\nRedisAddress = \"{address}\"\nRedisPassword = \"{PASSWORD}\"\n\
             RedisDB = 0\n"
        )
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the file of its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// Ends it at once, with all its data.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.server.wait();
    }

    /// Starts it again on its port, without its data.
    pub fn start_again(&mut self) {
        self.server = (0..ATTEMPTS).find_map(|_| run(&self.programs, self.folder.path(), self.port)).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        let _ = id.map(|id| kill_process(id, signal));
    }

    /// Runs a command and returns all texts and numbers of the answer.
    pub fn run(&self, words: &[&str]) -> Vec<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(&[packed(&["AUTH", PASSWORD]), packed(words)].concat()).unwrap();
        let mut reader = BufReader::new(stream);
        assert_eq!(answer(&mut reader), ["OK"]);
        answer(&mut reader)
    }

    /// Returns the key of the stream; `None` before the first entry.
    pub fn stream(&self) -> Option<String> {
        self.run(&["KEYS", "quarterdeck:*:bus"]).pop()
    }

    /// Returns the ids and the texts of all entries of the stream.
    pub fn entries(&self) -> Vec<(String, String)> {
        let words = self.stream().map(|key| self.run(&["XRANGE", &key, "-", "+"])).unwrap_or_default();
        // An id, and the name and the value of one field.
        words.chunks_exact(3).map(|entry| (entry[0].clone(), entry[2].clone())).collect()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(programs: &Path, folder: &Path, port: u16) -> Option<Child> {
    let mut command = Command::new(programs.join("redis-server"));
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    let port = port.to_string();
    if folder.join(CERTIFICATE).exists() {
        command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"]);
        command.arg("--tls-cert-file").arg(folder.join(CERTIFICATE));
        command.arg("--tls-key-file").arg(folder.join("tls.key"));
    } else {
        command.args(["--port", &port]);
    }
    command.args(["--requirepass", PASSWORD, "--dir"]).arg(folder);
    command.env("LD_LIBRARY_PATH", programs.join("lib")).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let said = BufReader::new(server.stdout.take().unwrap()).lines();
    let (ready, readiness) = mpsc::channel();
    // Reads further output as well, so that the pipe does not fill up.
    std::thread::spawn(move || {
        for line in said.map_while(Result::ok) {
            if line.contains("Ready to accept") {
                let _ = ready.send(());
            }
        }
    });
    if readiness.recv_timeout(START_LIMIT).is_ok() {
        return Some(server);
    }
    let _ = server.kill();
    server.wait().unwrap();
    None
}

fn packed(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
    bytes
}

fn answer(reader: &mut impl BufRead) -> Vec<String> {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let (kind, rest) = line.trim_end().split_at(1);
    match kind {
        "$" => {
            let Ok(length) = rest.parse::<usize>() else { return Vec::new() };
            let mut bytes = vec![0; length + 2];
            reader.read_exact(&mut bytes).unwrap();
            vec![String::from_utf8_lossy(&bytes[..length]).into_owned()]
        }
        "*" => (0..rest.parse().unwrap_or(0)).flat_map(|_| answer(reader)).collect(),
        _ => vec![rest.to_owned()],
    }
}
