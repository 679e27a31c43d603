//! Settings for the tests, and checks of reports.

use std::time::Duration;

use quarterdeck_actors::storage::progress::Progress;
use quarterdeck_actors::storage::report::{Kind, Outcome, Report, Step};
use quarterdeck_actors::storage::settings::{Store, StoreSettings};
use serde_json::{Value, json};

use crate::files::{Limits, Stores, probe};

/// Short time limits that are long enough for a store on the same machine.
pub(super) const LIMITS: Limits = Limits { step: Duration::from_secs(5), whole: Duration::from_secs(10) };

/// Returns the default settings with some of them changed.
pub(super) fn settings(changed: Value) -> StoreSettings {
    let mut all = json!({
        "DriverName": "local",
        "Directory": "./data/",
        "AmazonS3AccessKeyId": "",
        "AmazonS3SecretAccessKey": "",
        "AmazonS3Bucket": "",
        "AmazonS3PathPrefix": "",
        "AmazonS3Region": "",
        "AmazonS3Endpoint": "s3.amazonaws.com",
        "AmazonS3SSL": true,
        "AmazonS3SignV2": false,
        "AmazonS3SSE": false,
        "AmazonS3Trace": false,
        "AmazonS3RequestTimeoutMilliseconds": 30_000,
        "AmazonS3UploadPartSizeBytes": 5_242_880,
        "AmazonS3StorageClass": "",
        "AzureStorageAccount": "",
        "AzureAuthMode": "shared_key",
        "AzureAccessKey": "",
        "AzureContainer": "",
        "AzurePathPrefix": "",
        "AzureCloud": "commercial",
        "AzureEndpoint": "",
        "AzureSSL": true,
        "AzureRequestTimeoutMilliseconds": 30_000,
    });
    let Value::Object(changed) = changed else { unreachable!("an object") };
    all.as_object_mut().unwrap().extend(changed);
    serde_json::from_value(all).unwrap()
}

/// Returns the settings for S3 at an address, without TLS.
pub(in crate::files) fn s3_at(endpoint: &str) -> StoreSettings {
    settings(json!({
        "DriverName": "amazons3",
        "AmazonS3AccessKeyId": "AKIAEXAMPLEEXAMPLE00",
        "AmazonS3SecretAccessKey": "canary-secret",
        "AmazonS3Bucket": "files",
        "AmazonS3Endpoint": endpoint,
        "AmazonS3SSL": false,
    }))
}

/// Opens the store and runs its test.
pub(super) async fn probed(settings: &StoreSettings) -> Report {
    probed_within(settings, LIMITS).await
}

/// Opens the store and runs its test with these time limits.
pub(super) async fn probed_within(settings: &StoreSettings, limits: Limits) -> Report {
    install_cryptography();
    match Stores::objects(settings) {
        Ok(objects) => probe::run(objects, limits, Store::Files, Progress::default()).await,
        Err(failure) => Report::unusable(&settings.driver_name, failure),
    }
}

/// Installs the cryptography provider, as the server does at its start.
pub(super) fn install_cryptography() {
    crate::base::trust::install_provider();
}

/// Returns the names of the steps that passed.
pub(super) fn passed(report: &Report) -> Vec<&'static str> {
    let passed = report.stages.iter().filter(|stage| stage.outcome == Outcome::Passed);
    passed.map(|stage| stage.step.name()).collect()
}

/// Fails unless all steps of such a store passed.
#[track_caller]
pub(super) fn expect_passed(report: &Report) {
    assert!(report.is_ok(), "{report:#?}");
    assert!(report.stages.iter().all(|stage| stage.outcome != Outcome::Failed), "{report:#?}");
    assert!(passed(report).ends_with(&["bucket", "list", "write", "read", "compare", "delete"]), "{report:#?}");
}

/// Fails unless this step failed with this reason and remedy, and no later step ran.
#[track_caller]
pub(super) fn expect_failure(report: &Report, step: Step, kind: Kind, code: Option<&str>, remedy: &str) {
    let failure = report.failure.as_ref().expect("trouble");
    assert_eq!((failure.step, failure.kind, failure.code.as_deref()), (step, kind, code), "{report:#?}");
    assert!(failure.remedy.contains(remedy), "{report:#?}");
    let failed: Vec<_> = report.stages.iter().filter(|stage| stage.outcome == Outcome::Failed).collect();
    assert!(matches!(failed.as_slice(), [stage] if stage.step == step), "{report:#?}");
    let went_on = report.stages.iter().any(|stage| stage.step > step && stage.outcome == Outcome::Passed);
    assert!(!went_on, "{report:#?}");
    assert!(!format!("{report:?}").contains("canary-secret"), "{report:#?}");
}
