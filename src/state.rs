//! All that a route can touch.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;
use quarterdeck_actors::busy::BusyHandle;
use quarterdeck_actors::config::{Config, ConfigHandle};
use quarterdeck_actors::health::HealthHandle;
use quarterdeck_actors::roles::Roles;
use quarterdeck_actors::sessions::SessionsHandle;
use quarterdeck_actors::supervisor::Vitals;

use crate::accounts::Gate;
use crate::outbound::Outbound;
use crate::passwords::Passwords;
use crate::pipeline::limit::Limiter;
use crate::store::Db;

/// Handles and store. One for all workers.
pub(crate) struct AppState {
    pub(crate) config: ConfigHandle,
    pub(crate) sessions: SessionsHandle,
    pub(crate) busy: BusyHandle,
    pub(crate) health: HealthHandle,
    pub(crate) roles: Arc<Roles>,
    pub(crate) db: Db,
    pub(crate) passwords: Passwords,
    pub(crate) gate: Gate,
    pub(crate) outbound: Outbound,
    pub(crate) limiter: Limiter,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) prepared: PreparedAnswers,
}

impl AppState {
    /// How each actor fares.
    pub(crate) fn vitals(&self) -> [Arc<Vitals>; 4] {
        [self.busy.vitals(), self.config.vitals(), self.health.vitals(), self.sessions.vitals()]
    }
}

/// What is under way, and whether the server is about to stop.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    in_flight: AtomicUsize,
    is_draining: AtomicBool,
}

impl Traffic {
    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self.clone())
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }
}

/// A request that is being answered, until dropped.
pub(crate) struct InFlight(Arc<Traffic>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What many answers share, made once for each configuration.
#[derive(Clone)]
pub(crate) struct Prepared {
    /// The `X-Version-Id` of every answer.
    pub(crate) version: HeaderValue,
    /// What a ping without questions answers while all is well.
    pub(crate) ping: Bytes,
}

impl Prepared {
    fn of(config: &Config) -> Self {
        Self { version: crate::version::header(config), ping: crate::routes::short_ping(config) }
    }
}

/// The prepared parts in force.
pub(crate) struct PreparedAnswers(RwLock<Prepared>);

impl PreparedAnswers {
    pub(crate) fn new(config: &Config) -> Self {
        Self(RwLock::new(Prepared::of(config)))
    }

    pub(crate) fn renew(&self, config: &Config) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Prepared::of(config);
    }

    pub(crate) fn current(&self) -> Prepared {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Unix milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
