//! The published stores: the settings in service, and saved settings that are not in service.

use std::sync::Arc;

use crate::storage::FileBackend;
use crate::storage::report::{Report, StepFailure};
use crate::storage::settings::{Store, StoreSettings};

/// All stores of the configuration.
#[derive(Clone, Default, PartialEq)]
pub struct Stores(Vec<Slot>);

/// The state of the saved settings of a store.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingsState {
    /// They are in service.
    InService,
    /// They are in their first test; the earlier ones are in service.
    Testing,
    /// They failed a test; the earlier ones are in service.
    Refused(Arc<Report>),
}

impl SettingsState {
    /// Returns the name in responses, events and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InService => "in-service",
            Self::Testing => "testing",
            Self::Refused(_) => "refused",
        }
    }
}

/// A backend that the server uses, or the reason why its first settings are unusable.
pub struct InService {
    /// The settings it was made from.
    pub settings: StoreSettings,
    /// The backend.
    pub backend: Result<Arc<dyn FileBackend>, StepFailure>,
}

/// One store.
#[derive(Clone)]
pub(super) struct Slot {
    store: Store,
    in_service: Arc<InService>,
    saved: Option<Saved>,
}

/// Settings in force that are not in service.
#[derive(Debug, Clone, PartialEq)]
struct Saved {
    settings: StoreSettings,
    refusal: Option<Arc<Report>>,
    /// The number of failed tests.
    tries: u32,
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        self.store == other.store && Arc::ptr_eq(&self.in_service, &other.in_service) && self.saved == other.saved
    }
}

impl Slot {
    pub(super) fn new(store: Store, in_service: Arc<InService>) -> Self {
        Self { store, in_service, saved: None }
    }

    /// Returns the slot after `settings` come into force.
    fn adopting(&self, settings: StoreSettings) -> Self {
        let saved = match &self.saved {
            _ if self.in_service.settings == settings => None,
            Some(saved) if saved.settings == settings => Some(saved.clone()),
            Some(_) | None => Some(Saved { settings, refusal: None, tries: 0 }),
        };
        Self { saved, ..self.clone() }
    }
}

impl Stores {
    /// Returns the state of the saved settings of a store, or `None` if there is no such store.
    pub fn state(&self, store: Store) -> Option<SettingsState> {
        Some(match &self.slot(store)?.saved {
            None => SettingsState::InService,
            Some(Saved { refusal: None, .. }) => SettingsState::Testing,
            Some(Saved { refusal: Some(report), .. }) => SettingsState::Refused(report.clone()),
        })
    }

    /// Returns the backend in service for a store.
    pub fn in_service(&self, store: Store) -> Option<&InService> {
        self.slot(store).map(|slot| &*slot.in_service)
    }

    /// Returns all stores with the state of their saved settings.
    pub fn states(&self) -> Vec<(Store, SettingsState)> {
        self.0.iter().filter_map(|slot| Some((slot.store, self.state(slot.store)?))).collect()
    }

    /// Returns the settings in force that are not in service.
    pub(super) fn saved(&self, store: Store) -> Option<&StoreSettings> {
        self.slot(store)?.saved.as_ref().map(|saved| &saved.settings)
    }

    /// Returns the stores whose settings in force are not in service.
    pub(super) fn pending(&self) -> impl Iterator<Item = Store> {
        self.0.iter().filter(|slot| slot.saved.is_some()).map(|slot| slot.store)
    }

    /// Returns the backend in service with these settings.
    pub(super) fn with_settings(&self, settings: &StoreSettings) -> Option<Arc<InService>> {
        self.0.iter().map(|slot| &slot.in_service).find(|service| service.settings == *settings).cloned()
    }

    /// Returns the stores after these settings are wanted. A new store comes into service at once.
    pub(super) fn adopting(
        &self,
        wanted: impl Iterator<Item = (Store, StoreSettings)>,
        open: &dyn Fn(&StoreSettings) -> Arc<InService>,
    ) -> Self {
        let slot = |(store, settings): (Store, StoreSettings)| match self.slot(store) {
            Some(slot) => slot.adopting(settings),
            None => Slot::new(store, open(&settings)),
        };
        Self(wanted.map(slot).collect())
    }

    /// Returns the stores with this slot in place of its predecessor.
    pub(super) fn with(&self, new: &Slot) -> Self {
        Self(self.0.iter().map(|slot| if slot.store == new.store { new.clone() } else { slot.clone() }).collect())
    }

    /// Returns the stores after a failed test of the saved settings, and the number of failed tests.
    pub(super) fn refusing(&self, store: Store, report: &Arc<Report>) -> (Self, u32) {
        let Some(slot) = self.slot(store) else { return (self.clone(), 1) };
        let saved =
            slot.saved.clone().map(|saved| Saved { refusal: Some(report.clone()), tries: saved.tries + 1, ..saved });
        let tries = saved.as_ref().map_or(1, |saved| saved.tries);
        (self.with(&Slot { saved, ..slot.clone() }), tries)
    }

    /// Returns the stores whose saved settings differ from those in `before`.
    pub(super) fn changed_from(&self, before: &Self) -> impl Iterator<Item = Store> {
        self.0.iter().map(|slot| slot.store).filter(|store| self.saved(*store) != before.saved(*store))
    }

    fn slot(&self, store: Store) -> Option<&Slot> {
        self.0.iter().find(|slot| slot.store == store)
    }
}
