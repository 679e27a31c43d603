//! The versions that the server reports.

/// The version of the Mattermost API that this server implements. Clients compare it with their own.
pub(crate) const API_VERSION: &str = "11.6.0";

/// The version of the program: that of the package, unless the build sets the variable `QUARTERDECK_VERSION`.
pub(crate) const VERSION: &str = match option_env!("QUARTERDECK_VERSION") {
    Some(version) if !version.is_empty() => version,
    _ => env!("CARGO_PKG_VERSION"),
};
