//! Connections to a Redis server, each used by one caller at a time.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quarterdeck_actors::causes::chain;
use quarterdeck_actors::config::view::View;
use quarterdeck_actors::redis_address::RedisAddress;
use quarterdeck_actors::secret::Secret;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::super::super::StoreError;
use super::protocol::{Answer, Broken, answer, packed};
use crate::base::trust::client_config;

/// The time limit for a connection with its TLS and its login.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The maximum length of an answer without contents, in bytes.
const MAX_ANSWER_BYTES: u64 = 64 << 10;

/// The maximum number of connections at a time. One of them waits for entries.
const MAX_CONNECTIONS: usize = 8;

/// The time without use after which a connection is closed, before a network between the servers drops it.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// The beginnings of refusals of a server that is not the primary any more, or cannot work. The address may lead to
/// another one now.
const LEFT: [&str; 7] = ["READONLY", "MASTERDOWN", "LOADING", "NOAUTH", "MISCONF", "MOVED", "CLUSTERDOWN"];

/// The first version that deletes entries by their age.
const MIN_VERSION: (u32, u32) = (6, 2);

/// The beginnings of refusals that remain until the settings are changed.
const WRONG_SETTINGS: [&str; 7] =
    ["WRONGPASS", "NOAUTH", "NOPERM", "ERR AUTH", "ERR invalid password", "ERR DB index", "ERR invalid DB"];

/// A Redis server, to which connections are opened when they are needed.
pub(super) struct Server {
    address: RedisAddress,
    password: Secret,
    db: i64,
    tls: Option<Arc<ClientConfig>>,
    idle: Mutex<Idle>,
    room: Semaphore,
}

/// The connections that are not used now.
#[derive(Default)]
struct Idle {
    connections: Vec<Connection>,
    /// The number of times when all connections were given up. An earlier one is not used again.
    generation: u64,
}

/// A connection that has logged in.
struct Connection {
    stream: BufStream<Box<dyn Stream>>,
    /// The id of this run of Redis. A start of Redis, and each server of Redis, has another one.
    run: String,
    generation: u64,
    used_at: Instant,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Server {
    /// Returns the server that the settings name. Opens no connection yet.
    pub(super) fn named(view: &View) -> Result<Self, StoreError> {
        let address = RedisAddress::parse(&view.cache.redis_address)
            .map_err(|problem| StoreError::Setting(format!("CacheSettings.RedisAddress: {problem}")))?;
        let tls = if address.is_tls {
            let is_verified = !view.service.enable_insecure_outgoing_connections;
            let config = client_config(is_verified).map_err(|cause| StoreError::Setting(cause.to_string()))?;
            Some(Arc::new(config))
        } else {
            None
        };
        Ok(Self {
            address,
            password: view.cache.redis_password.clone(),
            db: view.cache.redis_db.max(0),
            tls,
            idle: Mutex::default(),
            room: Semaphore::new(MAX_CONNECTIONS),
        })
    }

    /// Runs commands one after the other and returns the answers, of at most `max_bytes` together, and the id of the run
    /// of Redis. An answer that is too long is `None`, as are those after it.
    pub(super) async fn ask(
        &self,
        commands: &[Vec<u8>],
        max_bytes: u64,
        limit: Duration,
    ) -> Result<(String, Vec<Option<Answer>>), StoreError> {
        let work = async {
            let _turn = self.room.acquire().await.map_err(|_| StoreError::Redis("closed".to_owned()))?;
            if let Some(connection) = self.rested() {
                // Redis or a network may have closed it meanwhile.
                if let Ok(answered) = self.answers(connection, commands, max_bytes).await {
                    return Ok(answered);
                }
            }
            self.answers(self.connect().await?, commands, max_bytes).await
        };
        // A connection whose answer is not awaited is not used again.
        let answered = timeout(limit, work).await.unwrap_or_else(|_| Err(no_answer(limit)));
        if answered.is_err() {
            self.leave();
        }
        answered
    }

    async fn answers(
        &self,
        mut connection: Connection,
        commands: &[Vec<u8>],
        max_bytes: u64,
    ) -> Result<(String, Vec<Option<Answer>>), StoreError> {
        let (answers, is_usable) = connection.ask(commands, max_bytes).await?;
        let run = connection.run.clone();
        if answers.iter().flatten().any(has_left) {
            self.leave();
        }
        connection.used_at = Instant::now();
        let mut idle = self.idle();
        if is_usable && connection.generation == idle.generation {
            idle.connections.push(connection);
        }
        drop(idle);
        Ok((run, answers))
    }

    /// Takes a connection that was used a short time ago, if there is one.
    fn rested(&self) -> Option<Connection> {
        let mut idle = self.idle();
        idle.connections.retain(|connection| connection.used_at.elapsed() < MAX_IDLE);
        idle.connections.pop()
    }

    /// Gives all connections up, also those that are used now: the address may lead to another server.
    pub(super) fn leave(&self) {
        let mut idle = self.idle();
        idle.connections.clear();
        idle.generation += 1;
    }

    /// Runs one command, whose answer is short.
    pub(super) async fn run(&self, words: &[&[u8]], limit: Duration) -> Result<(String, Answer), StoreError> {
        let (run, mut answers) = self.ask(&[packed(words)], MAX_ANSWER_BYTES, limit).await?;
        let answer = answers.pop().flatten().ok_or_else(|| StoreError::Redis("an answer is too long".to_owned()))?;
        Ok((run, answer))
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a connection and logs in.
    async fn connect(&self) -> Result<Connection, StoreError> {
        timeout(CONNECT_LIMIT, self.connect_now()).await.unwrap_or_else(|_| Err(no_answer(CONNECT_LIMIT)))
    }

    async fn connect_now(&self) -> Result<Connection, StoreError> {
        let RedisAddress { host, port, account, .. } = &self.address;
        let generation = self.idle().generation;
        let failed =
            |step: &'static str| move |cause: io::Error| StoreError::Redis(format!("{step}: {}", chain(&cause)));
        let plain = TcpStream::connect((host.as_str(), *port)).await.map_err(failed("connect"))?;
        plain.set_nodelay(true).map_err(failed("connect"))?;
        let stream: Box<dyn Stream> = match &self.tls {
            Some(tls) => {
                let name = ServerName::try_from(host.clone());
                let name = name.map_err(|cause| StoreError::Setting(format!("Redis: TLS: {cause}")))?;
                Box::new(TlsConnector::from(tls.clone()).connect(name, plain).await.map_err(failed("TLS"))?)
            }
            None => Box::new(plain),
        };
        let stream = BufStream::new(stream);
        let mut connection = Connection { stream, run: String::new(), generation, used_at: Instant::now() };
        let password = self.password.expose();
        match account {
            Some(account) => connection.log_in(&[b"AUTH", account.as_bytes(), password.as_bytes()]).await?,
            None if !password.is_empty() => connection.log_in(&[b"AUTH", password.as_bytes()]).await?,
            None => {}
        }
        if self.db != 0 {
            connection.log_in(&[b"SELECT", self.db.to_string().as_bytes()]).await?;
        }
        connection.run = run_in(&connection.look("server").await?)?;
        refuse_eviction(&connection.look("memory").await?)?;
        Ok(connection)
    }
}

impl Connection {
    /// Returns the answers, and false if no further command can be run.
    async fn ask(&mut self, commands: &[Vec<u8>], max_bytes: u64) -> Result<(Vec<Option<Answer>>, bool), StoreError> {
        let sent = async {
            for command in commands {
                self.stream.write_all(command).await?;
            }
            self.stream.flush().await
        };
        sent.await.map_err(|cause: io::Error| StoreError::Redis(chain(&cause)))?;
        let (mut answers, mut left) = (Vec::new(), max_bytes);
        for _ in commands {
            match answer(&mut self.stream, &mut left).await {
                Ok(answer) => answers.push(Some(answer)),
                Err(Broken::TooLong) => {
                    answers.resize(commands.len(), None);
                    return Ok((answers, false));
                }
                Err(Broken::Malformed) => return Err(unreadable()),
                Err(Broken::Lost(cause)) => return Err(StoreError::Redis(cause)),
            }
        }
        Ok((answers, true))
    }

    async fn one(&mut self, words: &[&[u8]]) -> Result<Answer, StoreError> {
        let (mut answers, _) = self.ask(&[packed(words)], MAX_ANSWER_BYTES).await?;
        answers.pop().flatten().ok_or_else(|| StoreError::Redis("an answer is too long".to_owned()))
    }

    /// Runs a command of the login.
    async fn log_in(&mut self, words: &[&[u8]]) -> Result<(), StoreError> {
        match self.one(words).await? {
            Answer::Refused(reason) => Err(refused_login(&reason)),
            Answer::Nothing | Answer::Number(_) | Answer::Text(_) | Answer::List(_) => Ok(()),
        }
    }

    /// Returns what Redis says about a part of itself.
    async fn look(&mut self, part: &str) -> Result<String, StoreError> {
        let info = self.one(&[b"INFO", part.as_bytes()]).await?.accepted("log in")?.text()?;
        Ok(String::from_utf8_lossy(&info).into_owned())
    }
}

impl Answer {
    /// Returns the answer to a step, unless it is a refusal.
    pub(super) fn accepted(self, step: &str) -> Result<Self, StoreError> {
        if let Self::Refused(reason) = self { Err(refused(step, &reason)) } else { Ok(self) }
    }

    /// Returns the text that the answer is.
    pub(super) fn text(self) -> Result<Vec<u8>, StoreError> {
        if let Self::Text(text) = self { Ok(text) } else { Err(unreadable()) }
    }

    /// Returns the answers that the answer lists.
    pub(super) fn list(self) -> Result<Vec<Self>, StoreError> {
        if let Self::List(answers) = self { Ok(answers) } else { Err(unreadable()) }
    }
}

fn has_left(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(reason) if LEFT.iter().any(|begin| reason.starts_with(begin)))
}

/// Returns the value of a line in an answer to `INFO`.
fn value<'a>(info: &'a str, name: &str) -> &'a str {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim()
}

/// Returns the time of Redis in Unix microseconds, if the answer to `INFO server` tells it.
pub(super) fn time_in(info: &[u8]) -> Option<u64> {
    value(&String::from_utf8_lossy(info), "server_time_usec").parse().ok()
}

/// Returns the id of the run in the answer to `INFO server`. Refuses a version that is too old.
fn run_in(info: &str) -> Result<String, StoreError> {
    let version = value(info, "redis_version");
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    if (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) < MIN_VERSION {
        return Err(StoreError::Setting(format!("Redis: version: {version:?} is older than 6.2")));
    }
    let run = value(info, "run_id");
    if run.is_empty() {
        return Err(StoreError::Setting("Redis: version: it does not tell its run_id".to_owned()));
    }
    Ok(run.to_owned())
}

/// Refuses a Redis that deletes keys when it is full: it would delete the whole stream.
fn refuse_eviction(info: &str) -> Result<(), StoreError> {
    let (limit, policy) = (value(info, "maxmemory"), value(info, "maxmemory_policy"));
    if ["", "0"].contains(&limit) || ["", "noeviction"].contains(&policy) {
        return Ok(());
    }
    Err(StoreError::Setting(format!(
        "Redis: maxmemory-policy: {policy:?} deletes the events when Redis is full; set noeviction"
    )))
}

/// Returns the error of a login that Redis refuses. It has no further words of the refusal: Redis repeats those of a
/// command that it does not know, and the password is one of them.
fn refused_login(reason: &str) -> StoreError {
    let known = WRONG_SETTINGS.iter().find(|begin| reason.starts_with(**begin)).copied();
    refused("log in", known.unwrap_or_else(|| reason.split(' ').next().unwrap_or_default()))
}

/// Returns the error of a step that Redis refuses. A refusal that remains at another attempt is one of the settings.
pub(super) fn refused(step: &str, reason: &str) -> StoreError {
    if WRONG_SETTINGS.iter().any(|begin| reason.starts_with(begin)) {
        StoreError::Setting(format!("Redis: {step}: {reason}"))
    } else {
        StoreError::Redis(format!("{step}: {reason}"))
    }
}

fn unreadable() -> StoreError {
    StoreError::Redis("an answer cannot be read".to_owned())
}

pub(super) fn no_answer(limit: Duration) -> StoreError {
    StoreError::Redis(format!("no answer within {} ms", limit.as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_read_from_a_version_that_is_new_enough() {
        let read =
            |version: &str, run: &str| run_in(&format!("# Server\r\nredis_version:{version}\r\nrun_id:{run}\r\n"));
        for version in ["7.0.15", "6.2", "10.0.1"] {
            assert_eq!(read(version, "ab12").unwrap(), "ab12");
        }
        for (version, run) in [("6.0.16", "ab12"), ("", "ab12"), ("7.0.15", "")] {
            assert!(matches!(read(version, run), Err(StoreError::Setting(_))), "{version} {run}");
        }
    }

    #[test]
    fn a_redis_that_evicts_keys_is_refused() {
        let with = |limit: u64, policy: &str| {
            refuse_eviction(&format!("maxmemory:{limit}\r\nmaxmemory_human:1M\r\nmaxmemory_policy:{policy}\r\n"))
        };
        assert!(with(0, "allkeys-lru").is_ok() && with(9, "noeviction").is_ok() && refuse_eviction("").is_ok());
        for policy in ["allkeys-lru", "volatile-ttl"] {
            assert!(matches!(with(9, policy), Err(StoreError::Setting(problem)) if problem.contains(policy)));
        }
    }

    #[test]
    fn a_refused_login_shows_no_password() {
        for reason in [
            "ERR unknown command 'AUTH', with args beginning with: 'word-of-the-bus'",
            "WRONGPASS word-of-the-bus",
            "ERR AUTH word-of-the-bus",
            "word",
        ] {
            let said = refused_login(reason).to_string();
            assert!(said.contains("log in") && !said.contains("word-of-the-bus"), "{said}");
        }
        assert!(matches!(refused_login("WRONGPASS x"), StoreError::Setting(_)));
    }

    #[test]
    fn a_refusal_of_a_server_that_was_replaced_is_known() {
        let refusal = |reason: &str| Answer::Refused(reason.to_owned());
        assert!(has_left(&refusal("READONLY You can't write against a read only replica.")));
        assert!(!has_left(&refusal("OOM command not allowed")) && !has_left(&Answer::Nothing));
    }

    #[test]
    fn a_refusal_that_passes_is_none_of_the_settings() {
        for (reason, is_lasting) in [
            ("WRONGPASS invalid username-password pair or user is disabled.", true),
            ("NOPERM this user has no permissions to run the 'info' command", true),
            ("ERR DB index is out of range", true),
            ("ERR max number of clients reached", false),
            ("LOADING Redis is loading the dataset in memory", false),
            ("MASTERDOWN Link with MASTER is down", false),
        ] {
            assert_eq!(matches!(refused("log in", reason), StoreError::Setting(_)), is_lasting, "{reason}");
        }
    }
}
