//! The events about configurations that come into force.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use super::ConfigHandle;
use super::active::Avoided;
use super::effective::Config;
use crate::announced::Announced;
use crate::news::News;

/// The maximum number of changes that wait for a subscriber. A slower subscriber gets the number of changes that it
/// missed.
const MAX_QUEUED_CHANGES: usize = 64;

/// A change of the configuration in force that is not only a change of feature flags.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigChanged {
    /// The configuration before.
    pub before: Arc<Config>,
    /// The configuration in force now.
    pub after: Arc<Config>,
}

/// Publishes configurations: readers see the last one, subscribers receive each change.
pub(super) struct Publisher {
    current: watch::Sender<Arc<Config>>,
    events: broadcast::Sender<ConfigChanged>,
    announced: Announced,
    /// Versions of the store that do not come into force. They outlive a crash of the actor.
    pub(super) avoided: Avoided,
    /// The versions of other servers that are not read yet.
    pub(super) news: News,
}

impl Publisher {
    pub(super) fn new(config: Config) -> Self {
        let (current, events) = (watch::Sender::new(Arc::new(config)), broadcast::Sender::new(MAX_QUEUED_CHANGES));
        Self { current, events, announced: Announced::default(), avoided: Avoided::default(), news: News::default() }
    }

    pub(super) fn current(&self) -> Arc<Config> {
        self.current.borrow().clone()
    }

    pub(super) fn follow(&self) -> watch::Receiver<Arc<Config>> {
        self.current.subscribe()
    }

    pub(super) fn events(&self) -> broadcast::Receiver<ConfigChanged> {
        self.events.subscribe()
    }

    /// Puts `after` in force. Returns true if it differs from the configuration before.
    pub(super) fn publish(&self, after: Arc<Config>) -> bool {
        let before = self.current.send_replace(after.clone());
        self.avoided.note(&before, &after);
        let is_changed = differs(&before, &after);
        if is_changed {
            self.announced.note_change();
            // Sending fails only without subscribers, and then there is no one to notify.
            let _ = self.events.send(ConfigChanged { before, after });
        }
        is_changed
    }
}

impl ConfigHandle {
    /// Returns how many of the changes that subscribers receive are announced to clients.
    pub fn announced(&self) -> &Announced {
        &self.publisher.announced
    }
}

/// Compares two configurations without the feature flags, which nothing acts on.
fn differs(before: &Config, after: &Config) -> bool {
    let [before, after] =
        [before, after].map(|config| config.document.iter().filter(|(section, _)| *section != "FeatureFlags"));
    before.ne(after)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    fn config(path: &str, value: Value) -> Arc<Config> {
        Arc::new(Config::from_overrides([(path.to_owned(), value)]).unwrap())
    }

    fn publisher() -> Publisher {
        Publisher::new(Config::from_overrides([]).unwrap())
    }

    #[test]
    fn a_listener_hears_of_each_change_with_what_was_and_what_is() {
        let publisher = publisher();
        let mut events = publisher.events();
        let [first, second] = ["one", "two"].map(|name| config("TeamSettings.SiteName", json!(name)));
        let before = publisher.current();
        assert!(publisher.publish(first.clone()));
        assert!(publisher.publish(second.clone()));
        assert_eq!(events.try_recv(), Ok(ConfigChanged { before, after: first.clone() }));
        assert_eq!(events.try_recv(), Ok(ConfigChanged { before: first, after: second }));
    }

    #[test]
    fn what_differs_in_nothing_or_in_flags_only_is_published_and_not_told() {
        let publisher = publisher();
        let mut events = publisher.events();
        let flagged = config("FeatureFlags.AppsEnabled", json!(true));
        assert!(!publisher.publish(flagged.clone()));
        assert!(Arc::ptr_eq(&publisher.current(), &flagged));
        assert!(!publisher.publish(Arc::new(Config::clone(&flagged))));
        assert_eq!(events.try_recv(), Err(TryRecvError::Empty));
    }

    #[test]
    fn a_listener_that_is_too_slow_is_told_how_many_it_missed() {
        let publisher = publisher();
        let mut events = publisher.events();
        for number in 0..=MAX_QUEUED_CHANGES {
            publisher.publish(config("TeamSettings.SiteName", json!(number.to_string())));
        }
        assert_eq!(events.try_recv(), Err(TryRecvError::Lagged(1)));
        assert_eq!(events.try_recv().unwrap().after.view.team.site_name, "1");
    }
}
