//! Reads the body of a request within limits of size, rate and memory.

use actix_web::dev::Payload;
use actix_web::web::Bytes;
use futures_util::StreamExt;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::pause::extension;
use tokio::time::{Duration, Instant, timeout_at};

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

/// Reads a body of at most `limit` bytes within `max_duration`. Memory is taken for the bytes that arrive, not for the
/// announced length.
pub(super) async fn read(
    mut payload: Payload,
    limit: u64,
    limits: &BodyLimits,
    max_duration: Duration,
) -> Result<Bytes, AppError> {
    let is_announced_too_large = limits.announced.is_some_and(|length| length > limit);
    if is_announced_too_large {
        return Err(AppError::new(TOO_LARGE));
    }
    let mut started = Instant::now();
    let mut body = Vec::new();
    let mut received: u64 = 0;
    loop {
        let due = GRACE_PERIOD + Duration::from_millis(received.saturating_mul(1000) / MIN_BYTES_PER_S);
        let deadline = started + due.min(max_duration);
        let Ok(next) = timeout_at(deadline, payload.next()).await else {
            if let Some(extension) = extension(deadline) {
                started += extension;
                continue;
            }
            limits.share.borrow().note_late();
            return Err(AppError::new(TOO_SLOW));
        };
        let Some(chunk) = next else { return Ok(body.into()) };
        let chunk = chunk.map_err(|cause| AppError::new("api.payload.parse.error").because(cause.to_string()))?;
        received = received.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if received > limit {
            return Err(AppError::new(TOO_LARGE));
        }
        limits.share.borrow_mut().grow(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::pin::Pin;
    use std::sync::Arc;

    use actix_web::error::PayloadError;
    use futures_util::{Stream, stream};

    use super::*;
    use crate::web::request::budget::BodyBudget;

    const MAX_DURATION: Duration = Duration::from_mins(1);

    type Piece = Result<Bytes, PayloadError>;

    fn limits(budget: &Arc<BodyBudget>, announced: Option<u64>) -> BodyLimits {
        BodyLimits { bytes: 10, is_strict: false, announced, share: RefCell::new(budget.share("anna", 10)) }
    }

    fn flowing(pieces: impl Stream<Item = Piece> + 'static) -> Payload {
        let payload: Pin<Box<dyn Stream<Item = Piece>>> = Box::pin(pieces);
        Payload::Stream { payload }
    }

    fn sent(pieces: impl IntoIterator<Item = Piece, IntoIter: 'static>) -> Payload {
        flowing(stream::iter(pieces))
    }

    fn pieces(texts: &[&'static str]) -> Vec<Piece> {
        texts.iter().map(|text| Ok(Bytes::from_static(text.as_bytes()))).collect()
    }

    #[actix_web::test]
    async fn a_body_is_what_its_pieces_are_up_to_the_last_byte_of_the_limit() {
        let budget = BodyBudget::new(100);
        let limits = limits(&budget, None);
        let read = read(sent(pieces(&["12345", "", "67890"])), 10, &limits, MAX_DURATION).await.unwrap();
        assert_eq!(read, "1234567890");
        assert_eq!(budget.held(), 10, "until the request is answered");
        drop(limits);
        assert_eq!(budget.held(), 0);
    }

    #[actix_web::test]
    async fn a_body_beyond_the_limit_is_refused_at_the_first_byte_too_much() {
        let budget = BodyBudget::new(100);
        let endless = std::iter::repeat_with(|| Ok(Bytes::from_static(b"12345")));
        let refused = read(sent(endless), 10, &limits(&budget, None), MAX_DURATION).await.unwrap_err();
        assert_eq!(refused.id, TOO_LARGE);
        // An announced length is refused before anything is read, and takes no memory.
        let unread = flowing(stream::pending());
        let refused = read(unread, 10, &limits(&budget, Some(11)), MAX_DURATION).await.unwrap_err();
        assert_eq!(refused.id, TOO_LARGE);
        let honest = read(sent(pieces(&["1"])), 10, &limits(&budget, Some(10)), MAX_DURATION).await.unwrap();
        assert_eq!(honest, "1", "a shorter body than announced is the connection's affair");
    }

    #[actix_web::test]
    async fn a_body_that_stops_is_refused_and_counted() {
        let budget = BodyBudget::new(100);
        let begun = stream::iter(pieces(&["1"])).chain(stream::pending());
        let limits = limits(&budget, None);
        let refused = read(flowing(begun), 10, &limits, Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(refused.id, TOO_SLOW);
        assert_eq!(budget.refused(), [("budget", 0), ("rate", 1)]);
    }

    #[actix_web::test]
    async fn without_memory_a_body_is_refused_as_its_bytes_arrive() {
        let budget = BodyBudget::new(40);
        let mut others = budget.share("bert", 35);
        others.grow(35).unwrap();
        let refused = read(sent(pieces(&["12345", "6"])), 10, &limits(&budget, None), MAX_DURATION).await.unwrap_err();
        assert_eq!(refused.id, NO_ROOM);
        assert_eq!(budget.held(), 35);
    }

    #[actix_web::test]
    async fn a_broken_connection_is_an_error_and_not_the_end_of_the_body() {
        let budget = BodyBudget::new(100);
        let broken = pieces(&["1"]).into_iter().chain([Err(PayloadError::Incomplete(None))]);
        let refused = read(sent(broken), 10, &limits(&budget, None), MAX_DURATION).await.unwrap_err();
        assert_eq!(refused.id, "api.payload.parse.error");
    }

    #[test]
    fn a_handler_that_takes_a_malformed_body_as_empty_still_refuses_a_slow_one() {
        let budget = BodyBudget::new(100);
        let lenient = limits(&budget, None);
        let strict = BodyLimits { is_strict: true, ..limits(&budget, None) };
        for (id, is_final_for_lenient) in [(TOO_LARGE, false), (TOO_SLOW, true), (NO_ROOM, true)] {
            assert_eq!(is_final(&AppError::new(id), &lenient), is_final_for_lenient, "{id}");
            assert!(is_final(&AppError::new(id), &strict), "{id}");
        }
        assert!(!is_final(&AppError::new("api.payload.parse.error"), &strict));
    }
}
