//! Close frames: the code and the reason that a client receives.

use quarterdeck_actors::hub::End;

/// A close frame. Without a code it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: Option<u16>,
    pub(super) reason: &'static str,
}

impl Close {
    pub(super) const PROTOCOL: Self = Self::with(1002, "protocol error");
    pub(super) const TOO_LARGE: Self = Self::with(1009, "");
    pub(super) const TOO_MANY: Self = Self::with(1013, "this user has too many connections");

    const fn with(code: u16, reason: &'static str) -> Self {
        Self { code: Some(code), reason }
    }

    /// Returns the response to a client's close frame.
    pub(super) fn echo(code: Option<u16>) -> Self {
        Self { code, reason: "" }
    }

    /// Returns the close frame for the reason why the server ends a connection.
    pub(super) fn because(end: End) -> Self {
        match end {
            End::SessionEnded => Self::with(1008, "the session ended"),
            End::TooSlow => Self::with(1013, "the client reads too slowly"),
            End::OutOfMemory => Self::with(1013, "the server has no memory left for slow connections"),
            End::Silent => Self::with(1001, "no answer to pings"),
            End::Replaced => Self::with(1000, "another socket resumed this connection"),
            End::Stopping => Self::with(1012, "the server is stopping"),
            End::HubCrashed => Self::with(1012, "the server lost the state of this connection"),
            End::EventsLost => Self::with(1012, "events from other servers are lost"),
        }
    }
}
