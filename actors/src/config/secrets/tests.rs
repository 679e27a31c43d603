use serde_json::json;

use super::super::arbitrary::settings_of;
use super::super::table::defaults;
use super::*;

fn stored() -> Document {
    settings_of(
        defaults(),
        [
            ("EmailSettings.SMTPPassword", json!("mail")),
            ("SqlSettings.DataSourceReplicas", json!(["one", "two"])),
            ("SqlSettings.ReplicaLagSettings", json!([{"DataSource": "lag", "QueryTimeLag": "select 1"}])),
            (
                "PluginSettings.Plugins",
                json!({"com.example.keys": {
                    "apitoken": "t", "enabletokens": true, "Name": "n", "Hosts": [{"Password": "p", "Port": 1}],
                }}),
            ),
        ],
    )
}

fn with(path: &str, value: Value) -> Document {
    settings_of(Document::new(), [(path, value)])
}

#[test]
fn a_secret_is_hidden_and_what_is_none_is_shown() {
    let masked = masked(&stored());
    assert_eq!(masked["EmailSettings"]["SMTPPassword"], PLACEHOLDER);
    assert_eq!(masked["EmailSettings"]["SMTPUsername"], "");
    assert_eq!(masked["SqlSettings"]["DataSourceReplicas"], json!([PLACEHOLDER, PLACEHOLDER]));
    assert_eq!(
        masked["SqlSettings"]["ReplicaLagSettings"],
        json!([{"DataSource": PLACEHOLDER, "QueryTimeLag": "select 1"}])
    );
}

#[test]
fn an_address_of_redis_is_hidden_if_it_contains_a_password_as_earlier_versions_stored_it() {
    let shown = |address: &str| masked(&with("CacheSettings.RedisAddress", json!(address)))["CacheSettings"].clone();
    for address in ["redis://chat:planted@cache", "chat:planted@cache:6379", "cache:6380,password=planted"] {
        assert_eq!(shown(address)["RedisAddress"], PLACEHOLDER, "{address}");
    }
    for address in ["", "cache:6379", "redis://chat@cache:6379", "rediss://[::1]:2", "cache/1"] {
        assert_eq!(shown(address)["RedisAddress"], address);
    }
}

#[test]
fn an_empty_secret_is_hidden_where_the_contract_hides_it() {
    let masked = masked(&defaults());
    let always = [
        ("CacheSettings", "RedisPassword"),
        ("ElasticsearchSettings", "Password"),
        ("FileSettings", "PublicLinkSalt"),
        ("ServiceSettings", "SplitKey"),
        ("SqlSettings", "AtRestEncryptKey"),
        ("SqlSettings", "DataSource"),
    ];
    for (section, key) in always {
        assert_eq!(masked[section][key], PLACEHOLDER, "{section}.{key}");
    }
    let text = serde_json::to_string(&masked).unwrap();
    assert_eq!(text.matches(PLACEHOLDER).count(), always.len());
}

#[test]
fn the_secrets_that_others_forget_are_hidden() {
    let left_out = [
        "AutoTranslationSettings.LibreTranslate.APIKey",
        "ElasticsearchSettings.ClientKey",
        "FileSettings.AzureAccessKey",
        "FileSettings.ExportAmazonS3SecretAccessKey",
        "FileSettings.ExportAzureAccessKey",
        "ImageProxySettings.RemoteImageProxyOptions",
        "ServiceSettings.GiphySdkKey",
        "ServiceSettings.GoogleDeveloperKey",
    ];
    for path in left_out {
        assert_eq!(masked(&with(path, json!("s"))), with(path, json!(PLACEHOLDER)), "{path}");
    }
}

#[test]
fn the_secret_keys_of_a_plugin_are_hidden_at_any_depth_but_switches_are_shown() {
    assert_eq!(
        masked(&stored())["PluginSettings"]["Plugins"],
        json!({"com.example.keys": {
            "apitoken": PLACEHOLDER, "enabletokens": true, "Name": "n", "Hosts": [{"Password": PLACEHOLDER, "Port": 1}],
        }})
    );
}

#[test]
fn a_secret_that_is_no_setting_is_hidden_by_its_name() {
    let Value::Object(newer) = json!({
        "NewerSettings": { "ApiToken": "t", "Name": "n" }, "EmailSettings": { "NewerPassword": "p", "Newer": "n" },
    }) else {
        unreachable!()
    };
    let expected = json!({
        "NewerSettings": { "ApiToken": PLACEHOLDER, "Name": "n" },
        "EmailSettings": { "NewerPassword": PLACEHOLDER, "Newer": "n" },
    });
    assert_eq!(Value::Object(masked(&newer)), expected);
}

#[test]
fn null_stays_null() {
    let unset = with("EmailSettings.SMTPPassword", Value::Null);
    assert_eq!(masked(&unset), unset);
}

#[test]
fn the_texts_of_secrets_are_found_at_every_depth() {
    let document = json!({
        "EmailSettings": { "SMTPPassword": "one", "SMTPServer": "host" },
        "SqlSettings": { "DataSourceReplicas": ["two", ""] },
        "PluginSettings": { "Plugins": { "any": { "secret": { "deep": ["three"] }, "plain": "four" } } },
    });
    let found: Vec<Secret> = texts(document.as_object().unwrap());
    let mut found: Vec<&str> = found.iter().map(Secret::expose).collect();
    found.sort_unstable();
    assert_eq!(found, ["one", "three", "two"]);
}
