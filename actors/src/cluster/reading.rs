//! Reads messages from the bus.

use super::{Bus, Message, Placed, Receiver};
use crate::error::AppError;
use crate::place::Place;

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
