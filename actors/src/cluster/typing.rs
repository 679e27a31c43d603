//! The pace at which events about typing users get onto the bus. A client that types without end must not fill it.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::clock::Uptime;
use crate::hub::Event;

/// The length of a window, in ms. In each, a user types once in each place: a channel, or a thread in it.
const WINDOW_MS: i64 = 1_000;

/// The maximum number of places in which a user types in a window.
const MAX_PLACES_OF_USER: u32 = 50;

/// The maximum number of places in which users type in a window.
const MAX_PLACES: usize = 65_536;

/// The events about typing users that were published in the present window.
#[derive(Default)]
pub(super) struct TypingPace {
    hasher: RandomState,
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    began_at: Option<Uptime>,
    /// Hashes of users and places.
    places: HashSet<u64>,
    /// The number of places by the hash of the user.
    users: HashMap<u64, u32>,
}

impl TypingPace {
    /// Returns true if an event may be published: any other one, the first one of a user and a place in this window, and
    /// not too many of them.
    pub(super) fn admits(&self, event: &Event, now: Uptime) -> bool {
        if event.name != "typing" {
            return true;
        }
        let text = |member: &str| event.data.get(member).and_then(Value::as_str).unwrap_or_default();
        let user = self.hasher.hash_one(text("user_id"));
        let place = self.hasher.hash_one((user, text("parent_id"), &event.audience.channel_id));
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.began_at.is_none_or(|began_at| now.ms_since(began_at) >= WINDOW_MS) {
            *window = Window { began_at: Some(now), ..Window::default() };
        }
        if window.places.contains(&place) || window.places.len() >= MAX_PLACES {
            return false;
        }
        let count = window.users.entry(user).or_default();
        if *count >= MAX_PLACES_OF_USER {
            return false;
        }
        *count += 1;
        window.places.insert(place);
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn typing(user_id: &str, channel_id: &str, parent_id: &str) -> Event {
        Event::new("typing", json!({ "user_id": user_id, "parent_id": parent_id })).for_channel(channel_id)
    }

    fn at(ms: i64) -> Uptime {
        Uptime::from_ms(ms)
    }

    #[test]
    fn a_user_types_once_a_second_in_each_place() {
        let pace = TypingPace::default();
        for (user, channel, parent) in [("u", "c", ""), ("u", "c", "p"), ("u", "d", ""), ("v", "c", "")] {
            let event = typing(user, channel, parent);
            assert!(pace.admits(&event, at(0)) && !pace.admits(&event, at(0)) && !pace.admits(&event, at(999)));
        }
        assert!(pace.admits(&typing("u", "c", ""), at(1_000)) && !pace.admits(&typing("u", "c", ""), at(1_999)));
        let other = Event::new("posted", json!({})).for_channel("c");
        assert!(pace.admits(&other, at(0)) && pace.admits(&other, at(0)));
    }

    #[test]
    fn a_user_who_types_in_many_places_and_all_users_together_are_bounded() {
        let pace = TypingPace::default();
        let admitted = |user: &str, at_ms| {
            let of_place = |place: &usize| pace.admits(&typing(user, "c", &place.to_string()), at(at_ms));
            (0..200).filter(of_place).count()
        };
        assert_eq!((admitted("u", 0), admitted("u", 500), admitted("v", 500), admitted("u", 1_000)), (50, 0, 50, 50));
        let of_all = (0..3_000).map(|user| admitted(&user.to_string(), 2_000)).sum::<usize>();
        assert_eq!(of_all, MAX_PLACES);
        assert_eq!(admitted("u", 3_000), 50);
    }
}
