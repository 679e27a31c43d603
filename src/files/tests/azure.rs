//! Tests against a real server for Azure Blob Storage and checks signatures.

use bytes::Bytes;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::storage::report::{Kind, Step};
use quarterdeck_actors::storage::settings::StoreSettings;
use serde_json::{Value, json};

use super::peers::{ACCOUNT, KEY, azure};
use super::support::{expect_failure, expect_passed, install_cryptography, passed, probed, settings};
use crate::files::azure::Container;
use crate::files::objects::Objects;

#[tokio::test]
async fn a_container_passes_every_step_and_keeps_nothing() {
    let Some(host) = azure() else { return };
    let mut settings = at(host, "passes").await;
    for endpoint in [host.to_owned(), format!("http://{host}/{ACCOUNT}/")] {
        settings.azure_endpoint = endpoint;
        let report = probed(&settings).await;
        expect_passed(&report);
        assert!(passed(&report).contains(&"authenticate"));
        assert_eq!(report.target, format!("http://{host}/{ACCOUNT}/passes/under/here"));
        assert_eq!(report.identity, format!("account {ACCOUNT} with its shared key"));
        assert_eq!(report.note.is_some(), settings.azure_endpoint.contains("://"), "{report:?}");
    }
    assert_eq!(names(&settings).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_key_fails_at_the_credentials() {
    let Some(host) = azure() else { return };
    let mut wrong = at(host, "wrong-key").await;
    wrong.azure_access_key = Secret::new("Y2FuYXJ5LXNlY3JldA==");
    let report = probed(&wrong).await;
    let remedy = "FileSettings.AzureAccessKey";
    expect_failure(&report, Step::Authenticate, Kind::Authentication, Some("AuthorizationFailure"), remedy);
}

#[tokio::test]
async fn a_container_that_is_not_there_is_said_to_be_missing() {
    let Some(host) = azure() else { return };
    let report = probed(&with(host, "nowhere")).await;
    expect_failure(&report, Step::Bucket, Kind::Missing, Some("ContainerNotFound"), "FileSettings.AzureContainer");
}

#[tokio::test]
async fn large_blobs_are_written_in_blocks() {
    let Some(host) = azure() else { return };
    let settings = at(host, "large").await;
    let container = Container::open(&settings).unwrap();
    let content = Bytes::from((0..9 << 20).map(|number: u32| number.to_le_bytes()[1]).collect::<Vec<_>>());
    container.write("a b/ü", content.clone()).await.unwrap();
    assert_eq!(container.read("a b/ü").await.unwrap(), content);
    assert_eq!(names(&settings).await, ["under/here/a b/ü"]);
    container.delete("a b/ü").await.unwrap();
    container.delete("a b/ü").await.unwrap();
    assert_eq!(container.read("a b/ü").await.unwrap_err().code.as_deref(), Some("BlobNotFound"));
}

#[tokio::test]
async fn an_account_that_does_not_exist_has_no_address() {
    let unknown = settings(json!({
        "DriverName": "azureblob",
        "AzureStorageAccount": "nobodyinvalid",
        "AzureContainer": "files",
        "AzureAccessKey": KEY,
    }));
    let container = Container::open(&unknown).unwrap();
    assert_eq!(container.endpoint().unwrap().host, "nobodyinvalid.blob.core.windows.net");
    assert_eq!(container.about().place, "FileSettings.AzureStorageAccount");
}

#[tokio::test]
async fn settings_that_make_no_sense_reach_no_host() {
    for (wrong, remedy) in [
        (json!({"AzureStorageAccount": ""}), "FileSettings.AzureStorageAccount"),
        (json!({"AzureContainer": ""}), "FileSettings.AzureContainer"),
        (json!({"AzureAccessKey": ""}), "FileSettings.AzureAccessKey"),
        (json!({"AzureAccessKey": "canary-secret!"}), "FileSettings.AzureAccessKey"),
        (json!({"AzureCloud": "custom"}), "FileSettings.AzureEndpoint"),
        (json!({"AzureEndpoint": "ftp://example.com"}), "FileSettings.AzureEndpoint"),
        (
            json!({"AzureEndpoint": "http://169.254.169.254/latest/meta-data/iam/security-credentials/"}),
            "FileSettings.AzureEndpoint",
        ),
        (json!({"AzureEndpoint": "127.0.0.1:1/quarterdeck/more"}), "FileSettings.AzureEndpoint"),
        (json!({"AzureEndpoint": "http://127.0.0.1:1/?comp=list"}), "FileSettings.AzureEndpoint"),
        (json!({"AzureEndpoint": "http://127.0.0.1:1/#x"}), "FileSettings.AzureEndpoint"),
        (json!({"AzureEndpoint": "http://user:word@127.0.0.1:1"}), "FileSettings.AzureEndpoint"),
        (json!({"AzureEndpoint": "user@127.0.0.1:1"}), "FileSettings.AzureEndpoint"),
        (json!({"AzureEndpoint": "http://127.0.0.1:1\\x"}), "FileSettings.AzureEndpoint"),
        (json!({"AzureEndpoint": "http://127.0.0.1:1/%2e%2e"}), "FileSettings.AzureEndpoint"),
        (json!({"AzureContainer": "../another"}), "FileSettings.AzureContainer"),
        (json!({"AzureContainer": "a/b"}), "FileSettings.AzureContainer"),
        (json!({"AzureContainer": "a?x"}), "FileSettings.AzureContainer"),
        (json!({"AzureContainer": ".."}), "FileSettings.AzureContainer"),
        (json!({"AzureStorageAccount": "evil.invalid/"}), "FileSettings.AzureStorageAccount"),
        (json!({"AzureStorageAccount": "evil.invalid#"}), "FileSettings.AzureStorageAccount"),
        (json!({"AzureStorageAccount": "evil.invalid:443/x"}), "FileSettings.AzureStorageAccount"),
        (json!({"AzureAuthMode": "none"}), "FileSettings.AzureAuthMode"),
        (json!({"AzurePathPrefix": "../another-container"}), "FileSettings.AzurePathPrefix"),
    ] {
        expect_failure(&probed(&changed(wrong)).await, Step::Settings, Kind::Unusable, None, remedy);
    }
}

#[tokio::test]
async fn the_identity_of_the_machine_is_shown_to_azure_alone() {
    install_cryptography();
    let provided = |mut more: Value| {
        more["AzureAuthMode"] = "default_credential".into();
        changed(more)
    };
    for elsewhere in [
        json!({"AzureEndpoint": "evil.invalid"}),
        json!({"AzureEndpoint": "https://evil.invalid/", "AzureCloud": "custom"}),
        json!({"AzureEndpoint": "blob.core.windows.net.evil.invalid"}),
        json!({"AzureEndpoint": "evilblob.core.windows.net.invalid"}),
        json!({"AzureEndpoint": "http://files.blob.core.windows.net"}),
        json!({"AzureEndpoint": "https://files.blob.core.windows.net:8443"}),
        json!({"AzureEndpoint": "https://files.cloudapp.azure.com"}),
        json!({"AzureSSL": false}),
    ] {
        let report = probed(&provided(elsewhere)).await;
        expect_failure(&report, Step::Settings, Kind::Unusable, None, "FileSettings.AzureAuthMode");
    }
    for azure in [
        json!({}),
        json!({"AzureCloud": "government"}),
        json!({"AzureEndpoint": "https://files.blob.core.windows.net"}),
        json!({"AzureEndpoint": "https://files.blob.core.chinacloudapi.cn", "AzureCloud": "custom"}),
    ] {
        assert!(Container::open(&provided(azure)).is_ok());
    }
}

#[tokio::test]
async fn a_host_that_was_typed_is_no_metadata_service() {
    install_cryptography();
    for host in ["169.254.169.254", "http://169.254.169.254:80", "[fe80::1]", "metadata.google.internal", "2852039166"]
    {
        let typed = changed(json!({"AzureEndpoint": host}));
        let report = probed(&typed).await;
        let code = Some("ForbiddenAddress");
        expect_failure(&report, Step::Settings, Kind::Unusable, code, "FileSettings.AzureEndpoint");
        assert!(Container::open(&StoreSettings { is_pinned: true, ..typed }).is_ok(), "the operator's own word");
    }
}

#[test]
fn each_cloud_has_its_host() {
    install_cryptography();
    for (more, target) in [
        (json!({}), "https://quarterdeck.blob.core.windows.net/files"),
        (json!({"AzureCloud": "government"}), "https://quarterdeck.blob.core.usgovcloudapi.net/files"),
        (json!({"AzureEndpoint": "/h:1/", "AzureSSL": false}), "http://h:1/quarterdeck/files"),
        (json!({"AzureCloud": "custom", "AzureEndpoint": "https://own.example"}), "https://own.example/files"),
    ] {
        assert_eq!(Container::open(&changed(more)).unwrap().about().target, target);
    }
}

fn changed(more: Value) -> StoreSettings {
    let mut all = json!({
        "DriverName": "azureblob",
        "AzureStorageAccount": ACCOUNT,
        "AzureContainer": "files",
        "AzureAccessKey": KEY,
    });
    let Value::Object(more) = more else { unreachable!("an object") };
    all.as_object_mut().unwrap().extend(more);
    settings(all)
}

pub(super) fn with(host: &str, container: &str) -> StoreSettings {
    install_cryptography();
    changed(json!({
        "AzureContainer": container,
        "AzureEndpoint": host,
        "AzureSSL": false,
        "AzurePathPrefix": "under/here",
    }))
}

/// Creates a container with this name and returns its settings.
pub(super) async fn at(host: &str, container: &str) -> StoreSettings {
    let settings = with(host, container);
    Container::open(&settings).unwrap().client().create(None).await.unwrap();
    settings
}

/// Returns the names of all blobs in the container.
pub(super) async fn names(settings: &StoreSettings) -> Vec<String> {
    use futures_util::TryStreamExt;
    let container = Container::open(settings).unwrap();
    let pages: Vec<_> = container.client().list_blobs(None).unwrap().try_collect().await.unwrap();
    pages.into_iter().filter_map(|blob| blob.name).collect()
}
