//! The real program as a separate process, with its own folder and database.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::{Client, database, pool};

/// The timeout of every wait, also on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A folder with a `config.toml`, in which the program is run.
pub struct Workplace {
    folder: TempDir,
    database: String,
    program: PathBuf,
    user: Option<u32>,
    files: Option<u32>,
}

/// The number of bytes of a log that a failed test shows.
const SHOWN_BYTES: usize = 8 * 1024;

/// A running server. It ends with the test.
pub struct Process {
    pub base: String,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Workplace {
    /// Creates a place with a new database and these settings, as TOML.
    pub async fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = database::fresh(folder.path()).await;
        let program = PathBuf::from(env!("CARGO_BIN_EXE_quarterdeck"));
        let place = Self { folder, database, program, user: None, files: None };
        place.configure(settings);
        place
    }

    /// Replaces the settings.
    pub fn configure(&self, settings: &str) {
        let listen = "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\n";
        let more = if settings.contains("[ServiceSettings]") { "" } else { listen };
        // Tests fetch no notices.
        let quiet = "\n[AnnouncementSettings]\nNoticesURL = \"\"\n";
        let quiet = if settings.contains("[AnnouncementSettings]") { "" } else { quiet };
        let database = if settings.contains("[SqlSettings]") { "" } else { &self.database };
        std::fs::write(self.path("config.toml"), format!("{more}{database}{settings}{quiet}")).unwrap();
    }

    /// Makes this place run a copy of the program, in a separate folder. Returns the path of the copy.
    pub fn copy_program(&mut self) -> PathBuf {
        let copy = self.path("bin/quarterdeck");
        std::fs::create_dir(copy.parent().unwrap()).unwrap();
        std::fs::copy(&self.program, &copy).unwrap();
        self.program.clone_from(&copy);
        copy
    }

    /// Makes this place run the program at a path, which other places may run as well.
    pub fn run_program(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// Makes the program run as another user, who owns the folder; requires root.
    pub fn run_as(&mut self, user: u32) {
        self.user = Some(user);
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            std::os::unix::fs::chown(entry.unwrap().path(), Some(user), None).unwrap();
        }
        std::os::unix::fs::chown(self.folder.path(), Some(user), None).unwrap();
    }

    /// Limits the number of files that the program may open.
    pub fn limit_files(&mut self, files: u32) {
        self.files = Some(files);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program to its end.
    pub async fn run(&self, arguments: &[&str], input: &str) -> Output {
        self.run_with(&[], arguments, input).await
    }

    /// Runs the program to its end, with more variables in its environment.
    pub async fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        ended(command, input).await
    }

    /// Runs a command line in the folder, with only these variables in its environment.
    pub async fn shell(&self, variables: &[(&str, &str)], line: &str, input: &str) -> Output {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).env_clear().envs(variables.iter().copied()).current_dir(self.folder.path());
        command.stdout(Stdio::piped()).kill_on_drop(true);
        ended(command, input).await
    }

    /// Starts a command and does not wait for its end.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        self.begin_with(&[], arguments)
    }

    /// Starts a command with more environment variables and does not wait for its end.
    pub fn begin_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts the server and waits until it listens. Its standard error is written to the file `stderr`.
    pub async fn serve(&self) -> Process {
        self.serve_with(&[], &["serve"]).await
    }

    /// Starts the server with these arguments and more environment variables.
    pub async fn serve_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Process {
        let stderr = std::fs::File::create(self.path("stderr")).unwrap();
        let mut command = self.command(arguments);
        let mut child = command.envs(variables.iter().copied()).stdin(Stdio::null()).stderr(stderr).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        timeout(TIMEOUT, stdout.read_line(&mut line)).await.unwrap().unwrap();
        let Some(base) = line.trim_end().strip_prefix("Quarterdeck listens on ") else {
            panic!("{line:?}: {}", read(&self.path("stderr")));
        };
        Process { base: base.to_owned(), child, stdout }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.files {
            None => Command::new(&self.program),
            Some(files) => {
                let mut shell = Command::new("/bin/sh");
                shell.arg("-c").arg(format!("ulimit -n {files}; exec \"$0\" \"$@\"")).arg(&self.program);
                shell
            }
        };
        let settings = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("MM_"));
        settings.for_each(|name| {
            command.env_remove(name);
        });
        if let Some(user) = self.user {
            command.uid(user);
        }
        command.args(arguments).current_dir(self.folder.path()).stdout(Stdio::piped()).kill_on_drop(true);
        command
    }
}

impl Process {
    /// Returns a client without a session.
    pub fn client(&self) -> Client {
        Client::new(&self.base)
    }

    /// Returns the next line of standard output.
    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        timeout(TIMEOUT, self.stdout.read_line(&mut line)).await.unwrap().unwrap();
        line.trim_end().to_owned()
    }

    /// Returns the one-time code for the first account, which the server prints after its address.
    pub async fn setup_code(&mut self) -> String {
        loop {
            let line = self.line().await;
            if let Some(code) = line.trim_start().strip_prefix("X-Quarterdeck-Setup-Code: ") {
                return code.to_owned();
            }
            assert!(!line.is_empty(), "no code was printed");
        }
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until the process ends.
    pub async fn ended(&mut self) -> ExitStatus {
        timeout(TIMEOUT, self.child.wait()).await.unwrap().unwrap()
    }

    /// Closes the idle connections of its clients, and stops the server as an operator does.
    pub async fn stop(mut self) -> ExitStatus {
        pool::close_idle(&self.base);
        self.signal(Signal::TERM);
        self.ended().await
    }
}

/// Shows what the server of a failed test logged last.
impl Drop for Workplace {
    fn drop(&mut self) {
        let names: &[&str] = if std::thread::panicking() { &["stderr", "logs/quarterdeck.log"] } else { &[] };
        for name in names {
            let said = std::fs::read(self.path(name)).unwrap_or_default();
            let last = said.len().saturating_sub(SHOWN_BYTES);
            eprintln!("-- the end of {name}:\n{}", String::from_utf8_lossy(&said[last..]));
        }
    }
}

/// Runs a command to its end.
async fn ended(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that reads no input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
    let output = timeout(TIMEOUT, child.wait_with_output()).await.unwrap().unwrap();
    for said in [&output.stdout, &output.stderr] {
        // The driver's errors hide their reason behind these words; the store prints the message of the database.
        assert!(!String::from_utf8_lossy(said).contains("db error"), "{output:?}");
    }
    output
}

/// Returns a file as text.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the complete lines of a file with one JSON object a line; empty if the file does not exist.
pub fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let finished = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    finished.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}
