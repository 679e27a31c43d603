//! A separate PostgreSQL for a test: with few connections, or a primary with a standby.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::database;
use super::tls_postgres::{NOBODY, command, programs};

/// The number of attempts to start: another process may take a free port before the server does.
const ATTEMPTS: usize = 5;

/// A running PostgreSQL. It ends with the test.
pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    pub port: u16,
    server: Child,
}

impl Cluster {
    /// Starts a PostgreSQL with these settings, such as `max_connections=12`; `None` in a run on the embedded engine.
    pub fn start(settings: &[&str]) -> Option<Self> {
        database::only_postgres("it starts a PostgreSQL of its own")?;
        let (programs, folder) = (programs()?, folder());
        let made = command(&programs.join("initdb"))
            .args(["-U", "qd", "-A", "trust", "-E", "UTF8", "--no-sync", "-D"])
            .arg(folder.path().join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Some(Self::run(programs, folder, settings))
    }

    /// Starts a standby that follows this one.
    pub fn standby(&self) -> Self {
        let folder = folder();
        let made = command(&self.programs.join("pg_basebackup"))
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                "qd",
                "-R",
                "-X",
                "stream",
                "-c",
                "fast",
                "-D",
            ])
            .arg(folder.path().join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Self::run(self.programs.clone(), folder, &[])
    }

    fn run(programs: PathBuf, folder: TempDir, settings: &[&str]) -> Self {
        let started = (0..ATTEMPTS).find_map(|_| run(&programs, folder.path(), settings));
        let (port, server) = started.unwrap();
        Self { folder, programs, port, server }
    }

    /// Makes a standby the primary.
    pub fn promote(&self) {
        let mut promotion = command(&self.programs.join("pg_ctl"));
        let promoted = promotion.args(["promote", "-w", "-D"]).arg(self.folder.path().join("data")).output().unwrap();
        assert!(promoted.status.success(), "{promoted:?}");
    }

    /// Ends it at once, like a crash of its machine.
    pub fn crash(&mut self) {
        self.signal(Signal::QUIT);
        let _ = self.server.wait();
    }

    /// Stops it as an operator does, and starts it again. Its port may be another one then.
    pub fn restart(&mut self) {
        self.signal(Signal::INT);
        let _ = self.server.wait();
        let started = (0..ATTEMPTS).find_map(|_| run(&self.programs, self.folder.path(), &[]));
        (self.port, self.server) = started.unwrap();
    }

    /// Stops all its processes until [`Cluster::thaw`].
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        for process in self.processes() {
            let _ = kill_process(process, Signal::STOP);
        }
    }

    /// Lets its processes go on.
    pub fn thaw(&self) {
        for process in self.processes() {
            let _ = kill_process(process, Signal::CONT);
        }
        self.signal(Signal::CONT);
    }

    /// Returns the processes of its connections and tasks.
    fn processes(&self) -> Vec<Pid> {
        let id = self.server.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        children.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        let _ = id.map(|id| kill_process(id, signal));
    }

    /// Returns the path of a program that belongs to it, such as `pg_dump`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Returns its address.
    pub fn address(&self) -> String {
        format!("postgres://qd@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.crash();
    }
}

fn folder() -> TempDir {
    let folder = tempfile::Builder::new().prefix("quarterdeck-cluster").tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    if geteuid().is_root() {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    folder
}

fn run(programs: &Path, folder: &Path, settings: &[&str]) -> Option<(u16, Child)> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = command(&programs.join("postgres"));
    server.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args(["-p", &port.to_string()]);
    for setting in ["listen_addresses=127.0.0.1", "fsync=off"].iter().chain(settings) {
        server.args(["-c", setting]);
    }
    let mut server = server.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(server.stderr.take().unwrap()).lines();
    let is_ready = said.by_ref().map_while(Result::ok).any(|line| line.contains("ready to accept"));
    // Reads further output, so that the pipe does not fill up.
    std::thread::spawn(move || said.for_each(drop));
    if is_ready {
        return Some((port, server));
    }
    server.wait().unwrap();
    None
}
