use serde_json::json;

use super::super::document::insert;
use super::super::effective::Config;
use super::super::restored::restored;
use super::*;

fn stored(values: &[(&str, Value)]) -> Stored {
    let mut document = Document::new();
    for (path, value) in values {
        insert(&mut document, path, value.clone());
    }
    Stored::new("version".to_owned(), document)
}

fn variables(variables: &[(&str, &str)]) -> Overrides {
    let mut overrides = Overrides::new();
    for (name, text) in variables {
        overrides.pin_plugin_setting(name, (*text).to_owned(), format!("environment variable {PLUGIN_VARIABLE}{name}"));
    }
    overrides
}

fn config(plugins: &Value, overrides: Overrides) -> Result<Config, String> {
    Config::compose(Some(stored(&[(PLUGINS, plugins.clone())])), overrides).map_err(|cause| cause.to_string())
}

fn plugin(config: &Config, id: &str) -> Value {
    given(&config.document, PLUGINS).and_then(|plugins| plugins.get(id)).cloned().unwrap_or_default()
}

#[test]
fn a_variable_sets_one_setting_of_the_plugin_with_the_longest_name() {
    let plugins = json!({
        "com.example": { "two_key": "a" },
        "com.example-two": { "Key": "b", "other": 1 },
    });
    let config = config(&plugins, variables(&[("Com_Example_Two_key", "new"), ("COM_EXAMPLE_THREE", "c")])).unwrap();
    assert_eq!(plugin(&config, "com.example-two"), json!({ "Key": "new", "other": 1 }));
    assert_eq!(plugin(&config, "com.example"), json!({ "two_key": "a", "three": "c" }));
}

#[test]
fn a_plugin_that_only_has_a_state_is_known_and_any_other_is_named() {
    let overrides = variables(&[("COM_MATTERMOST_CALLS_ICEHOSTOVERRIDE", "192.0.2.1"), ("NEVER_SEEN_KEY", "x")]);
    let config = config(&json!({}), overrides).unwrap();
    assert_eq!(plugin(&config, "com.mattermost.calls"), json!({ "icehostoverride": "192.0.2.1" }));
    let unknown = config.overrides.unknown_plugins(&config.document);
    let place = "environment variable MM_PLUGINSETTINGS_PLUGINS_NEVER_SEEN_KEY";
    assert_eq!(unknown, [format!("{place}: no known plugin has this name, so it has no effect")]);
}

#[test]
fn a_change_after_which_a_variable_would_set_another_plugin_is_named() {
    let overrides = variables(&[("COM_X_SECRET_KEY", "canary")]);
    let document = |plugins: Value| stored(&[(PLUGINS, plugins)]).document;
    let before = document(json!({ "com.x": { "url": "u" } }));
    let redirected = |plugins: Value| overrides.redirected(&before, &document(plugins));
    assert!(redirected(json!({ "com.x": { "url": "v", "SECRET_KEY": "w" }, "com.y": {} })).is_empty());
    assert!(redirected(json!({})).is_empty());
    let place = "environment variable MM_PLUGINSETTINGS_PLUGINS_COM_X_SECRET_KEY";
    let moved = redirected(json!({ "com.x": {}, "com.x.secret": { "url": "evil" } }));
    assert_eq!(moved, [format!("{place}: it sets secret_key of the plugin com.x, and would set key of com.x.secret")]);
    assert_eq!(redirected(json!({ "com.x": {}, "com-x": {} })).len(), 1, "two plugins of this name");
    assert_eq!(redirected(json!({ "com.x": { "secret_key": true } })).len(), 1, "a text for a switch");
}

#[test]
fn a_variable_whose_plugin_was_removed_means_no_other_one_afterwards() {
    let variables = || variables(&[("COM_X_SECRET_KEY", "canary")]);
    let place = "environment variable MM_PLUGINSETTINGS_PLUGINS_COM_X_SECRET_KEY";
    let reason = format!("{place}: it was for the plugin com.x, which was removed, and would set key of com.x.secret");
    let known = config(&json!({ "com.x": {} }), variables()).unwrap();
    let removed = known.with_stored(stored(&[(PLUGINS, json!({}))])).unwrap();
    // The variables are read again by a reload, and also then they are those of the same plugins.
    let mut read_again = variables();
    read_again.remember(&removed.overrides);
    for overrides in [&removed.overrides, &read_again] {
        let redirected =
            |plugins: Value| overrides.redirected(&removed.document, &stored(&[(PLUGINS, plugins)]).document);
        assert_eq!(redirected(json!({ "com.x.secret": { "url": "evil" } })), [reason.as_str()]);
        assert!(redirected(json!({ "com.x": {}, "com.y": {} })).is_empty(), "its own plugin may come back");
    }
    // A variable for a plugin that was never there means the first one of its name.
    let fresh = config(&json!({}), variables()).unwrap();
    let first = stored(&[(PLUGINS, json!({ "com.x.secret": {} }))]).document;
    assert!(fresh.overrides.redirected(&fresh.document, &first).is_empty());
}

#[test]
fn every_value_of_a_variable_is_masked_and_taken_back() {
    let plugins = json!({ "one": { "url": "stored", "port": 1, "hosts": ["a"], "on": false, "name": "shown" } });
    let pinned = [("ONE_URL", "https://u:p@host"), ("ONE_PORT", "2"), ("ONE_HOSTS", "[\"b\"]"), ("ONE_ON", "true")];
    let config = config(&plugins, variables(&pinned)).unwrap();
    let masked = config.masked();
    let seen = given(&masked, PLUGINS).unwrap();
    let mask = PLACEHOLDER;
    assert_eq!(*seen, json!({ "one": { "url": mask, "port": mask, "hosts": mask, "on": true, "name": "shown" } }));
    let back = restored(&masked, &config.document);
    assert_eq!(back.document, config.document);
    assert!(back.unset.is_empty() && back.ambiguous.is_empty(), "{back:?}");
    let storable = config.storable(&back.document, &Document::new());
    assert_eq!(given(&storable, PLUGINS), Some(&plugins), "no value of a variable is stored");
}

#[test]
fn an_ambiguous_name_is_refused() {
    let plugins = json!({ "com.example-two": {}, "com.example.two": {} });
    let refused = config(&plugins, variables(&[("COM_EXAMPLE_TWO_KEY", "x")])).unwrap().unclear().concat();
    assert!(refused.contains("plugins com.example-two and com.example.two"), "{refused}");
    let keys = json!({ "one": { "a.b": 1, "a-b": 2 } });
    let refused = config(&keys, variables(&[("ONE_A_B", "3")])).unwrap().unclear().concat();
    assert!(refused.contains("keys a-b and a.b"), "{refused}");
}

#[test]
fn a_text_takes_the_type_of_the_stored_value() {
    let plugins = json!({ "one": { "text": "x", "switch": true, "size": 1, "list": [], "map": {}, "none": null } });
    let texts = [
        ("ONE_TEXT", "12"),
        ("ONE_SWITCH", "false"),
        ("ONE_SIZE", "2"),
        ("ONE_LIST", "[1]"),
        ("ONE_MAP", "{\"a\":1}"),
        ("ONE_NEW", "true"),
        ("ONE_QUOTED", "\"12\""),
        ("ONE_WORD", "word"),
    ];
    let composed = config(&plugins, variables(&texts)).unwrap();
    let expected = json!({
        "text": "12", "switch": false, "size": 2, "list": [1], "map": { "a": 1 },
        "new": true, "quoted": "12", "word": "word",
    });
    assert_eq!(plugin(&composed, "one"), expected);
    for (name, text, wanted) in [("ONE_SWITCH", "canary", "true or false"), ("ONE_SIZE", "canary", "a number")] {
        let refused = config(&plugins, variables(&[(name, text)])).unwrap().unclear().concat();
        assert!(refused.contains(name) && refused.contains(wanted) && !refused.contains("canary"), "{refused}");
    }
}

#[test]
fn an_overriding_value_of_a_plugin_is_never_stored() {
    let overrides = variables(&[("ONE_KEY", "pinned"), ("COM_MATTERMOST_CALLS_KEY", "pinned")]);
    let running = config(&json!({ "one": { "key": "stored", "other": 1 } }), overrides).unwrap();
    let storable = |wanted: &Document| running.storable(wanted, &Document::new())["PluginSettings"]["Plugins"].clone();
    assert_eq!(storable(&running.document), json!({ "one": { "key": "stored", "other": 1 } }));
    let mut wanted = running.document.clone();
    insert(&mut wanted, "PluginSettings.Plugins", json!({ "one": { "key": "new", "other": 2 }, "two": {} }));
    assert_eq!(storable(&wanted), json!({ "one": { "key": "stored", "other": 2 }, "two": {} }));
}

#[test]
fn custom_defaults_stand_in_for_what_is_not_stored() {
    let defaults = || stored(&[("TeamSettings.SiteName", json!("custom")), ("TeamSettings.MaxUsersPerTeam", json!(7))]);
    let overrides = Overrides::new().with_defaults(defaults().document, "custom.json".to_owned());
    let first = Config::compose(None, overrides.clone()).unwrap();
    assert_eq!((first.view.team.site_name.as_str(), first.version()), ("custom", "default"));
    let later = Config::compose(Some(stored(&[("TeamSettings.SiteName", json!("stored"))])), overrides).unwrap();
    assert_eq!(later.view.team.site_name, "stored");
    assert_eq!(later.document["TeamSettings"]["MaxUsersPerTeam"], 7);
    assert_eq!(later.document["PasswordSettings"]["MinimumLength"], 8, "built in");
}

#[test]
fn values_of_variables_and_custom_defaults_are_not_printed() {
    let overrides = variables(&[("ONE_KEY", "canary")])
        .with_defaults(stored(&[(PLUGINS, json!("canary"))]).document, String::new());
    assert!(!format!("{overrides:?}").contains("canary"));
}
