//! Reads messages from the bus.

use super::{Bus, Message, Placed, Receiver};
use crate::error::AppError;
use crate::place::Place;

/// The bytes that a message takes beside its content.
const BYTES_OF_MESSAGE: usize = 1 << 8;

/// The bytes in memory for each byte of the content of a message: its text is read into values.
const BYTES_IN_MEMORY: usize = 4;

/// Returns the length of the content that a node keeps while it computes missed events. It leaves out that of messages
/// which say nothing about events, because there may be many.
pub(crate) fn kept_length(placed: &Placed) -> usize {
    if matches!(placed.kind.as_str(), "admitted" | "sockets") { 0 } else { placed.body.len() }
}

/// Returns the estimated bytes in memory of a message with content of this length.
pub(crate) fn memory_of(length: usize) -> usize {
    length.saturating_mul(BYTES_IN_MEMORY).saturating_add(BYTES_OF_MESSAGE)
}

/// Returns the end of the messages, after all that wait got their places.
pub(crate) async fn complete_end(bus: &dyn Bus) -> Result<Place, AppError> {
    let mut end = bus.end().await?;
    if end.is_waiting {
        while bus.place().await? {}
        end = bus.end().await?;
    }
    Ok(end.place)
}

/// Returns the message at a place and the next ones. Rights that changed behind messages that cannot be read now are not
/// used any longer.
pub(super) async fn found_after(last: Place, bus: &dyn Bus, receiver: &dyn Receiver) -> Result<Vec<Placed>, AppError> {
    match bus.read(last.position).await {
        Ok(found) => Ok(found),
        Err(cause) => {
            let behind = bus.behind(last.position).await?;
            let parsed = behind.iter().filter_map(|placed| Message::parse(&placed.kind, &placed.body));
            receiver.invalidate(&parsed.filter(Message::is_fact).collect::<Vec<_>>());
            Err(cause)
        }
    }
}

/// Returns the messages after the last one that was applied. `None` if some are missing: they were deleted before this
/// node read them, or the store lost them and is in an earlier state or has others in their place.
pub(crate) fn following(last: Place, found: &[Placed]) -> Option<&[Placed]> {
    let next = match found.split_first() {
        Some((first, next)) if first.place == last => next,
        // Before the first message there is none.
        _ if last == Place::default() => found,
        Some(_) | None => return None,
    };
    let is_next = |(placed, position): (&Placed, i64)| placed.place.position == position;
    next.iter().zip(last.position + 1..).all(is_next).then_some(next)
}
