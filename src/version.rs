//! What the server calls itself.

/// The version of the Mattermost API that this server speaks; clients compare it with their own.
pub const API_VERSION: &str = "11.6.0";

/// The server's own version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
