//! A server with a known latency, known errors and a known stall, on a thread of its own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::{HandshakeKind, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

/// The delay of the stub itself above which a run proves nothing.
pub(super) const PUNCTUAL: Duration = Duration::from_millis(100);

const DEADLINE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Default)]
pub(super) struct Behaviour {
    /// The latency of each response of a cycle.
    pub(super) latencies: Vec<Duration>,
    /// Each response with a number that this divides is an error.
    pub(super) fails_each: Option<u64>,
    /// The beginning of a stall after the first request, and its length. No response is sent during it.
    pub(super) stall: Option<(Duration, Duration)>,
    /// True if each response is a redirect.
    pub(super) redirects: bool,
}

impl Behaviour {
    /// A cycle of responses: so many with a latency in milliseconds.
    pub(super) fn latencies(cycle: &[(usize, u64)]) -> Self {
        let each = cycle.iter().map(|(count, ms)| vec![Duration::from_millis(*ms); *count]);
        Self { latencies: each.flatten().collect(), ..Self::default() }
    }
}

pub(super) struct Stub {
    pub(super) address: SocketAddr,
    state: Arc<State>,
    _end: oneshot::Sender<()>,
}

#[derive(Default)]
struct State {
    behaviour: Behaviour,
    received: AtomicU64,
    is_received: Notify,
    late: AtomicU64,
    /// The number of TLS handshakes, and of those that resumed a session.
    handshakes: AtomicU64,
    resumed: AtomicU64,
    first: Mutex<Option<Instant>>,
}

impl Stub {
    pub(super) fn start(behaviour: Behaviour) -> Self {
        Self::start_with(behaviour, None)
    }

    pub(super) fn start_tls(behaviour: Behaviour, tls: ServerConfig) -> Self {
        Self::start_with(behaviour, Some(TlsAcceptor::from(Arc::new(tls))))
    }

    fn start_with(behaviour: Behaviour, tls: Option<TlsAcceptor>) -> Self {
        let state = Arc::new(State { behaviour, ..State::default() });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let served = state.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    _ = ended => {}
                    () = serve(listener, tls, served) => {}
                }
            });
        });
        Self { address, state, _end: end }
    }

    /// Begins the cycle, the counts and the time of the stall anew.
    pub(super) fn begin(&self) {
        self.state.received.store(0, Ordering::SeqCst);
        self.state.late.store(0, Ordering::SeqCst);
        *self.state.first.lock().unwrap() = None;
    }

    pub(super) fn received(&self) -> u64 {
        self.state.received.load(Ordering::SeqCst)
    }

    pub(super) fn handshakes(&self) -> u64 {
        self.state.handshakes.load(Ordering::SeqCst)
    }

    pub(super) fn resumed(&self) -> u64 {
        self.state.resumed.load(Ordering::SeqCst)
    }

    /// Waits until that many requests were received.
    pub(super) async fn receives(&self, count: u64) {
        let received = async {
            while self.received() < count {
                self.state.is_received.notified().await;
            }
        };
        timeout(DEADLINE, received).await.unwrap();
    }

    /// Returns the number of responses that were sent after their moment.
    pub(super) fn late(&self) -> u64 {
        self.state.late.load(Ordering::SeqCst)
    }

    /// Returns true if at most one of a hundred responses was sent after its moment.
    pub(super) fn was_punctual(&self) -> bool {
        self.late() * 100 <= self.received()
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(accept(stream, tls.clone(), state.clone()));
    }
}

async fn accept(stream: TcpStream, tls: Option<TlsAcceptor>, state: Arc<State>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return answer(stream, state).await };
    let stream = tls.accept(stream).await?;
    state.handshakes.fetch_add(1, Ordering::SeqCst);
    let is_resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
    state.resumed.fetch_add(u64::from(is_resumed), Ordering::SeqCst);
    answer(stream, state).await
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<State>) -> std::io::Result<()> {
    let mut request = [0; 4096];
    while stream.read(&mut request).await? > 0 {
        let number = state.received.fetch_add(1, Ordering::SeqCst);
        state.is_received.notify_one();
        let moment = state.moment(number);
        if moment > Instant::now() {
            sleep_until(moment.into()).await;
        }
        if moment.elapsed() > PUNCTUAL {
            state.late.fetch_add(1, Ordering::SeqCst);
        }
        let fails = state.behaviour.fails_each.is_some_and(|each| number % each == each - 1);
        let answer = if state.behaviour.redirects {
            "HTTP/1.1 301 Moved\r\nLocation: https://chat.invalid/\r\nContent-Length: 0\r\n\r\n".to_owned()
        } else if fails {
            let body = r#"{"id":"api.stub.app_error","status_code":503}"#;
            format!("HTTP/1.1 503 Busy\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_owned()
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}

impl State {
    /// Returns the moment of a response.
    fn moment(&self, number: u64) -> Instant {
        let now = Instant::now();
        let first = *self.first.lock().unwrap().get_or_insert(now);
        let cycle = &self.behaviour.latencies;
        let latency = match u64::try_from(cycle.len()).unwrap() {
            0 => Duration::ZERO,
            // Neighbours differ, so that slow responses do not come in a row.
            length => cycle[usize::try_from(number * 37 % length).unwrap()],
        };
        let moment = now + latency;
        match self.behaviour.stall {
            Some((begin, length)) if (first + begin..first + begin + length).contains(&moment) => {
                first + begin + length
            }
            _ => moment,
        }
    }
}
