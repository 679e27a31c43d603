use serde_json::json;

use super::*;
use crate::config::document::remove;
use crate::config::secrets::masked;

const READS_ALL: &dyn Fn(&Setting) -> bool = &|_| true;

const BOTH: [(Store, &str); 2] = [(Store::Files, ""), (Store::Exports, "Export")];

#[test]
fn without_a_document_the_settings_in_force_are_tried() {
    let running = running("", "s3");
    assert_eq!(proposed(None, Store::Files, &running, READS_ALL).unwrap(), running.store(Store::Files));
    let refused = proposed(None, Store::Files, &with(&running, "AmazonS3Bucket", json!("")), READS_ALL).unwrap_err();
    assert_eq!(refused.id, "api.admin.test_s3.missing_s3_bucket");
}

#[test]
fn every_setting_that_all_clients_know_must_be_given_in_its_kind() {
    let running = running("", "s3");
    let mandatory: Vec<&Setting> = section().filter(|setting| is_known_to_all(setting)).collect();
    assert_eq!(mandatory.len(), 43);
    for setting in mandatory {
        for broken in [json!(null), json!([])] {
            let mut submitted = running.document.clone();
            insert(&mut submitted, &setting.path, broken);
            let refused = proposed(Some(&submitted), Store::Files, &running, READS_ALL).unwrap_err();
            assert_eq!((refused.id.as_ref(), refused.params[0].1.as_str()), (INCOMPLETE, key(setting)));
        }
    }
    for submitted in [json!({}), json!({ "FileSettings": 1 }), json!({ "FileSettings": {} })] {
        assert_eq!(proposed(submitted.as_object(), Store::Files, &running, READS_ALL).unwrap_err().id, INCOMPLETE);
    }
}

#[test]
fn what_older_clients_leave_out_is_as_it_is_in_force() {
    let running = with(&running("", "s3"), "AzureContainer", json!("files"));
    let mut submitted = masked(&running.document);
    for setting in section().filter(|setting| !is_known_to_all(setting)) {
        remove(&mut submitted, &setting.path);
    }
    let settings = proposed(Some(&submitted), Store::Files, &running, READS_ALL).unwrap();
    assert_eq!(settings.azure_container, "files");
    assert_eq!(settings.amazon_s3_secret_access_key.expose(), "hunter2");
}

#[test]
fn what_a_client_leaves_out_and_may_not_read_goes_to_no_other_host() {
    for (store, prefix) in BOTH {
        let running = running(prefix, "azure");
        let unread = store.path("AzurePathPrefix");
        let reads_others = |setting: &Setting| setting.path != unread;
        let mut submitted = masked(&running.document);
        remove(&mut submitted, &unread);
        let settings = proposed(Some(&submitted), store, &running, &reads_others).unwrap();
        assert_eq!(settings, running.store(store));
        insert(&mut submitted, &store.path("AzureEndpoint"), json!("elsewhere"));
        insert(&mut submitted, &store.path("AzureAccessKey"), json!("ZW50ZXJlZA=="));
        let refused = proposed(Some(&submitted), store, &running, &reads_others).unwrap_err();
        assert_eq!((refused.id.as_ref(), refused.params), (OTHER_STORE, vec![("Setting", unread.clone())]));
        assert!(proposed(Some(&submitted), store, &running, READS_ALL).is_ok());
        // The other drivers do not use the setting.
        insert(&mut submitted, &store.path("DriverName"), json!("local"));
        assert!(proposed(Some(&submitted), store, &running, &reads_others).is_ok());
    }
}

#[test]
fn a_driver_must_be_known_and_have_what_it_needs() {
    for (store, prefix) in BOTH {
        let refusal = |driver: &str, changes: &[(&str, Value)]| {
            let running = running(prefix, driver);
            let mut submitted = running.document.clone();
            for (key, value) in changes {
                insert(&mut submitted, &store.path(key), value.clone());
            }
            proposed(Some(&submitted), store, &running, READS_ALL).map_err(|refused| (refused.id, refused.params))
        };
        let named = |key: &str| vec![("Name", store.path(key))];
        assert!(refusal("local", &[]).is_ok());
        let bucket = refusal("s3", &[("AmazonS3Bucket", json!(""))]).unwrap_err();
        assert_eq!(bucket.0, "api.admin.test_s3.missing_s3_bucket");
        for key in ["AzureStorageAccount", "AzureContainer", "AzureAccessKey"] {
            let (id, params) = refusal("azure", &[(key, json!(""))]).unwrap_err();
            assert_eq!((id.as_ref(), params), ("api.admin.test_azure.missing_azure_field", named(key)));
        }
        let identity = [("AzureAccessKey", json!("")), ("AzureAuthMode", json!("default_credential"))];
        assert!(refusal("azure", &identity).is_ok());
        for driver in ["", "gcs"] {
            let (id, params) = refusal("local", &[("DriverName", json!(driver))]).unwrap_err();
            let expected =
                ("api.file.test_connection_unsupported_driver.app_error", vec![("Driver", driver.to_owned())]);
            assert_eq!((id.as_ref(), params), expected);
        }
    }
}

#[test]
fn a_stored_secret_goes_only_where_it_is_in_use() {
    for (store, prefix) in BOTH {
        for (driver, secret, places) in [
            ("s3", "AmazonS3SecretAccessKey", ["AmazonS3Endpoint", "AmazonS3Bucket", "AmazonS3AccessKeyId"]),
            ("azure", "AzureAccessKey", ["AzureStorageAccount", "AzureContainer", "AzureEndpoint"]),
        ] {
            let running = running(prefix, driver);
            let submitted = masked(&running.document);
            let settings = proposed(Some(&submitted), store, &running, READS_ALL).unwrap();
            assert_eq!(settings, running.store(store));
            for place in places {
                let mut elsewhere = submitted.clone();
                insert(&mut elsewhere, &store.path(place), json!("elsewhere"));
                let refused = proposed(Some(&elsewhere), store, &running, READS_ALL).unwrap_err();
                assert_eq!(refused.id, "api.file.test_connection_reenter_secret.app_error");
                assert_eq!(refused.params, [("Name", store.path(secret))]);
                insert(&mut elsewhere, &store.path(secret), json!("entered"));
                assert!(proposed(Some(&elsewhere), store, &running, READS_ALL).is_ok());
            }
        }
    }
}

#[test]
fn a_placeholder_of_another_driver_is_of_no_interest() {
    let running = running("", "s3");
    let mut submitted = masked(&running.document);
    insert(&mut submitted, "FileSettings.DriverName", json!("local"));
    assert!(proposed(Some(&submitted), Store::Files, &running, READS_ALL).is_ok());
}

/// Returns a running configuration with all settings that the driver needs.
fn running(prefix: &str, driver: &str) -> Config {
    let driver = if driver == "s3" {
        "amazons3"
    } else if driver == "azure" {
        "azureblob"
    } else {
        driver
    };
    let values = [
        ("DriverName", driver),
        ("AmazonS3AccessKeyId", "AKIA"),
        ("AmazonS3SecretAccessKey", "hunter2"),
        ("AmazonS3Bucket", "files"),
        ("AzureStorageAccount", "account1"),
        ("AzureContainer", "files"),
        ("AzureAccessKey", "aHVudGVyMg=="),
    ];
    let values = values.map(|(key, value)| (format!("{SECTION}{prefix}{key}"), json!(value)));
    Config::from_overrides(values).unwrap()
}

fn with(running: &Config, key: &str, value: Value) -> Config {
    let mut document = running.document.clone();
    insert(&mut document, &format!("{SECTION}{key}"), value);
    let section = document["FileSettings"].as_object().unwrap();
    Config::from_overrides(section.iter().map(|(key, value)| (format!("{SECTION}{key}"), value.clone()))).unwrap()
}

const REFUSED: &str = "api.file.test_connection_own_credentials.app_error";

#[test]
fn what_the_machine_provides_goes_to_the_provider_over_tls_and_nowhere_else() {
    let id = |running: &Config, changes: &[(&str, Value)]| {
        let mut submitted = running.document.clone();
        for (key, value) in changes {
            insert(&mut submitted, &format!("{SECTION}{key}"), value.clone());
        }
        proposed(Some(&submitted), Store::Files, running, READS_ALL).map_err(|refused| refused.id.into_owned())
    };
    let no_keys =
        with(&with(&running("", "s3"), "AmazonS3AccessKeyId", json!("")), "AmazonS3SecretAccessKey", json!(""));
    for own in ["", "s3.amazonaws.com", "S3.eu-west-1.amazonaws.com:443", "s3.cn-north-1.amazonaws.com.cn"] {
        assert!(id(&no_keys, &[("AmazonS3Endpoint", json!(own)), ("AmazonS3Bucket", json!("other"))]).is_ok(), "{own}");
    }
    for other in [
        "127.0.0.1:9000",
        "amazonaws.com.example",
        "evilamazonaws.com",
        "evil.example/.amazonaws.com",
        "ec2-1-2-3-4.compute-1.amazonaws.com",
    ] {
        let refused = id(&no_keys, &[("AmazonS3Endpoint", json!(other))]);
        assert_eq!(refused.unwrap_err(), REFUSED, "{other}");
        let in_force = with(&no_keys, "AmazonS3Endpoint", json!(other));
        assert_eq!(id(&in_force, &[]).unwrap_err(), REFUSED);
    }
    let region = [("AmazonS3Endpoint", json!("")), ("AmazonS3Region", json!("x@evil.example/"))];
    assert_eq!(id(&no_keys, &region).unwrap_err(), REFUSED);
    assert_eq!(id(&no_keys, &[("AmazonS3SSL", json!(false))]).unwrap_err(), REFUSED);
    let identity = with(&running("", "azure"), "AzureAuthMode", json!("default_credential"));
    assert!(id(&identity, &[("AzureStorageAccount", json!("account2"))]).is_ok());
    assert_eq!(id(&identity, &[("AzureStorageAccount", json!("evil.example/"))]).unwrap_err(), REFUSED);
    assert_eq!(id(&identity, &[("AzureSSL", json!(false))]).unwrap_err(), REFUSED);
    assert!(id(&identity, &[("AzureEndpoint", json!("https://files.blob.core.windows.net"))]).is_ok());
    let plain = id(&identity, &[("AzureEndpoint", json!("http://files.blob.core.windows.net"))]);
    assert_eq!(plain.unwrap_err(), REFUSED);
    let refused = id(&identity, &[("AzureCloud", json!("custom")), ("AzureEndpoint", json!("https://evil.example"))]);
    assert_eq!(refused.unwrap_err(), REFUSED);
    let key = [("AzureAuthMode", json!("shared_key")), ("AzureEndpoint", json!("https://evil.example"))];
    assert!(id(&identity, &[key.to_vec(), vec![("AzureAccessKey", json!("ZW50ZXJlZA=="))]].concat()).is_ok());
}

#[test]
fn a_host_is_pinned_where_the_operators_file_gives_it_and_the_request_leaves_it() {
    for (store, prefix) in BOTH {
        for (driver, endpoint) in [("s3", "AmazonS3Endpoint"), ("azure", "AzureEndpoint")] {
            let typed = running(prefix, driver);
            assert!(!proposed(None, store, &typed, READS_ALL).unwrap().is_pinned, "a default, or saved over the API");
            let values = typed.overrides.iter().map(|(path, pinned)| (path.clone(), pinned.value.clone()));
            let values = values.chain([(store.path(endpoint), json!("169.254.10.1:9000"))]);
            let pinned = Config::from_overrides(values).unwrap();
            assert!(proposed(None, store, &pinned, READS_ALL).unwrap().is_pinned);
            let mut submitted = masked(&pinned.document);
            assert!(proposed(Some(&submitted), store, &pinned, READS_ALL).unwrap().is_pinned);
            insert(&mut submitted, &store.path(endpoint), json!("169.254.10.2:9000"));
            for key in ["AmazonS3SecretAccessKey", "AzureAccessKey"] {
                insert(&mut submitted, &store.path(key), json!("ZW50ZXJlZA=="));
            }
            assert!(!proposed(Some(&submitted), store, &pinned, READS_ALL).unwrap().is_pinned);
        }
    }
}
