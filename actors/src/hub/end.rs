//! The reasons for which the server ends a connection.

/// The reason for which the server ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its session was revoked or expired.
    SessionEnded,
    /// The client reads slower than events arrive, and the queue is full.
    TooSlow,
    /// The events of all connections together exceed the memory limit.
    OutOfMemory,
    /// The client gave no sign of life for too long.
    Silent,
    /// Its client reconnected over another socket.
    Replaced,
    /// The server stops.
    Stopping,
    /// The hub crashed. The event that it delivered may be lost.
    HubCrashed,
    /// Events from other nodes are lost.
    EventsLost,
}

impl End {
    /// All reasons, for metrics.
    pub const ALL: [Self; 8] = [
        Self::SessionEnded,
        Self::TooSlow,
        Self::OutOfMemory,
        Self::Silent,
        Self::Replaced,
        Self::Stopping,
        Self::HubCrashed,
        Self::EventsLost,
    ];

    /// Returns the name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::SessionEnded => "session_ended",
            Self::TooSlow => "too_slow",
            Self::OutOfMemory => "out_of_memory",
            Self::Silent => "silent",
            Self::Replaced => "replaced",
            Self::Stopping => "stopping",
            Self::HubCrashed => "hub_crashed",
            Self::EventsLost => "events_lost",
        }
    }
}
