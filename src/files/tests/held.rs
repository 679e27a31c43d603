//! Stores in Azure that stop answering at one step: the test ends within its limit and names the step, and a test that is
//! given up stops its work.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quarterdeck_actors::storage::progress::Progress;
use quarterdeck_actors::storage::report::{Kind, Report, Step};
use quarterdeck_actors::storage::settings::{Store, StoreSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::azure::{at, names, with};
use super::peers::azure;
use super::support::{LIMITS, expect_failure, expect_passed, install_cryptography, probed, probed_within};
use crate::files::{Limits, Stores, probe};

const SHORT_LIMITS: Limits = Limits { step: Duration::from_millis(300), whole: Duration::from_secs(5) };

/// Each kind of request, and the step that sends it.
const KINDS: [(&str, Step); 4] =
    [("LIST", Step::Authenticate), ("PUT", Step::Write), ("GET", Step::Read), ("DELETE", Step::Delete)];

/// Limits in which a store on the same machine answers the other requests.
const STORE_LIMITS: Limits = Limits { step: Duration::from_secs(2), whole: Duration::from_secs(20) };

/// Runs the test with these limits. It must end within the limit of the whole test.
async fn probed_in_time(settings: &StoreSettings, limits: Limits) -> Report {
    let began = Instant::now();
    let report = probed_within(settings, limits).await;
    assert!(began.elapsed() < limits.whole, "{report:?}");
    report
}

#[tokio::test]
async fn an_account_that_nothing_reaches_fails_at_the_connection_in_time() {
    // A queue that is full drops further connections without an answer, as a firewall does.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        waiting.push(connected.unwrap());
    }
    let report = probed_in_time(&with(&address.to_string(), "files"), SHORT_LIMITS).await;
    expect_failure(&report, Step::Connect, Kind::Other, Some("Timeout"), "FileSettings.AzureEndpoint");
}

#[tokio::test]
async fn an_account_that_never_answers_fails_at_tls_or_at_the_credentials_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = with(&listener.local_addr().unwrap().to_string(), "files");
    let report = probed_in_time(&settings, SHORT_LIMITS).await;
    expect_failure(&report, Step::Authenticate, Kind::Other, Some("Timeout"), "FileSettings.AzureEndpoint");
    settings.azure_ssl = true;
    let report = probed_in_time(&settings, SHORT_LIMITS).await;
    expect_failure(&report, Step::Tls, Kind::Other, Some("Timeout"), "FileSettings.AzureEndpoint");
    settings.azure_request_timeout_milliseconds = 50;
    let report = probed(&settings).await;
    expect_failure(&report, Step::Tls, Kind::Other, Some("Timeout"), "FileSettings.AzureEndpoint");
}

#[tokio::test]
async fn a_step_that_is_never_answered_is_named_in_time() {
    let Some(host) = azure() else { return };
    let mut settings = at(host, "held").await;
    for (kind, step) in KINDS {
        let proxy = Proxy::before(host, kind).await;
        settings.azure_endpoint = proxy.address.clone();
        let report = probed_in_time(&settings, STORE_LIMITS).await;
        let failure = report.failure.as_ref().unwrap();
        assert_eq!((failure.step, failure.code.as_deref()), (step, Some("Timeout")), "{report:#?}");
        timeout(LIMITS.step, proxy.shared.left.notified()).await.expect("the request ends with its step");
        settings.azure_endpoint = host.to_owned();
        emptied(&settings).await;
    }
}

/// Waits until nothing is in the container.
async fn emptied(settings: &StoreSettings) {
    let empty = async { while !names(settings).await.is_empty() {} };
    timeout(LIMITS.step, empty).await.expect("the object of the test is removed");
}

#[tokio::test]
async fn a_test_that_is_given_up_stops_at_any_step_and_leaves_nothing() {
    let Some(host) = azure() else { return };
    install_cryptography();
    let mut settings = at(host, "given-up").await;
    for (kind, step) in KINDS {
        let proxy = Proxy::before(host, kind).await;
        settings.azure_endpoint = proxy.address.clone();
        let objects = Stores::objects(&settings).unwrap();
        let test = probe::run(objects, LIMITS, Store::Files, Progress::default());
        tokio::select! {
            report = test => panic!("{report:#?}"),
            () = proxy.shared.reached.notified() => {}
        }
        timeout(LIMITS.step, proxy.shared.left.notified()).await.expect("the request ends with the test");
        if step != Step::Authenticate {
            timeout(LIMITS.step, proxy.shared.removed.notified()).await.expect("its removal is requested");
        }
        settings.azure_endpoint = host.to_owned();
        emptied(&settings).await;
        expect_passed(&probed(&settings).await);
    }
}

/// A proxy in front of a store that never answers the first request of one kind.
struct Proxy {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    host: String,
    held: Mutex<Option<&'static str>>,
    /// The request that is held arrived.
    reached: Notify,
    /// Its connection ended.
    left: Notify,
    /// A request to delete an object was passed on.
    removed: Notify,
}

impl Proxy {
    async fn before(host: &str, held: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let [reached, left, removed] = [(); 3].map(|()| Notify::new());
        let shared = Arc::new(Shared { host: host.to_owned(), held: Mutex::new(Some(held)), reached, left, removed });
        let relaying = shared.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(relay(near, relaying.clone()));
            }
        });
        Self { address, shared }
    }
}

/// Passes requests on until the one that is held, and then waits until the client is gone.
async fn relay(near: TcpStream, shared: Arc<Shared>) {
    let (mut near_reads, mut near_writes) = near.into_split();
    let (mut far_reads, mut far_writes) = TcpStream::connect(&shared.host).await.unwrap().into_split();
    tokio::spawn(async move { copy(&mut far_reads, &mut near_writes).await });
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(length) = near_reads.read(&mut chunk).await
        && length > 0
    {
        let kind = kind_of(&chunk[..length]);
        let is_held = shared.held.lock().unwrap().take_if(|held| Some(*held) == kind).is_some();
        if is_held {
            shared.reached.notify_one();
            while near_reads.read(&mut chunk).await.is_ok_and(|length| length > 0) {}
            shared.left.notify_one();
            break;
        }
        if far_writes.write_all(&chunk[..length]).await.is_err() {
            break;
        }
        if kind == Some("DELETE") {
            shared.removed.notify_one();
        }
    }
}

/// Returns the kind of the request that these bytes begin; `None` if they begin none.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().next().unwrap_or_default();
    match line.split(' ').next()? {
        "GET" if !line.contains("qd-probe") => Some("LIST"),
        "GET" => Some("GET"),
        "PUT" => Some("PUT"),
        "DELETE" => Some("DELETE"),
        _ => None,
    }
}
