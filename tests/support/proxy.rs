//! A TCP proxy that stands before the server or before its database, and can fail in the ways a network does.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// How the line behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Bytes pass.
    Up,
    /// Open connections are closed and new ones refused, as by a host whose database has ended.
    Refused,
    /// Connections stay open and are accepted, and no byte arrives, as by a host that hangs.
    Stalled,
}

/// A running proxy; it ends with the test.
pub struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    upstream: Rc<RefCell<String>>,
    // Bound and never listening: while the line is refused, nobody else is given the port.
    _port: TcpSocket,
}

impl Proxy {
    /// One that passes everything on to `upstream`, such as `127.0.0.1:5432`.
    pub fn start(upstream: &str) -> Self {
        Self::start_as(Line::Up, upstream)
    }

    /// One that refuses connections until it is restored.
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Passes connections from now on to another place.
    pub fn lead_to(&self, upstream: &str) {
        upstream.clone_into(&mut self.upstream.borrow_mut());
    }

    /// Closes all connections and takes no new ones.
    pub fn refuse(&self) {
        self.line.send_replace(Line::Refused);
    }

    /// Holds everything back.
    pub fn stall(&self) {
        self.line.send_replace(Line::Stalled);
    }

    /// Passes everything on again, and what was held back.
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
            _ = line.wait_for(|line| *line == Line::Refused) => {}
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
    // Refused, or the proxy is gone.
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

/// Waits until bytes pass.
async fn passable(mut line: watch::Receiver<Line>) {
    let _ = line.wait_for(|line| *line == Line::Up).await.is_ok();
}
