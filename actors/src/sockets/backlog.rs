//! The last messages of the bus, read when a client needs them and shared by all that move at the same time.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::replay::Logged;
use crate::cluster::{Bus, Message, following, kept_length, memory_of};
use crate::error::AppError;
use crate::hub::{MAX_BACKLOG_BYTES, MAX_BACKLOG_MESSAGES};
use crate::place::Place;

/// The time without a client after which the messages are dropped.
const IDLE: Duration = Duration::from_secs(30);

/// Messages that follow one another.
#[derive(Debug)]
pub(super) struct Portion {
    /// The place before the first one.
    before: Place,
    places: Vec<Place>,
    messages: Vec<Logged>,
    bytes: usize,
}

/// Some of the messages of a portion.
#[derive(Debug)]
pub(super) struct Slice {
    portion: Arc<Portion>,
    range: std::ops::Range<usize>,
}

impl Slice {
    pub(super) fn messages(&self) -> impl Iterator<Item = &Logged> {
        self.portion.messages.get(self.range.clone()).unwrap_or_default().iter()
    }
}

/// The last messages of the bus.
pub(super) struct Backlog {
    bus: Arc<dyn Bus>,
    max_messages: i64,
    max_bytes: usize,
    portions: Mutex<Vec<Arc<Portion>>>,
    used_at: StdMutex<Option<Instant>>,
}

impl Backlog {
    pub(super) fn new(bus: Arc<dyn Bus>) -> Self {
        Self::bounded(bus, MAX_BACKLOG_MESSAGES, MAX_BACKLOG_BYTES)
    }

    fn bounded(bus: Arc<dyn Bus>, max_messages: i64, max_bytes: usize) -> Self {
        Self { bus, max_messages, max_bytes, portions: Mutex::default(), used_at: StdMutex::default() }
    }

    /// Returns the messages after `from`, up to the one at `to`. `None` if they are not the ones that were there before,
    /// if some were deleted, or if they are too many.
    pub(super) async fn between(&self, from: Place, to: Place) -> Result<Option<Vec<Slice>>, AppError> {
        if from.position > to.position || to.position - from.position > self.max_messages {
            return Ok(None);
        }
        let mut portions = self.portions.lock().await;
        *self.used_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        if let Some(first) = portions.first().map(|first| first.before).filter(|first| first.position > from.position) {
            match self.portions_between(from, first).await? {
                Some(front) => drop(portions.splice(0..0, front)),
                None => portions.clear(),
            }
        }
        let mut last = portions.last().map_or(from, |portion| portion.end());
        let mut bytes: usize = portions.iter().map(|portion| portion.bytes).sum();
        if bytes > self.max_bytes {
            portions.clear();
            return Ok(None);
        }
        while last.position < to.position {
            let Some(portion) = self.portion_after(last).await? else {
                portions.clear();
                return Ok(None);
            };
            last = portion.end();
            bytes += portion.bytes;
            portions.push(Arc::new(portion));
            while bytes > self.max_bytes {
                let excess = portions.remove(0);
                bytes -= excess.bytes;
            }
        }
        let found = slices(&portions, from, to);
        if found.is_none() {
            portions.clear();
        }
        Ok(found)
    }

    /// Returns the messages after `from`, up to exactly the one at `to`.
    async fn portions_between(&self, from: Place, to: Place) -> Result<Option<Vec<Arc<Portion>>>, AppError> {
        let (mut portions, mut last) = (Vec::new(), from);
        while last.position < to.position {
            let Some(mut portion) = self.portion_after(last).await? else { return Ok(None) };
            let wanted = usize::try_from(to.position - last.position).unwrap_or(usize::MAX);
            portion.places.truncate(wanted);
            portion.messages.truncate(wanted);
            portion.bytes = portion.messages.iter().map(Logged::memory).sum();
            last = portion.end();
            portions.push(Arc::new(portion));
        }
        Ok((last == to).then_some(portions))
    }

    async fn portion_after(&self, before: Place) -> Result<Option<Portion>, AppError> {
        let found = self.bus.read(before.position).await?;
        let Some(next) = following(before, &found).filter(|next| !next.is_empty()) else { return Ok(None) };
        let logged = next.iter().map(|placed| match Message::parse(&placed.kind, &placed.body) {
            Some(Message::Admitted(_) | Message::Sockets { .. }) => Logged::new(Some(Message::Admitted(Vec::new())), 0),
            message => Logged::new(message, kept_length(placed)),
        });
        let messages: Vec<Logged> = logged.collect();
        let bytes = messages.iter().map(Logged::memory).sum();
        Ok(Some(Portion { before, places: next.iter().map(|placed| placed.place).collect(), messages, bytes }))
    }

    /// Drops the messages if no client has needed them for a while.
    pub(super) fn drop_if_idle(&self) {
        let mut used_at = self.used_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = used_at.is_some_and(|at| at.elapsed() >= IDLE);
        if is_idle && let Ok(mut portions) = self.portions.try_lock() {
            portions.clear();
            *used_at = None;
        }
    }
}

impl Logged {
    /// Returns the estimated bytes in memory.
    fn memory(&self) -> usize {
        memory_of(self.bytes)
    }
}

impl Portion {
    fn end(&self) -> Place {
        self.places.last().copied().unwrap_or(self.before)
    }

    /// Returns the number of messages up to this place. `None` if another message is at its position.
    fn up_to(&self, place: Place) -> Option<usize> {
        if place == self.before {
            return Some(0);
        }
        let at = usize::try_from(place.position - self.before.position).ok()?;
        (self.places.get(at.checked_sub(1)?) == Some(&place)).then_some(at)
    }
}

/// Returns the messages between two places, if both are the ones that were there before.
fn slices(portions: &[Arc<Portion>], from: Place, to: Place) -> Option<Vec<Slice>> {
    let has_end = |place: Place| portions.iter().any(|portion| portion.up_to(place).is_some());
    if from == to {
        return (portions.is_empty() || has_end(from)).then(Vec::new);
    }
    if !has_end(from) || !has_end(to) {
        return None;
    }
    let slice = |portion: &Arc<Portion>| {
        let count = portion.messages.len();
        let start = portion.up_to(from).unwrap_or(if portion.end().position <= from.position { count } else { 0 });
        let end = portion.up_to(to).unwrap_or(if portion.before.position >= to.position { 0 } else { count });
        (start < end).then(|| Slice { portion: portion.clone(), range: start..end })
    };
    Some(portions.iter().filter_map(slice).collect())
}

#[cfg(test)]
mod tests;
