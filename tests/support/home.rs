//! Runs the real program as a separate process, for behaviour that is only visible from outside.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use super::server::write_settings;
use super::waiting::within;
use super::{Client, backdoor, database, pool};

/// The timeout of each wait for a process, also on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);

const GREETING: &str = "Quarterdeck listens on ";

/// The settings, the database and the files of a server. They exist as long as any of its processes.
pub struct Home {
    folder: Rc<TempDir>,
    settings: PathBuf,
    variables: Vec<(String, String)>,
}

impl Home {
    /// Adds a variable to the environment of each process.
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Creates a home with a new database and more settings, as TOML.
    pub async fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = database::fresh(folder.path()).await;
        Self::in_folder(folder, &database, settings)
    }

    /// Creates a home on an existing database, which is given as its section of the settings.
    pub fn on_database(database: &str, settings: &str) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), database, settings)
    }

    fn in_folder(folder: TempDir, database: &str, settings: &str) -> Self {
        let settings = write_settings(folder.path(), database, settings);
        Self { folder: Rc::new(folder), settings, variables: Vec::new() }
    }

    /// Returns the folder with the settings and the files of the server.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the program and waits until it listens.
    pub async fn start(&self) -> Process {
        let mut process = self.launch();
        process.listens().await;
        process
    }

    /// Starts the program.
    pub fn launch(&self) -> Process {
        self.launch_with(&[])
    }

    /// Starts the program with variables that only this process gets.
    pub fn launch_with(&self, variables: &[(&str, &str)]) -> Process {
        let own = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let variables: Vec<(&str, &str)> = own.chain(variables.iter().copied()).collect();
        Process::new(&self.settings, self.folder.clone(), &variables)
    }

    /// Runs a command line in the folder of the server. Returns its output.
    pub async fn shell(&self, line: &str) -> String {
        let programs = Path::new(env!("CARGO_BIN_EXE_quarterdeck")).parent().unwrap();
        let mut command = Command::new("/bin/sh");
        command.env_clear().env("PATH", programs).current_dir(self.folder.path()).args(["-c", line]);
        let ended = timeout(TIMEOUT, command.kill_on_drop(true).output()).await.unwrap().unwrap();
        assert!(ended.status.success(), "{line}: {ended:?}");
        String::from_utf8(ended.stdout).unwrap()
    }

    /// Runs a command of the program with the settings and variables of the server. Returns its output.
    pub async fn command(&self, arguments: &str) -> String {
        let variables: Vec<String> = self.variables.iter().map(|(name, value)| format!("{name}='{value}'")).collect();
        let variables = variables.join(" ");
        self.shell(&format!("{variables} quarterdeck {arguments} --config $PWD/config.toml")).await
    }

    /// Runs statements on the database.
    pub async fn execute(&self, sql: &str) {
        backdoor::execute_in(self.folder(), sql).await;
    }
}

/// A running program. It is killed when dropped.
pub struct Process {
    /// Its address, after it started to listen.
    pub base: String,
    child: Child,
    output: watch::Receiver<String>,
    errors: watch::Receiver<String>,
    _folder: Rc<TempDir>,
}

impl Process {
    fn new(settings: &Path, folder: Rc<TempDir>, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quarterdeck"));
        // Settings in the environment of the test runner are removed.
        command
            .env_clear()
            .envs(variables.iter().copied())
            .current_dir(settings.parent().unwrap())
            .arg("--config")
            .arg(settings);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let output = follow(child.stdout.take().unwrap());
        let errors = follow(child.stderr.take().unwrap());
        Self { base: String::new(), child, output, errors, _folder: folder }
    }

    /// Returns a client without a session.
    pub fn client(&self) -> Client {
        Client::new(&self.base)
    }

    /// Waits until the address is printed.
    pub async fn listens(&mut self) {
        let printed = seen(&mut self.output, |said| said.contains(GREETING)).await;
        let Some(text) = printed else { panic!("the server did not start:\n{}", *self.errors.borrow()) };
        let address = text.lines().find_map(|line| line.strip_prefix(GREETING)).unwrap();
        address.clone_into(&mut self.base);
    }

    /// Waits until `is_enough` accepts the standard error so far, and returns it.
    pub async fn complains_until(&mut self, is_enough: impl Fn(&str) -> bool) -> String {
        let said = seen(&mut self.errors, is_enough).await;
        said.unwrap_or_else(|| panic!("standard error never said enough:\n{}", *self.errors.borrow()))
    }

    /// Returns true if the program has printed its address.
    pub fn is_listening(&self) -> bool {
        self.output.borrow().contains(GREETING)
    }

    /// Returns the peak of its resident memory, in KiB.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Kills it at once.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Closes the idle connections of its clients, sends SIGTERM, and waits until it ends.
    pub async fn stop(self) -> ExitStatus {
        pool::close_idle(&self.base);
        self.terminate();
        self.end().await.0
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        let process = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Waits until it ends by itself. Returns its standard error.
    pub async fn end(mut self) -> (ExitStatus, String) {
        let status = timeout(TIMEOUT, self.child.wait()).await.unwrap().unwrap();
        // The readers end with the pipes.
        let mut errors = self.errors.clone();
        within("its output ends", async { while errors.changed().await.is_ok() {} }).await;
        let errors = self.errors.borrow().clone();
        (status, errors)
    }
}

/// Collects the output of a stream. Waiting tests can read a part of it.
fn follow(stream: impl AsyncRead + Unpin + 'static) -> watch::Receiver<String> {
    let (publish, text) = watch::channel(String::new());
    actix_web::rt::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            publish.send_modify(|text| {
                text.push_str(&line);
                text.push('\n');
            });
        }
    });
    text
}

/// Returns the output so far when `is_enough` accepts it; `None` if the stream ends or the timeout passes before that.
async fn seen(stream: &mut watch::Receiver<String>, is_enough: impl Fn(&str) -> bool) -> Option<String> {
    let found = timeout(TIMEOUT, stream.wait_for(|said| is_enough(said))).await;
    Some(found.ok()?.ok()?.clone())
}
