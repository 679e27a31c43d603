//! Defaults that do not follow a setting because that one is pinned.
//!
//! Defaults are completed before values are pinned, as in Mattermost: a pinned value is never stored, so a default that
//! followed it would become another one with the next change that stores the whole document.

use super::super::document::{Document, given};
use super::super::table::{Setting, placed};
use super::Config;

impl Config {
    /// Returns a sentence for each setting that has its default, and would have another one if it followed the pinned
    /// setting on which its default depends.
    pub(super) fn unfollowed(&self) -> Vec<String> {
        let unpinned = self.unpinned();
        let sentence = |setting: &Setting| {
            let from = setting.default_from.as_ref()?;
            let pinned = from.settings().iter().find_map(|path| Some((path, self.overrides.get(path.as_str())?)));
            let (followed, pin) = pinned.filter(|_| !self.overrides.contains_key(&setting.path))?;
            let path = &setting.path;
            let default = |document: &Document| from.value(document).unwrap_or_else(|| setting.default_value());
            let (value, wanted) = (given(&self.document, path)?, default(&self.document));
            let has_default = given(&unpinned, path) == Some(&default(&unpinned));
            (has_default && *value != wanted).then(|| {
                let place = &pin.place;
                format!(
                    "{path} is {value} and does not follow {followed}, since {place} pins that one; for {wanted}, pin \
                     {path} as well"
                )
            })
        };
        placed().filter_map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::completion::Defaults;
    use super::super::super::document::insert;
    use super::super::super::overrides::Overrides;
    use super::super::{Override, Stored};
    use super::*;

    const DAYS: &str = "ServiceSettings.SessionLengthWebInDays";
    const HOURS: &str = "ServiceSettings.SessionLengthWebInHours";

    fn pinned(values: &[(&str, Value)]) -> Overrides {
        let pin = |value: &Value| Override { value: value.clone(), place: "config.toml:2".to_owned() };
        values.iter().map(|(path, value)| ((*path).to_owned(), pin(value))).collect()
    }

    fn notices(defaults: Defaults, stored: &[(&str, Value)], overrides: &[(&str, Value)]) -> Vec<String> {
        let mut document = Document::new();
        for (path, value) in stored.iter().chain(&[("TeamSettings.SiteName", json!("Quay"))]) {
            insert(&mut document, path, value.clone());
        }
        let stored = Stored::new("version".to_owned(), document);
        Config::compose_with(defaults, Some(stored), pinned(overrides)).unwrap().notices()
    }

    #[test]
    fn a_default_that_does_not_follow_a_pinned_setting_is_named_with_both_values() {
        let days = [(DAYS, json!(7))];
        let words = "ServiceSettings.SessionLengthWebInHours is 720 and does not follow \
                     ServiceSettings.SessionLengthWebInDays, since config.toml:2 pins that one; for 168, pin \
                     ServiceSettings.SessionLengthWebInHours as well";
        // A whole document that was stored later has the default as well.
        for stored in [&[][..], &[(HOURS, json!(720))]] {
            assert_eq!(notices(Defaults::Today, stored, &days), [words]);
        }
        let address = [("SamlSettings.IdpDescriptorURL", json!("https://idp.example"))];
        let named = notices(Defaults::Today, &[], &address);
        assert!(named.len() == 1 && named[0].contains("for \"https://idp.example\", pin"), "{named:?}");
    }

    #[test]
    fn a_value_of_its_own_and_one_that_would_be_the_same_are_no_notice() {
        let days = [(DAYS, json!(7))];
        let none = Vec::<String>::new();
        assert_eq!(notices(Defaults::Today, &[(HOURS, json!(5))], &days), none);
        assert_eq!(notices(Defaults::Today, &[(DAYS, json!(7))], &days), none, "it follows the stored value");
        assert_eq!(notices(Defaults::Today, &[], &[(DAYS, json!(30))]), none);
        assert_eq!(notices(Defaults::Today, &[], &[(DAYS, json!(7)), (HOURS, json!(5))]), none);
    }

    #[test]
    fn no_secret_follows_another_setting() {
        assert!(placed().all(|setting| setting.default_from.is_none() || setting.mask.is_none()));
    }

    #[test]
    fn what_is_stored_does_not_depend_on_a_pinned_setting() {
        let config = Config::compose(None, pinned(&[(DAYS, json!(7))])).unwrap();
        let stored = config.storable(&config.document, &Document::new());
        assert_eq!(given(&stored, HOURS), Some(&json!(720)));
        let later = config.with_stored(Stored::new("version".to_owned(), stored)).unwrap();
        assert_eq!(later.document, config.document);
    }
}
