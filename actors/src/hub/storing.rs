//! The place on the bus up to which a hub has all events.

use std::sync::atomic::Ordering;

use actix::{Handler, Message};

use super::HubHandle;
use super::actor::WebSocketHub;
use super::end::End;
use crate::place::Place;

/// Notes that the hub has all events up to a place.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Reached(pub(super) Place);

impl Handler<Reached> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, Reached(place): Reached, _: &mut Self::Context) {
        self.end_if_missed();
        let is_news = self.position.is_none_or(|position| position.position < place.position);
        self.position = Some(place).filter(|_| is_news).or(self.position);
    }
}

impl WebSocketHub {
    /// Ends all connections if an event did not reach this hub: their numbers would hide it.
    pub(super) fn end_if_missed(&mut self) {
        if self.missed.swap(false, Ordering::Relaxed) {
            self.end_all(End::EventsLost);
        }
    }
}

impl HubHandle {
    /// Notes that all events up to a place were sent to the hubs.
    pub async fn reached(&self, place: Place) {
        for hub in self.hubs.iter() {
            // A hub that crashed meanwhile hears of the next place.
            let _ = hub.tell(|_pending| Reached(place)).await;
        }
    }
}
