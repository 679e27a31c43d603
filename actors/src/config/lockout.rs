//! The settings of which a wrong value can lock administrators out, and those that hold secrets.

use super::column::Mask;
use super::confirmation::is_generated;
use super::difference::Change;
use super::reentry::companions;
use super::table::settings;

/// Addresses, TLS, login and sign-in, rules for passwords, rate limits, restricted administration: paths of settings,
/// and with a dot at the end the begin of paths.
const LOCKOUT: &str = include_str!("lockout.txt");

/// Settings with which a page of another site can act for a user who is logged in.
const OPENS_TO_SITES: [&str; 3] =
    ["ServiceSettings.AllowCorsFrom", "ServiceSettings.CorsAllowCredentials", "ServiceSettings.FrameAncestors"];

/// Returns true if the change can lock administrators out, changes a secret, decides which server sends the links for new
/// passwords, or lets other sites act for users.
///
/// The first save of an installation fills in keys that are empty, which is no work of the caller.
pub fn is_critical(change: &Change) -> bool {
    let Change { path, before, .. } = change;
    !is_generated(path, before)
        && (can_lock_out(path)
            || holds_secret(path)
            || OPENS_TO_SITES.contains(&path.as_str())
            || companions("EmailSettings.SMTPPassword").contains(&path.as_str()))
}

/// Returns true if a wrong value of the setting can lock administrators out.
pub fn can_lock_out(path: &str) -> bool {
    LOCKOUT.lines().any(|name| if name.ends_with('.') { path.starts_with(name) } else { path == name })
}

/// Returns true if the setting is a secret, or contains secrets, as the settings of plugins do.
fn holds_secret(path: &str) -> bool {
    settings().values().filter(|setting| setting.mask.is_some()).any(|setting| {
        // A list is compared as a whole, so a change names the list and not the member of its elements.
        let (whole, has_parts) = match setting.path.split_once('[') {
            Some((list, _)) => (list, false),
            None => (setting.path.as_str(), setting.mask == Some(Mask::Keys)),
        };
        let below = path.strip_prefix(whole);
        below == Some("") || (has_parts && below.is_some_and(|rest| rest.starts_with('.')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_means_a_setting() {
        for name in LOCKOUT.lines() {
            let is_meant = |path: &str| if name.ends_with('.') { path.starts_with(name) } else { path == name };
            assert!(settings().keys().any(|path| is_meant(path)), "{name}");
        }
    }

    #[test]
    fn a_generated_key_is_critical_once_there_is_one() {
        let change =
            |path: &str, before: &str| Change { path: path.to_owned(), before: before.into(), after: "x".into() };
        assert!(!is_critical(&change("FileSettings.PublicLinkSalt", "")));
        assert!(is_critical(&change("FileSettings.PublicLinkSalt", "fingerprint 1")));
        assert!(is_critical(&change("EmailSettings.SMTPPassword", "")));
        assert!(is_critical(&change("EmailSettings.SMTPServer", "")));
        assert!(is_critical(&change("ServiceSettings.AllowCorsFrom", "")));
        assert!(!is_critical(&change("TeamSettings.SiteName", "")));
    }

    #[test]
    fn a_path_is_compared_as_a_whole() {
        for path in ["ServiceSettings.SiteURL", "PasswordSettings.MinimumLength", "RateLimitSettings.Enable"] {
            assert!(can_lock_out(path), "{path}");
        }
        for path in ["ServiceSettings.SiteURLs", "TeamSettings.SiteName", "PasswordSettings", ""] {
            assert!(!can_lock_out(path), "{path}");
        }
    }

    #[test]
    fn a_secret_is_found_by_itself_in_its_list_and_in_a_plugin() {
        for path in [
            "EmailSettings.SMTPPassword",
            "SqlSettings.ReplicaLagSettings",
            "SqlSettings.DataSourceReplicas",
            "PluginSettings.Plugins",
            "PluginSettings.Plugins.some.id.token",
        ] {
            assert!(holds_secret(path), "{path}");
        }
        for path in ["EmailSettings.SMTPServer", "PluginSettings.PluginStates", "EmailSettings.SMTPPasswordHint"] {
            assert!(!holds_secret(path), "{path}");
        }
    }
}
