//! Sockets at all nodes, which note the publications that they receive.

use std::io;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::number::number_in;
use crate::ws::endpoint::{Socket, SocketEndpoint};
use crate::ws::event::{self, Kind};

/// Notes the publications that sockets receive.
pub(crate) trait Arrivals: Send + Sync + 'static {
    /// Notes that a socket at a node received a publication.
    fn arrived(&self, number: u64, node: usize, now: Instant);

    /// Notes that a socket ended.
    fn fail(&self, cause: &io::Error);
}

/// Open sockets. They are closed when this is dropped.
pub(crate) struct Sockets(JoinSet<()>);

impl Sockets {
    /// Opens a socket at each endpoint and waits until it is greeted.
    pub(crate) async fn open<A: Arrivals>(
        endpoints: Vec<(usize, SocketEndpoint)>,
        arrivals: &Arc<A>,
    ) -> io::Result<Self> {
        let mut tasks = JoinSet::new();
        for (node, endpoint) in endpoints {
            let mut reader = Reader { socket: endpoint.open("").await?, node, arrivals: arrivals.clone() };
            while !reader.read().await? {
                reader.socket.fill().await?;
            }
            tasks.spawn(async move {
                if let Err(cause) = reader.follow().await {
                    reader.arrivals.fail(&cause);
                }
            });
        }
        Ok(Self(tasks))
    }

    /// Closes all sockets.
    pub(super) async fn end(mut self) {
        self.0.shutdown().await;
    }
}

struct Reader<A> {
    socket: Socket,
    node: usize,
    arrivals: Arc<A>,
}

impl<A: Arrivals> Reader<A> {
    async fn follow(&mut self) -> io::Result<()> {
        loop {
            self.read().await?;
            self.socket.fill().await?;
        }
    }

    /// Notes the complete events and answers pings. Returns true if the greeting was among the events.
    async fn read(&mut self) -> io::Result<bool> {
        let (now, mut is_greeted) = (Instant::now(), false);
        let Self { socket, node, arrivals } = self;
        let note = |text: &[u8]| {
            is_greeted |= event::kind(text) == Kind::Hello;
            if let Some(number) = number_in(text) {
                arrivals.arrived(number, *node, now);
            }
        };
        socket.take_texts(note).await?;
        Ok(is_greeted)
    }
}
