//! The kinds of attack, with one row for each, and the connections that carry them out.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::setpriority_process;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
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

/// The maximum time of an attacker.
const MAX_TIME: Duration = Duration::from_hours(24);

/// The nice value of the attackers' thread, which yields to the measured clients on the same core.
const ATTACKERS_NICE: i32 = 10;

/// The number of backslashes in the hostile body, and the announced length of a body that is never sent completely.
const HOSTILE_BYTES: usize = 299_999;

/// The length of a body that is longer than any route permits.
const OVERSIZED_BYTES: usize = 1024 * 1024;

/// The end of a request that asks for a socket.
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: cXVhcnRlcmRlY2stYmVuYw==\r\n\r\n";

/// The head of a masked text of 2^40 bytes.
const HUGE_FRAME: [u8; 14] = [0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The pieces that an attacker adds to a body and to a head.
const PIECE_OF_BODY: &[u8] = b"1\r\n \r\n";
const PIECE_OF_HEAD: &[u8] = b"a: b\r\n";

/// The number of elements of the list in a proposed setting.
const LIST_ELEMENTS: usize = 20_000;

/// One kind of attack.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The weight of this kind among all connections.
    pub(super) weight: usize,
    /// True if it needs neither an account nor a host of the attack.
    pub(crate) is_anonymous: bool,
    /// Returns the bytes that are sent at once.
    request: fn(&Target, u64) -> Vec<u8>,
    then: Then,
}

/// The behaviour of an attacker after its request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Reads the response and connects again.
    ComesBack,
    /// Sends this piece every second, without an end.
    Dribbles(&'static [u8]),
    /// Keeps the connection open and does not read the response.
    TakesNothing,
    /// Closes the connection at once and connects again.
    HangsUp,
    /// Reads until the server closes the connection, and sends nothing.
    Waits,
}

pub(crate) const KINDS: [Kind; 17] = [
    kind("body-unfound", 4, |_, n| chunked("POST", "/api/v4/nowhere", "", n), DRIBBLES),
    kind("body-unauthorised", 4, |_, n| chunked("PUT", "/api/v4/config", "", n), DRIBBLES),
    kind("body-login", 4, |_, n| announced("/api/v4/users/login", HOSTILE_BYTES, n), DRIBBLES),
    kind("body-hostile", 1, |_, n| whole("POST", "/api/v4/users/login", "", &backslashes(), n), Then::ComesBack),
    kind("login-unknown", 2, |_, n| login(&format!("nobody{n}"), n), Then::ComesBack),
    kind("login-one-name", 2, |_, n| login("user1", n), Then::ComesBack),
    kind("login-hangs-up", 1, |_, n| login("user1", n), Then::HangsUp),
    kind("bundle-takes-nothing", 6, |_, n| get(BUNDLE, "", n), Then::TakesNothing),
    kind("bundle-packed", 1, |_, n| get(BUNDLE, "Accept-Encoding: gzip\r\n", n), Then::ComesBack),
    kind("token-made-up", 1, |_, n| get("/api/v4/users/me", &bearer(&format!("{n:026}")), n), Then::ComesBack),
    kind("head-slow", 2, |_, n| head("GET", "/api/v4/system/ping", "", n).into_bytes(), Then::Dribbles(PIECE_OF_HEAD)),
    kind("body-oversized", 1, |_, n| whole("POST", LOGIN, "", &"x".repeat(OVERSIZED_BYTES), n), Then::ComesBack),
    kind("socket-unauthenticated", 2, |_, n| socket(&[], n), Then::Waits),
    kind("frame-huge", 1, |_, n| socket(&HUGE_FRAME, n), Then::Waits),
    with_helpers("image-takes-nothing", 2, image, Then::TakesNothing),
    with_helpers("redirect-silent", 1, redirect, Then::ComesBack),
    with_helpers("config-long-list", 1, long_list, Then::ComesBack),
];

const DRIBBLES: Then = Then::Dribbles(PIECE_OF_BODY);

const LOGIN: &str = "/api/v4/users/login";

/// The largest file that a caller without a session may request.
const BUNDLE: &str = "/api/v4/openapi/swagger-ui-bundle.js";

const fn kind(name: &'static str, weight: usize, request: fn(&Target, u64) -> Vec<u8>, then: Then) -> Kind {
    Kind { name, weight, is_anonymous: true, request, then }
}

/// Returns a kind that needs an account or a host of the attack.
const fn with_helpers(name: &'static str, weight: usize, request: fn(&Target, u64) -> Vec<u8>, then: Then) -> Kind {
    Kind { is_anonymous: false, ..kind(name, weight, request, then) }
}

/// The server under attack, and the accounts that attack it.
#[derive(Debug, Default)]
pub(crate) struct Target {
    pub(super) address: String,
    /// The token of an ordinary account.
    pub(super) user: String,
    /// The token of an account that may write settings.
    pub(super) admin: String,
    /// A host that never answers.
    pub(super) silent: String,
    /// A host with an image.
    pub(super) image: String,
    /// The end, if it is known before.
    pub(super) until: Option<Instant>,
    /// The number of addresses of the attackers.
    pub(super) addresses: u64,
    /// True if each attacker connects from its own address of this machine, instead of naming one in a header of a proxy.
    pub(super) binds: bool,
}

impl Target {
    /// Returns a server of this machine that is attacked without accounts, from several addresses of this machine.
    pub(crate) fn of_this_machine(address: String, addresses: u64) -> Self {
        Self { address, addresses, binds: true, ..Self::default() }
    }
}

/// The results of the attempts of one kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) attempts: u64,
    /// The number of attempts without a response.
    pub(crate) refused: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
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

/// The results of all kinds, by name.
pub(crate) type Tallies = BTreeMap<&'static str, Tally>;

/// An attack in progress on a thread of its own, so that the measured clients do not wait for the attackers. It ends when
/// this is dropped.
pub(crate) struct Attack {
    thread: JoinHandle<io::Result<()>>,
    tallies: Arc<Mutex<Tallies>>,
    stop: watch::Sender<()>,
}

impl Attack {
    /// Starts one attacker for each of the given kinds, spread over the addresses of the target.
    pub(crate) fn start(target: Target, kinds: Vec<&'static Kind>) -> Self {
        let tallies: Arc<Mutex<Tallies>> = Arc::default();
        let (stop, mut stopped) = watch::channel(());
        let counted = tallies.clone();
        let thread = std::thread::spawn(move || {
            setpriority_process(None, ATTACKERS_NICE)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async move {
                tokio::select! {
                    () = attack(Arc::new(target), &kinds, &counted) => {}
                    _ = stopped.changed() => {}
                }
            });
            Ok(())
        });
        Self { thread, tallies, stop }
    }

    /// Waits for the end of the attack and returns its results.
    pub(super) fn end(self) -> io::Result<Tallies> {
        self.thread.join().map_err(|_| io::Error::other("the attackers panicked"))??;
        Ok(self.tallies.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Ends the attack and returns its results so far.
    pub(crate) fn stop(self) -> io::Result<Tallies> {
        self.stop.send_replace(());
        self.end()
    }
}

async fn attack(target: Arc<Target>, kinds: &[&'static Kind], tallies: &Arc<Mutex<Tallies>>) {
    let count = to_float(u64::try_from(kinds.len()).unwrap_or(u64::MAX).max(1));
    let mut attackers = JoinSet::new();
    for (number, kind) in (0..).zip(kinds.iter().copied()) {
        let (target, tallies) = (target.clone(), tallies.clone());
        // The starts are spread over the time of one attempt, so that the load is steady and not a burst each second.
        let offset = ATTEMPT_INTERVAL.mul_f64(to_float(number) / count);
        attackers.spawn(async move {
            sleep(offset).await;
            keep_attacking(kind, &target, number % target.addresses.max(1), &tallies).await;
        });
    }
    while attackers.join_next().await.is_some() {}
}

async fn keep_attacking(kind: &Kind, target: &Target, number: u64, tallies: &Mutex<Tallies>) {
    let request = (kind.request)(target, number);
    let far = Instant::now() + MAX_TIME;
    let until = target.until.unwrap_or(far);
    let from = target.binds.then(|| source(number));
    let count = |add: &dyn Fn(&mut Tally)| {
        add(tallies.lock().unwrap_or_else(PoisonError::into_inner).entry(kind.name).or_default());
    };
    while Instant::now() < until {
        count(&|tally| tally.attempts += 1);
        let ended = timeout_at(until, attempt(kind.then, &target.address, from, &request)).await;
        match ended {
            Ok(Ok(Some(status))) => count(&|tally| *tally.statuses.entry(status).or_default() += 1),
            Ok(Ok(None)) | Err(_) => {}
            Ok(Err(_)) => count(&|tally| tally.refused += 1),
        }
        sleep(ATTEMPT_INTERVAL).await;
    }
}

/// Returns the address of this machine that an attacker connects from. No ordinary client has it.
fn source(number: u64) -> Ipv4Addr {
    Ipv4Addr::new(127, 66, 0, u8::try_from(number % 250).unwrap_or_default() + 1)
}

async fn attempt(then: Then, address: &str, from: Option<Ipv4Addr>, request: &[u8]) -> io::Result<Option<u16>> {
    let takes_nothing = then == Then::TakesNothing;
    let mut connection = wire::connect(address, from, takes_nothing).await?;
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
        Then::Dribbles(piece) => dribble(&mut connection, piece).await.map(Some),
        Then::Waits => {
            let status = wire::status(&mut connection, RESPONSE_TIMEOUT).await?;
            wire::drain(&mut connection, MAX_TIME).await;
            Ok(Some(status))
        }
    }
}

/// Sends a piece every second until the server answers and closes.
async fn dribble(connection: &mut TcpStream, piece: &[u8]) -> io::Result<u16> {
    let mut status = None;
    loop {
        let next = Instant::now() + DRIBBLE_INTERVAL;
        if let Ok(found) = wire::status(connection, DRIBBLE_INTERVAL).await {
            status.get_or_insert(found);
        }
        // After the response, only the time of the next byte is left to wait for.
        sleep_until(next).await;
        let is_closed = connection.write_all(piece).await.is_err();
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

/// Returns a request for a socket without a token, with bytes after it.
fn socket(more: &[u8], number: u64) -> Vec<u8> {
    [head("GET", "/api/v4/websocket", UPGRADE, number).as_bytes(), more].concat()
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
