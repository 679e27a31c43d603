//! A response whose body is read piece by piece.

use std::time::Duration;

use super::MAX_CALL_TIMEOUT;
use super::failure::CallFailure;
use actix_web::web::Bytes;
use quarterdeck_actors::shared_pool::Permit;
use reqwest::Url;
use reqwest::header::HeaderMap;
use tokio::time::timeout;

/// A response whose body has not been read yet.
pub(crate) struct Incoming {
    host: String,
    answer: reqwest::Response,
    /// The permit is used until the body is read.
    _permit: Permit,
}

impl Incoming {
    pub(super) fn new(url: &Url, answer: reqwest::Response, permit: Permit) -> Self {
        Self { host: url.host_str().unwrap_or_default().to_owned(), answer, _permit: permit }
    }

    /// Returns the status of the response.
    pub(crate) fn status(&self) -> u16 {
        self.answer.status().as_u16()
    }

    /// Returns the headers of the response.
    pub(crate) fn headers(&self) -> &HeaderMap {
        self.answer.headers()
    }

    /// Refuses all statuses but 200.
    pub(crate) fn ok(self) -> Result<Self, CallFailure> {
        let status = self.status();
        if status == 200 { Ok(self) } else { Err(CallFailure::Status { host: self.host, status }) }
    }

    /// Returns the next piece of the body, or `None` at its end. Fails when no piece arrives within `silence`.
    pub(crate) async fn next(&mut self, silence: Duration) -> Result<Option<Bytes>, CallFailure> {
        match timeout(silence, self.answer.chunk()).await {
            Ok(piece) => piece.map_err(|cause| CallFailure::of(&self.host, cause, MAX_CALL_TIMEOUT)),
            Err(_) => Err(CallFailure::Stalled { host: self.host.clone(), silence }),
        }
    }
}
