//! A TCP proxy in front of the server or its database, which can fail like a network.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// The state of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Bytes are forwarded.
    Up,
    /// Open connections are closed and new ones refused, as by a host whose database has ended.
    Refused,
    /// Connections are accepted and stay open, but no byte is forwarded, as by a host that hangs.
    Stalled,
    /// Bytes are forwarded this much later.
    Slow(Duration),
}

/// A running proxy. It ends with the test.
pub struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    upstream: Rc<RefCell<String>>,
    // Bound but not listening, so that no other process gets the port while connections are refused.
    _port: TcpSocket,
}

impl Proxy {
    /// Starts a proxy that forwards connections to `upstream`, such as `127.0.0.1:5432`.
    pub fn start(upstream: &str) -> Self {
        Self::start_as(Line::Up, upstream)
    }

    /// Starts a proxy that refuses connections until it is restored.
    pub fn start_refused(upstream: &str) -> Self {
        Self::start_as(Line::Refused, upstream)
    }

    fn start_as(state: Line, upstream: &str) -> Self {
        let port = bound("127.0.0.1:0".parse().unwrap());
        let address = port.local_addr().unwrap();
        let (line, watched) = watch::channel(state);
        let upstream = Rc::new(RefCell::new(upstream.to_owned()));
        actix_web::rt::spawn(run(address, upstream.clone(), watched));
        Self { address, line, upstream, _port: port }
    }

    /// Returns the address of the proxy.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards new connections to another address.
    pub fn lead_to(&self, upstream: &str) {
        upstream.clone_into(&mut self.upstream.borrow_mut());
    }

    /// Closes all connections and refuses new ones.
    pub fn refuse(&self) {
        self.line.send_replace(Line::Refused);
    }

    /// Stops forwarding bytes.
    pub fn stall(&self) {
        self.line.send_replace(Line::Stalled);
    }

    /// Forwards bytes later, in each direction.
    pub fn slow(&self, delay: Duration) {
        self.line.send_replace(Line::Slow(delay));
    }

    /// Forwards bytes again, including those that were delayed.
    pub fn restore(&self) {
        self.line.send_replace(Line::Up);
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn run(address: SocketAddr, upstream: Rc<RefCell<String>>, mut line: watch::Receiver<Line>) {
    while line.wait_for(|line| *line != Line::Refused).await.is_ok() {
        let listener = bound(address).listen(128).unwrap();
        let accepting = pin!(accept(listener, &upstream, line.clone()));
        tokio::select! {
            () = accepting => {}
            refused = line.wait_for(|line| *line == Line::Refused) => {
                // The proxy has ended, and the test goes on.
                if refused.is_err() {
                    break;
                }
            }
        }
    }
}

async fn accept(listener: TcpListener, upstream: &RefCell<String>, line: watch::Receiver<Line>) {
    while let Ok((near, _)) = listener.accept().await {
        let (upstream, line) = (upstream.borrow().clone(), line.clone());
        actix_web::rt::spawn(relay(near, upstream, line));
    }
}

async fn relay(near: TcpStream, upstream: String, line: watch::Receiver<Line>) {
    let passing = async {
        passable(line.clone()).await;
        let Ok(far) = TcpStream::connect(upstream).await else { return };
        let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
        tokio::join!(pump(near_read, far_write, line.clone()), pump(far_read, near_write, line.clone()));
    };
    // Refused, or the proxy has ended.
    let mut watched = line.clone();
    tokio::select! {
        () = passing => {}
        _ = watched.wait_for(|line| *line == Line::Refused) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: watch::Receiver<Line>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        passable(line.clone()).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Waits until bytes are forwarded.
async fn passable(mut line: watch::Receiver<Line>) {
    let state = line.wait_for(|line| matches!(line, Line::Up | Line::Slow(_))).await.map(|line| *line);
    if let Ok(Line::Slow(delay)) = state {
        sleep(delay).await;
    }
}
