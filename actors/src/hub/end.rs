//! How a connection ends when the server ends it.

/// Why the server ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its session was revoked or ran out.
    SessionEnded,
    /// It takes less than it is sent.
    TooSlow,
    /// All connections together hold more than they may.
    OutOfMemory,
    /// It gave no sign of life for too long.
    Silent,
    /// Its client came back over another socket.
    Replaced,
    /// The server stops.
    Stopping,
    /// The hub crashed; what was being delivered may be lost.
    HubCrashed,
}

impl End {
    /// All of them, for metrics.
    pub const ALL: [Self; 7] = [
        Self::SessionEnded,
        Self::TooSlow,
        Self::OutOfMemory,
        Self::Silent,
        Self::Replaced,
        Self::Stopping,
        Self::HubCrashed,
    ];

    /// What it is called in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::SessionEnded => "session_ended",
            Self::TooSlow => "too_slow",
            Self::OutOfMemory => "out_of_memory",
            Self::Silent => "silent",
            Self::Replaced => "replaced",
            Self::Stopping => "stopping",
            Self::HubCrashed => "hub_crashed",
        }
    }
}
