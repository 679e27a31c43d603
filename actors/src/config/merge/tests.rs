use proptest::prelude::*;
use serde_json::json;

use super::super::arbitrary::{documents, patches, settings_of};
use super::super::fixes::fixed;
use super::super::table::defaults;
use super::*;

fn everything(_: &Setting) -> bool {
    true
}

fn with(settings: &[(&str, Value)]) -> Document {
    settings_of(Document::new(), settings.iter().map(|(path, value)| (*path, value.clone())))
}

fn running(settings: &[(&str, Value)]) -> Document {
    settings_of(defaults(), settings.iter().map(|(path, value)| (*path, value.clone())))
}

#[test]
fn a_patch_changes_what_it_gives_and_null_leaves_alone() {
    let base = running(&[]);
    let patch = with(&[("TeamSettings.SiteName", json!("Bridge")), ("TeamSettings.MaxUsersPerTeam", Value::Null)]);
    assert_eq!(patched(&base, &patch, &everything), running(&[("TeamSettings.SiteName", json!("Bridge"))]));
}

#[test]
fn a_patch_merges_nested_sections_and_takes_lists_and_maps_as_a_whole() {
    let base = running(&[("DisplaySettings.CustomURLSchemes", json!(["git", "irc"]))]);
    let mapping = "ContentFlaggingSettings.NotificationSettings.EventTargetMapping";
    let patch = with(&[
        ("DisplaySettings.CustomURLSchemes", json!([])),
        ("MessageExportSettings.GlobalRelaySettings.SMTPPassword", json!("p")),
        (mapping, json!({"flagged": ["reviewers"]})),
    ]);
    let patched = patched(&base, &patch, &everything);
    assert_eq!(patched["DisplaySettings"]["CustomURLSchemes"], json!([]));
    assert_eq!(patched["MessageExportSettings"]["GlobalRelaySettings"]["SMTPPassword"], "p");
    assert_eq!(patched["MessageExportSettings"]["GlobalRelaySettings"]["CustomerType"], "A9");
    assert_eq!(given(&patched, mapping), Some(&json!({"flagged": ["reviewers"]})));
}

#[test]
fn a_patch_of_one_plugin_keeps_the_others_and_its_other_keys() {
    let base = running(&[("PluginSettings.Plugins", json!({"one": {"a": 1, "b": 2}, "two": {"c": 3}}))]);
    let patch = with(&[
        ("PluginSettings.Plugins", json!({"one": {"a": 4}})),
        ("PluginSettings.PluginStates", json!({"playbooks": {"Enable": false}})),
    ]);
    let plugins = patched(&base, &patch, &everything)["PluginSettings"].clone();
    assert_eq!(plugins["Plugins"], json!({"one": {"a": 4, "b": 2}, "two": {"c": 3}}));
    assert_eq!(plugins["PluginStates"]["playbooks"]["Enable"], false);
    assert_eq!(plugins["PluginStates"]["com.mattermost.calls"]["Enable"], true);
}

#[test]
fn null_takes_one_key_of_a_plugin_out_and_a_replacement_takes_the_plugin_as_it_is() {
    let plugins = |plugins: Value| ("PluginSettings.Plugins", plugins);
    let base = running(&[plugins(json!({"one": {"a": 1, "b": {"c": 2, "d": 3}}}))]);
    let body = with(&[plugins(json!({"one": {"a": null, "b": {"c": 4}, "e": null}}))]);
    assert_eq!(
        patched(&base, &body, &everything),
        running(&[plugins(json!({"one": {"b": {"c": 4}}}))]),
        "a value of a plugin is one value, whatever it consists of"
    );
    let body = with(&[plugins(json!({"one": {"f": 5}})), ("ServiceSettings.SiteURL", json!(""))]);
    assert_eq!(replaced(&base, &body, &everything), running(&[plugins(json!({"one": {"f": 5}}))]));
}

#[test]
fn null_takes_one_plugin_out() {
    let plugins = |plugins: Value| ("PluginSettings.Plugins", plugins);
    let base = running(&[plugins(json!({"one": {"a": 1}, "two": {"b": 2}, "three": {"c": 3}}))]);
    let rest = running(&[plugins(json!({"one": {"a": 4}, "three": {"c": 3}}))]);
    let body =
        with(&[plugins(json!({"one": {"a": 4}, "two": null, "four": null})), ("ServiceSettings.SiteURL", json!(""))]);
    assert_eq!(patched(&base, &body, &everything), rest);
    assert_eq!(replaced(&base, &body, &everything), rest);
    let no_plugins = |setting: &Setting| setting.path != "PluginSettings.Plugins";
    assert_eq!(patched(&base, &body, &no_plugins), base);
    assert_eq!(replaced(&base, &body, &no_plugins), base);
}

#[test]
fn what_may_not_be_written_keeps_its_value() {
    let base = running(&[]);
    let not_the_name = |setting: &Setting| setting.path != "TeamSettings.SiteName";
    let not_the_relay = |setting: &Setting| setting.path != "MessageExportSettings.GlobalRelaySettings";
    let name = with(&[("TeamSettings.SiteName", json!("Bridge"))]);
    let relay = with(&[("MessageExportSettings.GlobalRelaySettings.SMTPPassword", json!("p"))]);
    assert_eq!(patched(&base, &name, &not_the_name), base);
    assert_eq!(patched(&base, &relay, &not_the_relay), base);
    let running = running(&[("TeamSettings.SiteName", json!("Bridge"))]);
    let replaced = replaced(&running, &with(&[("ServiceSettings.SiteURL", json!(""))]), &not_the_name);
    assert_eq!(replaced["TeamSettings"]["SiteName"], "Bridge");
}

#[test]
fn no_request_changes_a_feature_flag() {
    let base = running(&[]);
    let patch = with(&[("FeatureFlags.TestFeature", json!("on"))]);
    assert_eq!(patched(&base, &patch, &everything), base);
}

#[test]
fn a_replacement_sets_what_it_leaves_out_to_its_default() {
    let running = running(&[
        ("TeamSettings.SiteName", json!("Bridge")),
        ("TeamSettings.MaxUsersPerTeam", json!(7)),
        ("ElasticsearchSettings.BulkIndexingTimeWindowSeconds", json!(5)),
    ]);
    let body = with(&[("ServiceSettings.SiteURL", json!("")), ("TeamSettings.SiteName", Value::Null)]);
    assert_eq!(replaced(&running, &body, &everything), defaults());
}

#[test]
fn a_replacement_takes_the_same_defaults_with_and_without_a_site_url() {
    let running = running(&[("ServiceSettings.SessionLengthWebInHours", json!(1))]);
    assert_eq!(replaced(&running, &Document::new(), &everything), defaults());
    assert_eq!(replaced(&running, &with(&[("ServiceSettings.SiteURL", json!(""))]), &everything), defaults());
}

#[test]
fn a_default_that_follows_another_setting_follows_the_body() {
    let body = with(&[("ServiceSettings.SessionLengthWebInDays", json!(10)), ("LdapSettings.Enable", json!(true))]);
    let replaced = replaced(&running(&[("ServiceSettings.SessionLengthMobileInDays", json!(5))]), &body, &everything);
    assert_eq!(replaced["ServiceSettings"]["SessionLengthWebInHours"], 240);
    assert_eq!(replaced["ServiceSettings"]["SessionLengthMobileInHours"], 720);
    assert_eq!(replaced["LdapSettings"]["EnableSync"], true);
    assert_eq!(replaced["TeamSettings"]["TeammateNameDisplay"], "full_name");
}

#[test]
fn a_replacement_keeps_what_would_be_lost() {
    let running = running(&[
        ("EmailSettings.SMTPPassword", json!("mail")),
        ("FileSettings.PublicLinkSalt", json!("salt")),
        ("SqlSettings.AtRestEncryptKey", json!("rest")),
        ("SqlSettings.DriverName", json!("postgres")),
        ("SqlSettings.DataSource", json!("postgres://db")),
        ("SqlSettings.DataSourceReplicas", json!(["postgres://replica"])),
        ("SqlSettings.ReplicaLagSettings", json!([{"DataSource": "postgres://lag"}])),
        ("PluginSettings.Plugins", json!({"one": {"a": 1}, "two": {}})),
        ("PluginSettings.PluginStates", json!({"playbooks": {"Enable": false}})),
    ]);
    let body = with(&[("ServiceSettings.SiteURL", json!(""))]);
    assert_eq!(replaced(&running, &body, &everything), running);
    let body = with(&[("PluginSettings.Plugins", json!({"one": {}})), ("EmailSettings.SMTPPassword", json!(""))]);
    let replaced = replaced(&running, &body, &everything);
    assert_eq!(replaced["PluginSettings"]["Plugins"], json!({"one": {}, "two": {}}));
    assert_eq!(replaced["EmailSettings"]["SMTPPassword"], "");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn nothing_patched_is_nothing_changed(document in documents()) {
        prop_assert_eq!(patched(&document, &Document::new(), &everything), document);
    }

    #[test]
    fn patching_twice_is_patching_once(base in documents(), patch in patches()) {
        let once = patched(&base, &patch, &everything);
        prop_assert_eq!(patched(&once, &patch, &everything), once);
    }

    #[test]
    fn replacing_a_document_by_itself_changes_nothing(running in documents()) {
        // A running document has been corrected.
        let running = fixed(&running);
        prop_assert_eq!(replaced(&running, &running, &everything), running);
    }

    #[test]
    fn nothing_changes_while_nothing_may_be_written(running in documents(), body in patches()) {
        prop_assert_eq!(patched(&running, &body, &|_| false), running.clone());
        prop_assert_eq!(replaced(&running, &body, &|_| false), running);
    }
}
