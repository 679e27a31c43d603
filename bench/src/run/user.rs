//! A user of a run: a connection for requests, and the socket that was open last.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::failure::Failed;
use super::http::Connection;
use super::prepared::{Prepared, PreparedRequest};
use super::visits::{Client, Visit, VisitFacts};
use crate::remote::Remote;
use crate::ws::endpoint::Socket;

/// A user, whose requests follow one another.
#[derive(Debug)]
pub(super) struct User {
    number: u64,
    remote: Remote,
    pub(super) connection: Connection,
    buffer: Vec<u8>,
    pub(super) client: Client,
}

/// A socket that a request opened.
pub(super) struct Opened {
    pub(super) visit: Visit,
    pub(super) socket: Socket,
    pub(super) facts: VisitFacts,
}

impl User {
    pub(super) fn new(number: u64, remote: &Remote) -> Self {
        let connection = Connection::new(remote);
        Self { number, remote: remote.clone(), connection, buffer: Vec::new(), client: Client::default() }
    }

    /// Sends a request and returns the bytes of the expected response; opens a socket if the request is one.
    pub(super) async fn carry_out(
        &mut self,
        prepared: &Prepared,
        request: &PreparedRequest,
        sequence: u64,
        limit: Duration,
    ) -> Result<(u64, Option<Opened>), Failed> {
        let Some(visit) = request.socket else {
            prepared.write(request, self.number, sequence, &mut self.buffer);
            let deliveries = prepared.deliveries.as_ref().filter(|_| request.delivery);
            let Some(deliveries) = deliveries else {
                return self.exchange(request, limit).await.map(|bytes| (bytes, None));
            };
            let from = Instant::now();
            let awaited = deliveries.expect(prepared.first_publication + sequence);
            let bytes = self.exchange(request, limit).await?;
            let left = limit.saturating_sub(from.elapsed());
            timeout(left, awaited.completed()).await.map_err(|_| Failed::event_missing())?;
            return Ok((bytes, None));
        };
        let query = self.client.query(visit);
        prepared.write_with(&query, request, self.number, sequence, &mut self.buffer);
        let opened = timeout(limit, self.client.open(&self.remote, &self.buffer, visit)).await;
        let (socket, facts) = opened.map_err(|_| Failed::timeout())??;
        Ok((0, Some(Opened { visit, socket, facts })))
    }

    async fn exchange(&mut self, request: &PreparedRequest, limit: Duration) -> Result<u64, Failed> {
        let Ok(exchanged) = timeout(limit, self.connection.exchange(&self.buffer, request.is_head)).await else {
            self.connection.close();
            return Err(Failed::timeout());
        };
        let response = exchanged.map_err(|error| Failed::io(&error))?;
        let is_expected = request.expects(response.status);
        if is_expected { Ok(response.bytes) } else { Err(Failed::response(response.status, &response.body)) }
    }
}
