//! Memory for records that wait to be stored: a limit for each group of callers, and a limit for each caller.
//!
//! Each group has its own memory, so no caller can use up the memory of an administrator, the local socket or the
//! server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::pause::timeout;

/// The maximum time that a change waits for room before it is refused.
const ROOM_TIMEOUT: Duration = Duration::from_millis(250);

/// The memory that a change reserves before it runs, in KiB. Most records are smaller.
const RESERVED_KIB: u32 = 4;

/// The caller that causes a record. It decides in which room the record waits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A caller without a session; all of them share one room.
    Anonymous,
    /// A user, by id.
    User(String),
    /// A system administrator, by id.
    Admin(String),
    /// The local socket.
    Local,
    /// A request that ends sessions of this user, by the user's id.
    Ending(String),
    /// The server itself.
    Server,
}

/// A group of callers that share memory.
struct Room {
    name: &'static str,
    shared_kib: u32,
    caller_kib: u32,
}

const fn room(name: &'static str, shared_kib: u32, caller_kib: u32) -> Room {
    Room { name, shared_kib, caller_kib }
}

/// The rooms, at the indices that `Caller::room` returns.
const ROOMS: [Room; 6] = [
    room("strangers", 1024, 1024),
    room("users", 16 * 1024, 2048),
    room("administrators", 8 * 1024, 4096),
    room("local", 4096, 4096),
    room("endings", 1024, 64),
    room("server", 2048, 2048),
];

impl Caller {
    fn room(&self) -> usize {
        match self {
            Self::Anonymous => 0,
            Self::User(_) => 1,
            Self::Admin(_) => 2,
            Self::Local => 3,
            Self::Ending(_) => 4,
            Self::Server => 5,
        }
    }
}

/// The memory that waiting records use, in all rooms.
#[derive(Default)]
pub(super) struct Rooms {
    used: Mutex<Used>,
    freed: Notify,
}

#[derive(Default)]
struct Used {
    rooms_kib: [u32; ROOMS.len()],
    callers_kib: HashMap<Caller, u32>,
}

impl Used {
    fn take(&mut self, caller: &Caller, kib: u32) -> bool {
        let number = caller.room();
        let (Some(room), Some(room_used)) = (ROOMS.get(number), self.rooms_kib.get_mut(number)) else { return false };
        let caller_used = self.callers_kib.get(caller).copied().unwrap_or(0);
        let has_room = *room_used + kib <= room.shared_kib && caller_used + kib <= room.caller_kib;
        if has_room {
            *room_used += kib;
            self.callers_kib.insert(caller.clone(), caller_used + kib);
        }
        has_room
    }

    fn give_back(&mut self, caller: &Caller, kib: u32) {
        if let Some(room_used) = self.rooms_kib.get_mut(caller.room()) {
            *room_used = room_used.saturating_sub(kib);
        }
        let caller_used = self.callers_kib.get(caller).copied().unwrap_or(0).saturating_sub(kib);
        if caller_used == 0 {
            self.callers_kib.remove(caller);
        } else {
            self.callers_kib.insert(caller.clone(), caller_used);
        }
    }
}

impl Rooms {
    /// Reserves room for one record. Without room it waits for at most [`ROOM_TIMEOUT`].
    pub(super) async fn reserve(self: &Arc<Self>, caller: &Caller) -> Option<Permit> {
        let wait = async {
            loop {
                // The listener is registered before the check, so that a notification between the two is not missed.
                let freed = self.freed.notified();
                if let Some(permit) = self.try_reserve(caller) {
                    return permit;
                }
                freed.await;
            }
        };
        timeout(ROOM_TIMEOUT, wait).await.ok()
    }

    /// Reserves room for one record, if there is some now.
    pub(super) fn try_reserve(self: &Arc<Self>, caller: &Caller) -> Option<Permit> {
        let has_room = self.lock().take(caller, RESERVED_KIB);
        has_room.then(|| Permit { rooms: self.clone(), caller: caller.clone(), kib: RESERVED_KIB })
    }

    /// Returns each room's name with the memory in use and its limit, in KiB.
    pub(super) fn readings(&self) -> Vec<(&'static str, u32, u32)> {
        let used = self.lock();
        ROOMS.iter().zip(used.rooms_kib).map(|(room, used_kib)| (room.name, used_kib, room.shared_kib)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reserved room for one record. It is freed when this is dropped.
pub struct Permit {
    rooms: Arc<Rooms>,
    caller: Caller,
    kib: u32,
}

impl Permit {
    /// Resizes the permit to the record if the caller has enough room; otherwise the permit keeps its size. Returns its
    /// size in KiB.
    pub(super) fn fit(&mut self, record_kib: u32) -> u32 {
        let mut used = self.rooms.lock();
        if record_kib <= self.kib {
            used.give_back(&self.caller, self.kib - record_kib);
            self.kib = record_kib;
        } else if used.take(&self.caller, record_kib - self.kib) {
            self.kib = record_kib;
        }
        drop(used);
        self.rooms.freed.notify_waiters();
        self.kib
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.rooms.lock().give_back(&self.caller, self.kib);
        self.rooms.freed.notify_waiters();
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Permit").field("caller", &self.caller).field("kib", &self.kib).finish_non_exhaustive()
    }
}
