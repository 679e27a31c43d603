//! Settings with places where the server keeps data or secrets, and the rule that no such place is public.

use serde_json::Value;

use super::document::{Document, given};
use super::rules::{AtLoad, Failure};

/// The settings. The start refuses a web application in whose folder one of these places is.
pub const PLACES: [&str; 10] = [
    "FileSettings.Directory",
    "FileSettings.ExportDirectory",
    "ImportSettings.Directory",
    "ExportSettings.Directory",
    "LogSettings.FileLocation",
    "ComplianceSettings.Directory",
    "ServiceSettings.TLSKeyFile",
    "ServiceSettings.TLSCertFile",
    "ServiceSettings.LocalModeSocketLocation",
    "ServiceSettings.LicenseFileLocation",
];

/// Returns the places that are set: the setting and its value.
pub fn set_places(document: &Document) -> impl Iterator<Item = (&'static str, &str)> {
    let set = |path: &'static str| given(document, path).and_then(Value::as_str).map(|place| (path, place));
    PLACES.into_iter().filter_map(set).filter(|(_, place)| !place.is_empty())
}

/// Returns a failure for each place in a folder whose files anyone can read.
pub(super) fn served(document: &Document, is_served: &dyn Fn(&str) -> bool) -> Vec<Failure> {
    let public = set_places(document).filter(|(_, place)| is_served(place));
    let failure = |(path, _): (&str, &str)| Failure {
        pointer: format!("/{}", path.replace('.', "/")),
        id: "app.config.served_place.app_error",
        params: vec![("Setting", path.to_owned())],
        at_load: AtLoad::Refused,
    };
    public.map(failure).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::table::{defaults, settings};

    #[test]
    fn every_place_is_a_setting_and_is_public_in_a_public_folder_only() {
        for path in PLACES {
            assert!(settings().contains_key(path), "{path}");
            let (section, name) = path.split_once('.').unwrap();
            let mut document = defaults();
            document[section][name] = json!("/srv/web/data");
            let failures = served(&document, &|place| place.starts_with("/srv/web"));
            let found: Vec<_> = failures.iter().map(|failure| (failure.path(), failure.id)).collect();
            assert_eq!(found, [(path.to_owned(), "app.config.served_place.app_error")]);
        }
        assert!(served(&defaults(), &|place| place.is_empty()).is_empty());
    }
}
