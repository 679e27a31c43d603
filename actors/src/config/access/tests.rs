use proptest::prelude::*;
use serde_json::json;

use super::super::arbitrary::{documents, settings_of};
use super::super::secrets::masked;
use super::super::table::{defaults, settings};
use super::*;

fn setting(path: &str) -> &'static Setting {
    &settings()[path]
}

fn with(permission: &str) -> impl Fn(&str) -> bool {
    let granted = permission.to_owned();
    move |wanted| wanted == granted
}

fn document(value: &Value) -> Document {
    value.as_object().cloned().unwrap()
}

#[test]
fn any_of_the_areas_of_a_setting_suffices_in_its_direction() {
    let site_url = setting("ServiceSettings.SiteURL");
    assert!(may_read(site_url, &with("sysconsole_read_environment_web_server"), true));
    assert!(may_read(site_url, &with("sysconsole_read_authentication_saml"), true));
    assert!(!may_read(site_url, &with("sysconsole_write_environment_web_server"), true));
    assert!(may_write(site_url, &with("sysconsole_write_environment_web_server"), false));
    assert!(!may_write(site_url, &with("sysconsole_read_environment_web_server"), false));
    assert!(may_read(site_url, &with("manage_system"), false));
}

#[test]
fn a_setting_without_an_area_takes_manage_system() {
    let websocket_url = setting("ServiceSettings.WebsocketURL");
    assert!(!may_read(websocket_url, &with("sysconsole_read_write_restrictable"), true));
    assert!(!may_write(websocket_url, &with("sysconsole_write_write_restrictable"), false));
    assert!(may_read(websocket_url, &with("manage_system"), true));
    assert!(may_write(websocket_url, &with("manage_system"), false));
}

#[test]
fn feature_flags_are_for_every_reader_and_for_few_writers() {
    let flags = setting("FeatureFlags");
    assert!(may_read(flags, &|_| false, true));
    assert!(!may_read(flags, &|_| false, false));
    assert!(!may_write(flags, &with("sysconsole_write_plugins"), false));
}

#[test]
fn nobody_writes_a_restrictable_setting_while_the_administrator_is_restricted() {
    let everything = |_: &str| true;
    assert!(!may_write(setting("ServiceSettings.SiteURL"), &everything, true));
    assert!(!may_write(setting("ServiceSettings.WebsocketURL"), &everything, true));
    assert!(may_write(setting("TeamSettings.SiteName"), &everything, true));
    assert!(may_read(setting("ServiceSettings.SiteURL"), &everything, true));
}

#[test]
fn what_may_not_be_read_is_null_or_empty_and_stays_in_its_place() {
    let read = readable(&defaults(), &|_| false);
    assert_eq!(read["TeamSettings"]["SiteName"], Value::Null);
    assert_eq!(read["RateLimitSettings"]["VaryByHeader"], "");
    assert_eq!(read["ClientRequirements"]["IosMinVersion"], "");
    assert_eq!(read["MessageExportSettings"]["GlobalRelaySettings"], Value::Null);
    assert_eq!(read["PluginSettings"]["Plugins"], Value::Null);
    assert_eq!(read.get("FeatureFlags"), None);
    assert_eq!(read.len(), 45);
}

#[test]
fn a_nested_section_is_read_as_a_whole_by_its_own_row() {
    let document = settings_of(
        defaults(),
        [("MessageExportSettings.GlobalRelaySettings.EmailAddress", json!("relay@example.com"))],
    );
    let read = readable(&document, &|setting| setting.path == "MessageExportSettings.GlobalRelaySettings");
    assert_eq!(read["MessageExportSettings"]["GlobalRelaySettings"]["EmailAddress"], "relay@example.com");
    assert_eq!(read["MessageExportSettings"]["EnableExport"], Value::Null);
}

#[test]
fn what_the_table_lacks_is_never_read() {
    let stray = document(&json!({"Stray": 1, "TeamSettings": {"Stray": 1}}));
    assert_eq!(Value::Object(readable(&stray, &|_| true)), json!({"TeamSettings": {}}));
}

#[test]
fn the_difference_from_the_defaults_compares_maps_by_key_and_lists_as_a_whole() {
    let document = settings_of(
        defaults(),
        [
            ("PluginSettings.PluginStates", json!({"playbooks": {"Enable": false}})),
            ("DisplaySettings.CustomURLSchemes", json!(["git"])),
        ],
    );
    assert_eq!(
        Value::Object(pruned(&without_defaults(&document))),
        json!({
            "PluginSettings": {"PluginStates": {"playbooks": {"Enable": false}}},
            "DisplaySettings": {"CustomURLSchemes": ["git"]},
        })
    );
}

#[test]
fn a_new_server_shows_six_placeholders_beside_its_defaults() {
    let shown = pruned(&without_defaults(&masked(&defaults())));
    assert_eq!(count(&shown), 6);
    assert_eq!(count(&pruned(&without_masked(&shown))), 0);
}

#[test]
fn placeholders_are_left_out_at_any_depth_but_not_in_lists() {
    let masked = document(&json!({"a": PLACEHOLDER, "b": {"c": {"d": PLACEHOLDER, "e": 1}}, "f": [PLACEHOLDER]}));
    assert_eq!(Value::Object(without_masked(&masked)), json!({"b": {"c": {"e": 1}}, "f": [PLACEHOLDER]}));
}

#[test]
fn pruning_leaves_no_null_no_empty_section_and_no_empty_list() {
    let full = document(&json!({"a": null, "b": {"c": {"d": []}, "e": {}}, "f": false, "g": "", "h": [null]}));
    assert_eq!(Value::Object(pruned(&full)), json!({"f": false, "g": "", "h": [null]}));
}

#[test]
fn flags_stand_where_the_settings_stand() {
    let paths = ["ServiceSettings.SiteURL", "SqlSettings.DataSource", "ServiceSettings.EnableTesting"];
    let expected = json!({
        "ServiceSettings": {"SiteURL": true, "EnableTesting": true}, "SqlSettings": {"DataSource": true},
    });
    assert_eq!(flagged(paths).map(Value::Object), Some(expected));
    assert_eq!(flagged([]), None);
}

fn count(document: &Document) -> usize {
    document.values().map(|value| value.as_object().map_or(1, count)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn who_may_read_everything_reads_the_whole_document(document in documents()) {
        prop_assert_eq!(readable(&document, &|_| true), document);
    }
}
