//! The stores as they are published: what is in service, and what was saved and is not.

use std::sync::Arc;

use crate::storage::FileBackend;
use crate::storage::report::{Report, Trouble};
use crate::storage::settings::{Store, StoreSettings};

/// Every store of the configuration.
#[derive(Clone, Default, PartialEq)]
pub struct Stores(Vec<Slot>);

/// How the saved settings of a store stand.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// They are in service.
    InService,
    /// They are being tested for the first time; the earlier ones are in service.
    Testing,
    /// They were tested and do not work; the earlier ones are in service.
    Refused(Arc<Report>),
}

impl Standing {
    /// The name in answers, events and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InService => "in-service",
            Self::Testing => "testing",
            Self::Refused(_) => "refused",
        }
    }
}

/// A backend that the server uses, or why none can be made from the settings it started with.
pub struct InService {
    /// The settings it was made from.
    pub settings: StoreSettings,
    /// The backend.
    pub backend: Result<Arc<dyn FileBackend>, Trouble>,
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
    /// How often they were refused.
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

    /// The slot once `settings` are in force.
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
    /// How the saved settings of a store stand; `None` where there is no such store.
    pub fn standing(&self, store: Store) -> Option<Standing> {
        Some(match &self.slot(store)?.saved {
            None => Standing::InService,
            Some(Saved { refusal: None, .. }) => Standing::Testing,
            Some(Saved { refusal: Some(report), .. }) => Standing::Refused(report.clone()),
        })
    }

    /// What the server uses for a store.
    pub fn in_service(&self, store: Store) -> Option<&InService> {
        self.slot(store).map(|slot| &*slot.in_service)
    }

    /// Every store with how its settings stand.
    pub fn standings(&self) -> Vec<(Store, Standing)> {
        self.0.iter().filter_map(|slot| Some((slot.store, self.standing(slot.store)?))).collect()
    }

    /// The settings in force that are not in service.
    pub(super) fn saved(&self, store: Store) -> Option<&StoreSettings> {
        self.slot(store)?.saved.as_ref().map(|saved| &saved.settings)
    }

    /// The stores whose settings in force are not in service.
    pub(super) fn pending(&self) -> impl Iterator<Item = Store> {
        self.0.iter().filter(|slot| slot.saved.is_some()).map(|slot| slot.store)
    }

    /// The backend in service that has these settings.
    pub(super) fn with_settings(&self, settings: &StoreSettings) -> Option<Arc<InService>> {
        self.0.iter().map(|slot| &slot.in_service).find(|service| service.settings == *settings).cloned()
    }

    /// The stores once these are wanted: one without a predecessor is in service at once.
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

    /// The stores with this slot in the place of its predecessor.
    pub(super) fn with(&self, new: &Slot) -> Self {
        Self(self.0.iter().map(|slot| if slot.store == new.store { new.clone() } else { slot.clone() }).collect())
    }

    /// The stores after a refusal of the saved settings, and how many refusals that makes.
    pub(super) fn refusing(&self, store: Store, report: &Arc<Report>) -> (Self, u32) {
        let Some(slot) = self.slot(store) else { return (self.clone(), 1) };
        let saved =
            slot.saved.clone().map(|saved| Saved { refusal: Some(report.clone()), tries: saved.tries + 1, ..saved });
        let tries = saved.as_ref().map_or(1, |saved| saved.tries);
        (self.with(&Slot { saved, ..slot.clone() }), tries)
    }

    /// The stores whose saved settings are others than before.
    pub(super) fn changed_from(&self, before: &Self) -> impl Iterator<Item = Store> {
        self.0.iter().map(|slot| slot.store).filter(|store| self.saved(*store) != before.saved(*store))
    }

    fn slot(&self, store: Store) -> Option<&Slot> {
        self.0.iter().find(|slot| slot.store == store)
    }
}
