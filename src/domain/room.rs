//! The work of the server, without HTTP and without SQL.

pub(crate) mod accounts;
pub(crate) mod actors;
pub(crate) mod ai_bridge;
pub(crate) mod analytics;
pub(crate) mod announce;
pub(crate) mod audit;
pub(crate) mod bots;
pub(crate) mod caller;
pub(crate) mod channels;
pub(crate) mod config_access;
pub(crate) mod config_migration;
pub(crate) mod license;
pub(crate) mod notices;
pub(crate) mod passwords;
pub(crate) mod picture;
pub(crate) mod session;
pub(crate) mod signing_key;
pub(crate) mod support_packet;
pub(crate) mod teams;
pub(crate) mod trial_license;
pub(crate) mod upgrade;
pub(crate) mod version_store;
