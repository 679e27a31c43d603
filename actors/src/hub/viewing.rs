//! The channels that a user looks at.

/// The channels that the user looks at, as the client reported them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Viewing {
    /// The channel in the centre of the window.
    pub channel: Option<String>,
    /// The channel of the thread in the thread view.
    pub thread_view: Option<String>,
    /// The channel of the thread in the right-hand sidebar.
    pub side: Option<String>,
}

impl Viewing {
    /// Returns true if events for viewers of that channel are to be sent. A view that the client did not report matches
    /// every channel.
    pub fn wants(&self, channel_id: &str) -> bool {
        self.views().iter().any(|viewed| viewed.as_deref().is_none_or(|viewed| viewed == channel_id))
    }

    /// Returns true if the client reported each view, so that events of other channels are not sent.
    pub(super) fn is_complete(&self) -> bool {
        self.views().iter().all(|viewed| viewed.is_some())
    }

    fn views(&self) -> [&Option<String>; 3] {
        [&self.channel, &self.thread_view, &self.side]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_that_a_client_did_not_report_wants_every_channel() {
        let mut viewing = Viewing { channel: Some("a".to_owned()), ..Viewing::default() };
        assert!(viewing.wants("b") && !viewing.is_complete());
        viewing.thread_view = Some("c".to_owned());
        viewing.side = Some("d".to_owned());
        assert!(!viewing.wants("b") && viewing.is_complete());
        assert!(["a", "c", "d"].iter().all(|channel| viewing.wants(channel)));
    }
}
