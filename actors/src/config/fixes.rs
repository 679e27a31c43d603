//! Corrections of values that are set, made before a configuration is checked and stored.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::column::Fix;
use super::document::{Document, given, insert};
use super::table::{Setting, placed, settings};
use crate::locales::{FALLBACK, is_supported};
use crate::steps::counted;

/// Returns `document` with all corrections applied. Applying them again changes nothing.
pub fn fixed(document: &Document) -> Document {
    fixed_around(document, &|_| false)
}

/// Returns `document` with all corrections applied, except that no key is added to a map that is pinned.
pub(super) fn fixed_around(document: &Document, is_pinned: &dyn Fn(&str) -> bool) -> Document {
    let mut fixed = document.clone();
    for setting in placed() {
        let is_kept = |fix: &&Fix| matches!(fix, Fix::MissingKeys(_)) && is_pinned(&setting.path);
        for fix in setting.fixes.iter().filter(|fix| !is_kept(fix)) {
            let value = given(&fixed, &setting.path).unwrap_or(&Value::Null);
            if let Some(mended) = fix.mended(value, setting, &fixed) {
                insert(&mut fixed, &setting.path, mended);
            }
        }
    }
    fixed
}

impl Fix {
    /// Returns the corrected value, or `None` if `value` needs no correction or has the wrong type.
    fn mended(&self, value: &Value, setting: &Setting, document: &Document) -> Option<Value> {
        let default = || setting.default_value();
        match self {
            Self::EmptyToDefault => (value == "").then(default),
            Self::ZeroToDefault => (value == 0).then(default),
            Self::BlankToDefault => is_blank(value).then(default),
            Self::UnsafeLinkToDefault => (!is_safe_link(value.as_str()?)).then(default),
            Self::UnsafeLinkToEmpty => (!is_safe_link(value.as_str()?)).then(|| Value::from("")),
            Self::NoTrailingSlash => Some(Value::from(value.as_str()?.trim_end_matches('/'))),
            Self::SlashAtEndIf(path, wanted) => {
                let text = value.as_str()?;
                let is_wanted = given(document, path)? == wanted && !text.ends_with('/');
                is_wanted.then(|| Value::from(format!("{text}/")))
            }
            Self::Replace(words) => words.get(value.as_str()?).map(|word| Value::from(word.as_str())),
            Self::AtMost(max) => Some(Value::from(value.as_i64()?.min(*max))),
            Self::SupportedLocale => (!is_supported(value.as_str()?)).then(|| Value::from(FALLBACK)),
            Self::LocalesWith(path) => {
                // A locale that is not supported is replaced as well, by the correction of its own setting.
                let also = Some(given(document, path)?.as_str()?).filter(|also| is_supported(also));
                Some(Value::from(locales(value.as_str()?, also.unwrap_or(FALLBACK))))
            }
            Self::MissingKeys(switches) => Some(with_keys(value.as_object()?, default(), switches, document)),
            Self::AllMembers => Some(with_members(value.as_array()?, setting)),
            Self::AlwaysLists(entries) => Some(with_entries(value.as_object()?, entries)),
        }
    }
}

impl Fix {
    /// Returns the value of `setting` in `document` with the keys that this correction adds, if it adds any.
    pub(super) fn missing_keys(&self, setting: &Setting, document: &Document) -> Option<Value> {
        match self {
            Self::MissingKeys(switches) => {
                let map = given(document, &setting.path).and_then(Value::as_object);
                let default = setting.default_value();
                Some(with_keys(map.unwrap_or(&Map::new()), default, switches, document))
            }
            Self::EmptyToDefault
            | Self::ZeroToDefault
            | Self::BlankToDefault
            | Self::UnsafeLinkToDefault
            | Self::UnsafeLinkToEmpty
            | Self::NoTrailingSlash
            | Self::SlashAtEndIf(..)
            | Self::Replace(_)
            | Self::AtMost(_)
            | Self::AllMembers
            | Self::SupportedLocale
            | Self::LocalesWith(_)
            | Self::AlwaysLists(_) => None,
        }
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(_) | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_safe_link(link: &str) -> bool {
    let names_a_host = |rest: &str| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty() && !link.contains(|letter: char| letter.is_whitespace() || letter.is_control())
    };
    let rest = link.strip_prefix("http://").or_else(|| link.strip_prefix("https://"));
    link.starts_with('/') || rest.is_some_and(names_a_host)
}

fn locales(list: &str, also: &str) -> String {
    let given = || counted(list.split(',')).map(str::trim).filter(|entry| !entry.is_empty());
    let is_for_all = given().next().is_none() || given().any(|entry| !is_supported(entry));
    if is_for_all {
        return String::new();
    }
    let mut known = HashSet::new();
    let once: Vec<&str> = given().chain([also.trim()]).filter(|entry| known.insert(*entry)).collect();
    once.join(",")
}

fn with_keys(
    map: &Map<String, Value>,
    default: Value,
    switches: &BTreeMap<String, String>,
    document: &Document,
) -> Value {
    let mut complete = map.clone();
    let Value::Object(default) = default else { return Value::Object(complete) };
    for (key, value) in default {
        let switch = switches.get(&key).and_then(|path| given(document, path));
        let entry = complete.entry(key).or_insert(Value::Null);
        if entry.is_null() {
            *entry = switch.map_or(value, |switch| json!({"Enable": switch}));
        }
    }
    Value::Object(complete)
}

/// Returns the elements of a list with all members that the table has for them.
fn with_members(elements: &[Value], setting: &Setting) -> Value {
    let place = format!("{}[].", setting.path);
    let members: Vec<&str> = settings().keys().filter_map(|path| path.strip_prefix(&place)).collect();
    let complete = |element: &Value| {
        let mut element = element.clone();
        if let Value::Object(element) = &mut element {
            for member in &members {
                element.entry(*member).or_insert(Value::Null);
            }
        }
        element
    };
    counted(elements.iter()).map(complete).collect()
}

fn with_entries(map: &Map<String, Value>, entries: &BTreeMap<String, String>) -> Value {
    let mut complete = map.clone();
    for (key, entry) in entries {
        let list = complete.entry(key).or_insert(Value::Null);
        if list.is_null() {
            *list = json!([]);
        }
        if let Value::Array(list) = list
            && !list.contains(&Value::from(entry.as_str()))
        {
            list.push(Value::from(entry.as_str()));
        }
    }
    Value::Object(complete)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary::{documents, settings_of};
    use super::super::table::defaults;
    use super::*;

    fn mended(path: &str, value: Value) -> Value {
        given(&fixed(&settings_of(defaults(), [(path, value)])), path).cloned().unwrap_or_default()
    }

    #[test]
    fn the_defaults_need_no_mending() {
        assert_eq!(fixed(&defaults()), defaults());
    }

    #[test]
    fn each_value_that_cannot_stay_is_replaced() {
        let rules = [
            ("ServiceSettings.SiteURL", json!("https://chat.example/sub//"), json!("https://chat.example/sub")),
            ("ServiceSettings.WebserverMode", json!("regular"), json!("gzip")),
            ("ServiceSettings.ExperimentalGroupUnreadChannels", json!("1"), json!("default_on")),
            ("ServiceSettings.UniqueEmojiReactionLimitPerPost", json!(501), json!(500)),
            ("ServiceSettings.DeleteAccountLink", json!("javascript:alert(1)"), json!("")),
            ("SupportSettings.TermsOfServiceLink", json!(""), json!("https://mattermost.com/pl/terms-of-use/")),
            ("SupportSettings.HelpLink", json!("https:///help"), json!("")),
            ("SupportSettings.HelpLink", json!("/help"), json!("/help")),
            ("TeamSettings.SiteName", json!(""), json!("Mattermost")),
            ("EmailSettings.SMTPServerTimeout", json!(0), json!(10)),
            ("EmailSettings.ConnectionSecurity", json!("PLAIN"), json!("")),
            ("FileSettings.Directory", json!(""), json!("./data/")),
            ("FileSettings.Directory", json!("/srv/files"), json!("/srv/files/")),
            ("LogSettings.AdvancedLoggingJSON", json!(" "), json!({})),
            ("LogSettings.AdvancedLoggingJSON", Value::Null, json!({})),
            ("LocalizationSettings.AvailableLocales", json!("de, fr,de"), json!("de,fr,en")),
            ("LocalizationSettings.AvailableLocales", json!(""), json!("")),
            ("LocalizationSettings.AvailableLocales", json!("de,xx"), json!("")),
            ("LocalizationSettings.AvailableLocales", json!("pt-BR,en"), json!("pt-BR,en")),
            ("LocalizationSettings.DefaultServerLocale", json!("xx"), json!("en")),
            ("LocalizationSettings.DefaultClientLocale", json!("EN"), json!("en")),
            ("LocalizationSettings.DefaultClientLocale", json!("zh-TW"), json!("zh-TW")),
            (
                "PluginSettings.MarketplaceURL",
                json!("https://marketplace.integrations.mattermost.com"),
                json!("https://api.integrations.mattermost.com"),
            ),
        ];
        for (path, value, expected) in rules {
            assert_eq!(mended(path, value.clone()), expected, "{path}: {value}");
        }
    }

    #[test]
    fn the_folder_of_another_driver_keeps_its_end() {
        let given = [("FileSettings.DriverName", json!("amazons3")), ("FileSettings.Directory", json!("files"))];
        assert_eq!(fixed(&settings_of(defaults(), given))["FileSettings"]["Directory"], "files");
    }

    #[test]
    fn flagged_posts_always_reach_reviewers() {
        let path = "ContentFlaggingSettings.NotificationSettings.EventTargetMapping";
        let flagged = |mapping: Value| mended(path, mapping)["flagged"].clone();
        let reviewed = json!(["author", "reviewers"]);
        assert_eq!(flagged(json!({"flagged": ["author"]})), reviewed);
        assert_eq!(flagged(json!({"flagged": reviewed})), reviewed);
        assert_eq!(flagged(json!({"flagged": null})), json!(["reviewers"]));
        assert_eq!(flagged(json!({})), json!(["reviewers"]));
    }

    #[test]
    fn each_event_of_content_flagging_has_its_own_default() {
        let path = "ContentFlaggingSettings.NotificationSettings.EventTargetMapping";
        let default = json!({
            "flagged": ["reviewers"], "assigned": ["reviewers"],
            "removed": ["reviewers", "author", "reporter"], "dismissed": ["reviewers", "reporter"],
        });
        for event in ["flagged", "assigned", "removed", "dismissed"] {
            let mut expected = default.clone();
            expected[event] = json!(["reviewers", "author"]);
            assert_eq!(mended(path, json!({ event: ["reviewers", "author"] })), expected, "{event}");
            assert_eq!(mended(path, json!({ event: null })), default, "{event}");
        }
        assert_eq!(mended(path, json!({"assigned": []}))["assigned"], json!([]), "no target is a value");
    }

    #[test]
    fn an_element_of_a_list_has_all_members() {
        let path = "SqlSettings.ReplicaLagSettings";
        let complete = json!([{"DataSource": "one", "QueryAbsoluteLag": null, "QueryTimeLag": null}]);
        assert_eq!(mended(path, json!([{"DataSource": "one"}])), complete);
        assert_eq!(mended(path, complete.clone()), complete);
        assert_eq!(mended(path, json!([])), json!([]));
    }

    #[test]
    fn a_pinned_map_stays_as_it_is() {
        let states = json!({"playbooks": {"Enable": false}});
        let document = settings_of(defaults(), [("PluginSettings.PluginStates", states.clone())]);
        let fixed = fixed_around(&document, &|path| path == "PluginSettings.PluginStates");
        assert_eq!(fixed["PluginSettings"]["PluginStates"], states);
    }

    #[test]
    fn plugins_that_come_with_the_server_get_their_state_back() {
        let given = [
            ("LogSettings.EnableDiagnostics", json!(false)),
            ("PluginSettings.PluginStates", json!({"playbooks": {"Enable": false}})),
        ];
        let states = fixed(&settings_of(defaults(), given))["PluginSettings"]["PluginStates"].clone();
        assert_eq!(states["playbooks"]["Enable"], false);
        assert_eq!(states["com.mattermost.calls"]["Enable"], true);
        assert_eq!(states["com.mattermost.nps"]["Enable"], false);
    }

    #[test]
    fn the_available_locales_have_the_default_one_as_it_is_corrected() {
        let given = [
            ("LocalizationSettings.AvailableLocales", json!("uk")),
            ("LocalizationSettings.DefaultClientLocale", json!("nowhere")),
        ];
        let fixed = fixed(&settings_of(defaults(), given));
        assert_eq!(fixed["LocalizationSettings"]["AvailableLocales"], "uk,en");
        assert_eq!(fixed["LocalizationSettings"]["DefaultClientLocale"], "en");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn mending_twice_changes_nothing(document in documents()) {
            let once = fixed(&document);
            prop_assert_eq!(fixed(&once), once);
        }
    }
}
