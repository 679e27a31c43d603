//! Takes the settings of an unconfirmed change back, as far as no later change depends on them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::is_generated;
use crate::config::difference::is_whole;
use crate::config::document::{Document, below, given};
use crate::config::reentry::{UNCHECKED, units};

const PLUGINS: &str = "PluginSettings.Plugins";

/// A configuration without a change that was not confirmed.
pub(in crate::config) struct TakenBack {
    pub(in crate::config) document: Document,
    /// The places that the change altered and that do not have their earlier value.
    pub(in crate::config) not_taken_back: Vec<String>,
}

/// Returns `current` with the value of `before` in each place that differs between `before` and `after` and still has
/// the value of `after`. Later changes of other places, and of the same ones, stay.
///
/// A secret and the settings that name its host are one place: if one of them was changed since, all of them stay, so
/// that no secret goes to another host than the one that it was entered for. The settings of a plugin are one place too.
pub(in crate::config) fn taken_back(current: &Document, before: &Document, after: &Document) -> TakenBack {
    let staying = staying(current, after);
    let mut taken = TakenBack { document: current.clone(), not_taken_back: Vec::new() };
    restore(&mut taken.document, before, after, "", &staying, &mut taken.not_taken_back);
    taken
}

/// Returns the settings that stay, because one of the same place was changed since.
///
/// Two secrets can share a setting, such as the driver of a database; then their places are one. A switch that turns the
/// check of certificates off joins no places: it is always turned on again, and turned off again only if no secret of it
/// stays.
fn staying(current: &Document, after: &Document) -> BTreeSet<&'static str> {
    let is_on = |document: &Document, switch: &str| given(document, switch) == Some(&Value::Bool(true));
    let is_changed_since = |path: &&str| {
        let is_changed = given(current, path) != given(after, path);
        is_changed && (!UNCHECKED.contains(path) || is_on(current, path))
    };
    let places: Vec<Vec<&str>> = units().collect();
    let of_places = |is_one: &dyn Fn(&&str) -> bool| -> BTreeSet<&'static str> {
        let chosen = places.iter().filter(|place| place.iter().any(is_one)).flatten();
        chosen.copied().filter(|path| !UNCHECKED.contains(path)).collect()
    };
    let mut staying = of_places(&is_changed_since);
    loop {
        let grown = of_places(&|path| staying.contains(*path));
        if grown.len() == staying.len() {
            break;
        }
        staying = grown;
    }
    let is_of_staying = |switch: &'static str| {
        let mut places = places.iter().filter(|place| place.contains(&switch));
        places.any(|place| place.iter().any(|path| staying.contains(*path)))
    };
    let checking: Vec<&str> =
        UNCHECKED.into_iter().filter(|switch| !is_on(after, switch) && is_of_staying(switch)).collect();
    staying.extend(checking);
    staying
}

fn restore(
    current: &mut Document,
    before: &Document,
    after: &Document,
    place: &str,
    staying: &BTreeSet<&str>,
    not_taken_back: &mut Vec<String>,
) {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let (earlier, changed) = (before.get(key), after.get(key));
        let path = below(place, key);
        if earlier == changed || is_generated(&path, earlier.unwrap_or(&Value::Null)) {
            continue;
        }
        let sections = [earlier, changed].map(|value| value.and_then(Value::as_object));
        let is_one_place = is_whole(&path) || place == PLUGINS;
        if let ([Some(earlier), Some(changed)], Some(Value::Object(inner)), false) =
            (sections, current.get_mut(key), is_one_place)
        {
            restore(inner, earlier, changed, &path, staying, not_taken_back);
        } else if current.get(key) == changed && !staying.contains(path.as_str()) {
            match earlier {
                Some(value) => current.insert(key.clone(), value.clone()),
                None => current.remove(key),
            };
        } else if current.get(key) != earlier {
            not_taken_back.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(value: Value) -> Document {
        serde_json::from_value(value).unwrap()
    }

    fn taken_back(current: &Document, before: &Document, after: &Document) -> Document {
        super::taken_back(current, before, after).document
    }

    #[test]
    fn only_what_is_still_as_it_was_changed_is_taken_back() {
        let before = document(json!({"TeamSettings": {"SiteName": "one", "MaxUsersPerTeam": 5, "Old": 1}}));
        let after = document(json!({"TeamSettings": {"SiteName": "two", "MaxUsersPerTeam": 6}, "New": {"Key": 1}}));
        assert_eq!(taken_back(&after, &before, &after), before);
        let since = document(json!({
            "TeamSettings": {"SiteName": "two", "MaxUsersPerTeam": 7, "Other": true},
            "New": {"Key": 2},
        }));
        let expected = document(json!({
            "TeamSettings": {"SiteName": "one", "MaxUsersPerTeam": 7, "Old": 1, "Other": true},
            "New": {"Key": 2},
        }));
        assert_eq!(taken_back(&since, &before, &after), expected);
    }

    #[test]
    fn a_key_that_the_server_generated_is_not_taken_back() {
        let salt =
            |salt: &str, limit: u32| document(json!({"FileSettings": {"PublicLinkSalt": salt, "MaxFileSize": limit}}));
        assert_eq!(taken_back(&salt("new", 2), &salt("", 1), &salt("new", 2)), salt("new", 1));
        assert_eq!(taken_back(&salt("new", 2), &salt("old", 1), &salt("new", 2)), salt("old", 1));
    }

    #[test]
    fn a_secret_is_taken_back_only_with_the_host_that_it_was_entered_for() {
        let mail = |server: &str, password: &str, port: &str| {
            let settings = json!({"SMTPServer": server, "SMTPPassword": password, "SMTPPort": port});
            document(json!({"EmailSettings": settings, "TeamSettings": {"SiteName": server}}))
        };
        let (before, after) = (mail("old", "secret", "25"), mail("new", "entered", "25"));
        assert_eq!(taken_back(&after, &before, &after), before);
        for since in [mail("other", "entered", "25"), mail("new", "other", "25"), mail("new", "entered", "26")] {
            let kept = taken_back(&since, &before, &after);
            assert_eq!(kept["EmailSettings"], since["EmailSettings"]);
        }
        let plugin = |host: &str, token: &str| {
            document(
                json!({"PluginSettings": {"Plugins": {"one": {"Host": host, "Token": token}, "two": {"Token": token}}}}),
            )
        };
        let (before, after, mut since) = (plugin("old", "secret"), plugin("new", "entered"), plugin("new", "entered"));
        since["PluginSettings"]["Plugins"]["one"]["Host"] = json!("other");
        let kept = &taken_back(&since, &before, &after)["PluginSettings"]["Plugins"];
        assert_eq!(
            (&kept["one"], &kept["two"]["Token"]),
            (&since["PluginSettings"]["Plugins"]["one"], &json!("secret"))
        );
    }

    #[test]
    fn a_setting_with_any_content_is_taken_back_as_a_whole_or_not_at_all() {
        let logs = |level: u32| document(json!({"LogSettings": {"AdvancedLoggingJSON": {"a": {"n": level}, "b": {}}}}));
        let since = document(json!({"LogSettings": {"AdvancedLoggingJSON": {"a": {"n": 2}}}}));
        assert_eq!(taken_back(&logs(2), &logs(1), &logs(2)), logs(1));
        assert_eq!(taken_back(&since, &logs(1), &logs(2)), since);
    }

    /// A store of files at a host, and whether certificates are checked.
    fn files(host: &str, secret: &str, container: &str, is_unchecked: bool) -> Document {
        document(json!({
            "FileSettings": {
                "AmazonS3Endpoint": host, "AmazonS3SecretAccessKey": secret, "AzureContainer": container,
            },
            "ServiceSettings": { "EnableInsecureOutgoingConnections": is_unchecked },
        }))
    }

    #[test]
    fn a_switch_that_secrets_share_goes_back_to_checking_and_joins_no_places() {
        let (before, after) = (files("old", "secret", "one", false), files("new", "entered", "one", true));
        // Another store was changed since: the secret goes back with its host, and certificates are checked.
        let since = files("new", "entered", "two", true);
        assert_eq!(taken_back(&since, &before, &after), files("old", "secret", "two", false));
        // The same store was changed since: it stays, and certificates are checked all the same.
        let since = files("other", "entered", "one", true);
        let taken = super::taken_back(&since, &before, &after);
        assert_eq!(taken.document, files("other", "entered", "one", false));
        assert_eq!(taken.not_taken_back, ["FileSettings.AmazonS3Endpoint", "FileSettings.AmazonS3SecretAccessKey"]);
        // A change of the switch alone is taken back whatever was changed since.
        let alone = files("old", "secret", "one", true);
        assert_eq!(
            taken_back(&files("other", "other", "two", true), &before, &alone),
            files("other", "other", "two", false)
        );
    }

    #[test]
    fn the_check_of_certificates_is_turned_off_again_only_if_no_secret_of_it_stays() {
        let (before, after) = (files("old", "secret", "one", true), files("new", "entered", "one", false));
        assert_eq!(taken_back(&after, &before, &after), before);
        let taken = super::taken_back(&files("other", "entered", "one", false), &before, &after);
        assert_eq!(taken.document, files("other", "entered", "one", false));
        assert!(taken.not_taken_back.contains(&"ServiceSettings.EnableInsecureOutgoingConnections".to_owned()));
        // It was turned off since, so nothing moves to a host that would get a secret unchecked.
        let (before, after) = (files("old", "secret", "one", false), files("new", "entered", "one", false));
        let since = files("new", "entered", "one", true);
        assert_eq!(taken_back(&since, &before, &after), since);
    }

    #[test]
    fn settings_that_several_places_share_make_them_one() {
        let database = |driver: &str, source: &str, replicas: &[&str]| {
            document(json!({
                "SqlSettings": { "DriverName": driver, "DataSource": source, "DataSourceReplicas": replicas },
            }))
        };
        let (before, after) = (database("sqlite", "file", &[]), database("postgres", "postgres://one", &[]));
        assert_eq!(taken_back(&after, &before, &after), before);
        let since = database("postgres", "postgres://one", &["postgres://two"]);
        let taken = super::taken_back(&since, &before, &after);
        assert_eq!(taken.document, since);
        assert_eq!(taken.not_taken_back, ["SqlSettings.DataSource", "SqlSettings.DriverName"]);
    }
}
