//! What the server calls itself.

/// The version of the Mattermost API that this server speaks; clients compare it with their own.
pub(crate) const API_VERSION: &str = "11.6.0";

/// The server's own version: that of the package, unless whoever builds it gives another one in `QUARTERDECK_VERSION`.
pub(crate) const VERSION: &str = match option_env!("QUARTERDECK_VERSION") {
    Some(version) if !version.is_empty() => version,
    _ => env!("CARGO_PKG_VERSION"),
};
