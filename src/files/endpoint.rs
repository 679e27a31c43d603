//! The host behind a store, and by which rules its certificate is accepted.

use std::sync::{Arc, OnceLock};

use quarterdeck_actors::storage::report::Trouble;
use rustls::ClientConfig;

use super::objects::unusable;
use super::reach::Reach;
use crate::base::causes::chain;
use crate::base::trust::client_config;

/// Where a connection goes.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    /// How to speak TLS, where it is spoken.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// Which of its addresses may be connected to.
    pub(super) reach: Reach,
}

/// The rules for certificates: those of the system, or none; made once.
pub(super) fn certificate_rules(skips_check: bool) -> Result<Arc<ClientConfig>, Trouble> {
    static SYSTEM: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    static NONE: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let rules = if skips_check { &NONE } else { &SYSTEM };
    if let Some(known) = rules.get() {
        return Ok(known.clone());
    }
    let made = client_config(!skips_check);
    let made = made.map_err(|error| unusable(chain(&error), "Check the certificates of this system."))?;
    Ok(rules.get_or_init(|| Arc::new(made)).clone())
}
