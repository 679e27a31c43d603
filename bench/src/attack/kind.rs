//! The kinds of attack, with one row for each, and the connections that carry them out.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::setpriority_process;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::wire;
use crate::report::to_float;

/// The timeout of an attacker for a response, and for more of it.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The time between two pieces of an endless body.
const DRIBBLE_INTERVAL: Duration = Duration::from_secs(1);

/// The time between two attempts of one connection.
const ATTEMPT_INTERVAL: Duration = Duration::from_secs(1);

/// The nice value of the attackers' thread, which yields to the measured clients on the same core.
const ATTACKERS_NICE: i32 = 10;

/// The number of backslashes in the hostile body, and the announced length of a body that is never sent completely.
const HOSTILE_BYTES: usize = 299_999;

/// The number of elements of the list in a proposed setting.
const LIST_ELEMENTS: usize = 20_000;

/// One kind of attack.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// The weight of this kind among all connections.
    weight: u64,
    /// Returns the bytes that are sent at once.
    request: fn(&Target, u64) -> Vec<u8>,
    then: Then,
}

/// The behaviour of an attacker after its request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Reads the response and connects again.
    ComesBack,
    /// Sends another byte every second, without an end.
    Dribbles,
    /// Keeps the connection open and does not read the response.
    TakesNothing,
    /// Closes the connection at once and connects again.
    HangsUp,
}

pub(super) const KINDS: [Kind; 13] = [
    kind("body-unfound", 4, |_, n| chunked("POST", "/api/v4/nowhere", "", n), Then::Dribbles),
    kind("body-unauthorised", 4, |_, n| chunked("PUT", "/api/v4/config", "", n), Then::Dribbles),
    kind("body-login", 4, |_, n| announced("/api/v4/users/login", HOSTILE_BYTES, n), Then::Dribbles),
    kind("body-hostile", 1, |_, n| whole("POST", "/api/v4/users/login", "", &backslashes(), n), Then::ComesBack),
    kind("login-unknown", 2, |_, n| login(&format!("nobody{n}"), n), Then::ComesBack),
    kind("login-one-name", 2, |_, n| login("user1", n), Then::ComesBack),
    kind("login-hangs-up", 1, |_, n| login("user1", n), Then::HangsUp),
    kind("bundle-takes-nothing", 6, |_, n| get(BUNDLE, "", n), Then::TakesNothing),
    kind("bundle-packed", 1, |_, n| get(BUNDLE, "Accept-Encoding: gzip\r\n", n), Then::ComesBack),
    kind("token-made-up", 1, |_, n| get("/api/v4/users/me", &bearer(&format!("{n:026}")), n), Then::ComesBack),
    kind("image-takes-nothing", 2, image, Then::TakesNothing),
    kind("redirect-silent", 1, redirect, Then::ComesBack),
    kind("config-long-list", 1, long_list, Then::ComesBack),
];

/// The largest file that a caller without a session may request.
const BUNDLE: &str = "/api/v4/openapi/swagger-ui-bundle.js";

const fn kind(name: &'static str, weight: u64, request: fn(&Target, u64) -> Vec<u8>, then: Then) -> Kind {
    Kind { name, weight, request, then }
}

/// The server under attack, and the accounts that attack it.
pub(super) struct Target {
    pub(super) address: String,
    /// The token of an ordinary account.
    pub(super) user: String,
    /// The token of an account that may write settings.
    pub(super) admin: String,
    /// A host that never answers.
    pub(super) silent: String,
    /// A host with an image.
    pub(super) image: String,
    pub(super) until: Instant,
}

/// The results of the attempts of one kind.
#[derive(Default)]
pub(super) struct Tally {
    attempts: u64,
    refused: u64,
    statuses: BTreeMap<u16, u64>,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.refused += other.refused;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:>7} attempts", self.attempts)?;
        for (status, count) in &self.statuses {
            write!(formatter, "  {status}: {count}")?;
        }
        if self.refused > 0 { write!(formatter, "  no answer: {}", self.refused) } else { Ok(()) }
    }
}

/// The results of all kinds.
pub(super) type Outcome = Vec<(&'static Kind, Tally)>;

/// An attack in progress on a thread of its own, so that the measured clients do not wait for the attackers.
pub(super) struct Attack(JoinHandle<io::Result<Outcome>>);

impl Attack {
    /// Starts `connections` attackers, divided among the kinds by weight and spread over addresses.
    pub(super) fn start(target: Target, kinds: Vec<&'static Kind>, connections: u64, addresses: u64) -> Self {
        Self(std::thread::spawn(move || {
            setpriority_process(None, ATTACKERS_NICE)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(attack(Arc::new(target), kinds, connections, addresses)))
        }))
    }

    /// Waits for the end of the attack and returns its results.
    pub(super) fn end(self) -> io::Result<Outcome> {
        self.0.join().map_err(|_| io::Error::other("the attackers panicked"))?
    }
}

async fn attack(target: Arc<Target>, kinds: Vec<&'static Kind>, connections: u64, addresses: u64) -> Outcome {
    let rows: Vec<usize> =
        kinds.iter().enumerate().flat_map(|(row, kind)| (0..kind.weight).map(move |_| row)).collect();
    let mut attackers = JoinSet::new();
    for (number, row) in (0..connections).zip(rows.iter().copied().cycle()) {
        let Some(kind) = kinds.get(row).copied() else { continue };
        let target = target.clone();
        // The starts are spread over the time of one attempt, so that the load is steady and not a burst each second.
        let offset = ATTEMPT_INTERVAL.mul_f64(to_float(number) / to_float(connections.max(1)));
        attackers.spawn(async move {
            sleep(offset).await;
            (row, keep_attacking(kind, &target, number % addresses).await)
        });
    }
    let mut outcome: Outcome = kinds.into_iter().map(|kind| (kind, Tally::default())).collect();
    while let Some(ended) = attackers.join_next().await {
        if let Ok((row, tally)) = ended
            && let Some((_, all)) = outcome.get_mut(row)
        {
            all.add(&tally);
        }
    }
    outcome
}

async fn keep_attacking(kind: &Kind, target: &Target, number: u64) -> Tally {
    let mut tally = Tally::default();
    let request = (kind.request)(target, number);
    while Instant::now() < target.until {
        tally.attempts += 1;
        match timeout_at(target.until, attempt(kind.then, &target.address, &request)).await {
            Ok(Ok(Some(status))) => *tally.statuses.entry(status).or_default() += 1,
            Ok(Ok(None)) | Err(_) => {}
            Ok(Err(_)) => tally.refused += 1,
        }
        sleep(ATTEMPT_INTERVAL).await;
    }
    tally
}

async fn attempt(then: Then, address: &str, request: &[u8]) -> io::Result<Option<u16>> {
    let takes_nothing = then == Then::TakesNothing;
    let mut connection = wire::connect(address, takes_nothing).await?;
    // The response may arrive before the request is sent completely.
    let _ = connection.write_all(request).await;
    match then {
        Then::HangsUp => Ok(None),
        Then::TakesNothing => {
            sleep_until_closed(&connection).await;
            Ok(None)
        }
        Then::ComesBack => {
            let status = wire::status(&mut connection, RESPONSE_TIMEOUT).await?;
            wire::drain(&mut connection, RESPONSE_TIMEOUT).await;
            Ok(Some(status))
        }
        Then::Dribbles => dribble(&mut connection).await.map(Some),
    }
}

/// Sends a byte of a body every second until the server answers and closes.
async fn dribble(connection: &mut TcpStream) -> io::Result<u16> {
    let mut status = None;
    loop {
        let next = Instant::now() + DRIBBLE_INTERVAL;
        if let Ok(found) = wire::status(connection, DRIBBLE_INTERVAL).await {
            status.get_or_insert(found);
        }
        // After the response, only the time of the next byte is left to wait for.
        sleep_until(next).await;
        let is_closed = connection.write_all(b"1\r\n \r\n").await.is_err();
        if is_closed {
            return status.ok_or_else(|| io::Error::other("closed without a response"));
        }
    }
}

/// Returns when the server resets the connection. Reads nothing meanwhile.
async fn sleep_until_closed(connection: &TcpStream) {
    while connection.take_error().is_ok_and(|error| error.is_none()) {
        sleep(Duration::from_secs(1)).await;
    }
}

/// Returns the head of a request from the attacker's address with this number.
fn head(method: &str, path: &str, headers: &str, number: u64) -> String {
    let address = number + 1;
    format!("{method} {path} HTTP/1.1\r\nHost: bench\r\nX-Forwarded-For: 203.0.113.{address}\r\n{headers}")
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn get(path: &str, headers: &str, number: u64) -> Vec<u8> {
    format!("{}Connection: close\r\n\r\n", head("GET", path, headers, number)).into_bytes()
}

fn whole(method: &str, path: &str, headers: &str, body: &str, number: u64) -> Vec<u8> {
    let head = head(method, path, headers, number);
    format!("{head}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn chunked(method: &str, path: &str, headers: &str, number: u64) -> Vec<u8> {
    format!("{}Transfer-Encoding: chunked\r\n\r\n", head(method, path, headers, number)).into_bytes()
}

/// Returns a request whose body begins and is never sent completely.
fn announced(path: &str, length: usize, number: u64) -> Vec<u8> {
    format!("{}Content-Length: {length}\r\n\r\n{{", head("POST", path, "", number)).into_bytes()
}

fn backslashes() -> String {
    format!("{{{}", "\\".repeat(HOSTILE_BYTES))
}

fn login(name: &str, number: u64) -> Vec<u8> {
    let body = format!("{{\"login_id\":\"{name}\",\"password\":\"wrong-horse-{number}\"}}");
    whole("POST", "/api/v4/users/login", "", &body, number)
}

fn image(target: &Target, number: u64) -> Vec<u8> {
    let path = format!("/api/v4/image?url={}/{number}.png", target.image);
    get(&path, &bearer(&target.user), number)
}

fn redirect(target: &Target, number: u64) -> Vec<u8> {
    let path = format!("/api/v4/redirect_location?url={}/{number}", target.silent);
    get(&path, &bearer(&target.user), number)
}

fn long_list(target: &Target, number: u64) -> Vec<u8> {
    let list = vec!["\"\""; LIST_ELEMENTS].join(",");
    let body = format!("{{\"ServiceSettings\":{{\"TrustedProxyIPHeader\":[{list}]}}}}");
    whole("PUT", "/api/v4/config/patch?dry_run=true", &bearer(&target.admin), &body, number)
}
