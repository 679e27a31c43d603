//! Reads the body of a request within limits of size, rate and memory.

use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use futures_util::StreamExt;
use quarterdeck_actors::error::AppError;
use tokio::time::{Duration, Instant, timeout_at};

use super::Context;
use crate::base::pause::extension;
use crate::web::request::budget::BodyShare;

/// The time that a body of any size has to arrive.
const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// The average rate at which a body must arrive after the grace period, in bytes per second.
const MIN_BYTES_PER_S: u64 = 1024;

const TOO_LARGE: &str = "api.context.request_body_too_large.app_error";
const TOO_SLOW: &str = "api.context.request_body_timeout.app_error";
const NO_ROOM: &str = "app.request.no_room.app_error";

/// The limits of a request's body.
pub(crate) struct BodyLimits {
    /// The largest body, in bytes.
    pub(crate) bytes: u64,
    /// True if a larger body is refused even by a handler that treats a malformed body as empty.
    pub(crate) is_strict: bool,
    /// The value of `Content-Length`, in bytes.
    pub(crate) announced: Option<u64>,
    /// The memory that the body takes from the budget.
    pub(crate) share: std::cell::RefCell<BodyShare>,
}

/// Returns true if this error refuses the request, even for a handler that treats a malformed body as empty.
pub(super) fn is_final(error: &AppError, limits: &BodyLimits) -> bool {
    match error.id.as_ref() {
        TOO_LARGE => limits.is_strict,
        TOO_SLOW | NO_ROOM => true,
        _ => false,
    }
}

/// Reads a body of at most `limit` bytes. Memory is taken for the bytes that arrive, not for the announced length.
pub(super) async fn read(mut payload: Payload, limit: u64, context: Rc<Context>) -> Result<Bytes, AppError> {
    let is_announced_too_large = context.body.announced.is_some_and(|length| length > limit);
    if is_announced_too_large {
        return Err(AppError::new(TOO_LARGE));
    }
    let mut started = Instant::now();
    let longest = Duration::from_secs(context.config.view.service.read_timeout);
    let mut body = Vec::new();
    let mut received: u64 = 0;
    loop {
        let due = GRACE_PERIOD + Duration::from_millis(received.saturating_mul(1000) / MIN_BYTES_PER_S);
        let deadline = started + due.min(longest);
        let Ok(next) = timeout_at(deadline, payload.next()).await else {
            if let Some(extension) = extension(deadline) {
                started += extension;
                continue;
            }
            context.body.share.borrow().note_late();
            return Err(AppError::new(TOO_SLOW));
        };
        let Some(chunk) = next else { return Ok(body.into()) };
        let chunk = chunk.map_err(|cause| AppError::new("api.payload.parse.error").because(cause.to_string()))?;
        received = received.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if received > limit {
            return Err(AppError::new(TOO_LARGE));
        }
        context.body.share.borrow_mut().grow(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
}
