//! The sockets of users on other nodes, which count in the limit for the sockets of a user.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use actix::{Handler, Message};

use super::actor::WebSocketHub;
use crate::clock::Uptime;

/// The maximum number of users whose sockets a node tells the others, those with the most sockets first.
pub(super) const MAX_USERS: usize = 2_000;

/// The time for which the sockets on a node count. It tells them anew before.
const COUNTED_MS: i64 = 6_000;

/// The numbers of sockets by user, on one node.
struct Crowd {
    told_at: Uptime,
    sockets: HashMap<String, usize>,
}

/// The numbers by node.
#[derive(Default)]
pub(super) struct Crowds(Mutex<HashMap<String, Crowd>>);

impl Crowds {
    /// Notes the numbers on a node in the place of earlier ones.
    pub(super) fn note(&self, node_id: String, sockets: HashMap<String, usize>, now: Uptime) {
        let mut nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.retain(|_, crowd| now.ms_since(crowd.told_at) < COUNTED_MS);
        nodes.insert(node_id, Crowd { told_at: now, sockets });
    }

    /// Returns the number of a user's sockets on other nodes.
    pub(super) fn sockets_of(&self, user_id: &str, now: Uptime) -> usize {
        let nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counting = nodes.values().filter(|crowd| now.ms_since(crowd.told_at) < COUNTED_MS);
        counting.filter_map(|crowd| crowd.sockets.get(user_id)).sum()
    }
}

/// Asks for the users with at least so many sockets.
#[derive(Message)]
#[rtype(result = "Vec<(String, usize)>")]
pub(super) struct UsersWith(pub(super) usize);

impl Handler<UsersWith> for WebSocketHub {
    type Result = Vec<(String, usize)>;

    fn handle(&mut self, UsersWith(least): UsersWith, _: &mut Self::Context) -> Self::Result {
        self.registry.users_with(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_on_a_node_count_until_it_tells_others_or_nothing() {
        let (crowds, now) = (Crowds::default(), Uptime::now());
        let told = |counts: &[(&str, usize)]| counts.iter().map(|(id, count)| ((*id).to_owned(), *count)).collect();
        crowds.note("one".to_owned(), told(&[("anna", 3), ("bert", 1)]), now);
        crowds.note("two".to_owned(), told(&[("anna", 4)]), now.plus_ms(1_000));
        assert_eq!((crowds.sockets_of("anna", now), crowds.sockets_of("eve", now)), (7, 0));
        crowds.note("two".to_owned(), told(&[]), now.plus_ms(2_000));
        assert_eq!(crowds.sockets_of("anna", now.plus_ms(COUNTED_MS - 1)), 3);
        assert_eq!(crowds.sockets_of("anna", now.plus_ms(COUNTED_MS)), 0, "it is not told any more");
        crowds.note("two".to_owned(), told(&[("bert", 2)]), now.plus_ms(COUNTED_MS));
        assert_eq!(crowds.0.lock().unwrap().len(), 1, "a node that is gone is forgotten");
    }
}
