//! The host of a store, and the rules for its certificate.

use std::sync::{Arc, OnceLock};

use quarterdeck_actors::storage::report::StepFailure;
use rustls::ClientConfig;

use super::host_policy::HostPolicy;
use super::objects::unusable;
use crate::base::trust::client_config;
use quarterdeck_actors::causes::chain;

/// The target of a connection.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    /// The TLS configuration; `None` without TLS.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// The addresses of the host that may be connected to.
    pub(super) policy: HostPolicy,
}

/// Returns the TLS rules: the system's root certificates, or no check. Each is created once.
pub(super) fn certificate_rules(skips_check: bool) -> Result<Arc<ClientConfig>, StepFailure> {
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
