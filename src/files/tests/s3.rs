//! Tests against a real server for S3, which checks signatures and has access policies.

use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use bytes::Bytes;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::storage::progress::Progress;
use quarterdeck_actors::storage::report::{Kind, Step};
use quarterdeck_actors::storage::settings::{Store, StoreSettings};
use serde_json::json;

use super::peers::S3;
use super::support::{expect_failure, expect_passed, install_cryptography, passed, probed, settings};
use crate::files::objects::Objects;
use crate::files::s3::Bucket;

#[tokio::test]
async fn a_bucket_passes_every_step_and_keeps_nothing() {
    let Some(store) = S3::running() else { return };
    let settings = under(store.settings_of("owner"), "passes");
    let report = probed(&settings).await;
    expect_passed(&report);
    assert_eq!(passed(&report).get(..5), Some(&["settings", "resolve", "connect", "authenticate", "bucket"][..]));
    assert!(report.target.starts_with("http://127.0.0.1:") && report.target.ends_with("/files/passes"), "{report:?}");
    assert!(report.identity.starts_with("access key "), "{report:?}");
    assert_eq!(keys(store, "passes").await, Vec::<String>::new());
}

#[tokio::test]
async fn wrong_keys_fail_at_the_credentials() {
    let Some(store) = S3::running() else { return };
    let mut wrong = store.settings_of("owner");
    wrong.amazon_s3_access_key_id = "AKIANOBODYNOBODY0000".to_owned();
    let report = probed(&wrong).await;
    let remedy = "FileSettings.AmazonS3AccessKeyId and FileSettings.AmazonS3SecretAccessKey";
    expect_failure(&report, Step::Authenticate, Kind::Authentication, Some("InvalidAccessKeyId"), remedy);
    let mut wrong = store.settings_of("owner");
    wrong.amazon_s3_secret_access_key = Secret::new("canary-secret");
    let report = probed(&wrong).await;
    expect_failure(&report, Step::Authenticate, Kind::Authentication, Some("SignatureDoesNotMatch"), remedy);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_said_to_be_missing() {
    let Some(store) = S3::running() else { return };
    let mut missing = store.settings_of("owner");
    missing.amazon_s3_bucket = "nowhere".to_owned();
    let report = probed(&missing).await;
    expect_failure(&report, Step::Bucket, Kind::Missing, Some("NoSuchBucket"), "FileSettings.AmazonS3Bucket");
    assert!(passed(&report).contains(&"authenticate"), "{report:#?}");
}

#[tokio::test]
async fn each_right_that_is_missing_is_named() {
    let Some(store) = S3::running() else { return };
    for (user, step, right) in [
        ("stranger", Step::List, "s3:ListBucket"),
        ("reader", Step::Write, "s3:PutObject"),
        ("writer", Step::Read, "s3:GetObject"),
        ("keeper", Step::Delete, "s3:DeleteObject"),
    ] {
        let report = probed(&under(store.settings_of(user), user)).await;
        expect_failure(&report, step, Kind::Authentication, Some("AccessDenied"), right);
        let is_left = user == "keeper";
        assert_eq!(keys(store, user).await.len(), usize::from(is_left), "{user}");
    }
}

#[tokio::test]
async fn rights_under_the_prefix_are_enough() {
    let Some(store) = S3::running() else { return };
    let tenant = store.settings_of("tenant");
    expect_passed(&probed(&under(tenant.clone(), "team")).await);
    let report = probed(&under(tenant, "others")).await;
    expect_failure(&report, Step::Write, Kind::Authentication, Some("AccessDenied"), "FileSettings.AmazonS3PathPrefix");
    assert_eq!(keys(store, "team").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_test_that_nobody_waits_for_leaves_nothing() {
    let Some(store) = S3::running() else { return };
    let bucket = bucket(&under(store.settings_of("owner"), "dropped"));
    let objects: std::sync::Arc<dyn Objects> = std::sync::Arc::new(Watched::new(bucket));
    let mut test =
        Box::pin(crate::files::probe::run(objects, super::support::LIMITS, Store::Files, Progress::default()));
    let watched = WRITTEN.notified();
    tokio::select! {
        report = &mut test => unreachable!("the store never answers a read: {report:?}"),
        () = watched => {}
    }
    assert_eq!(keys(store, "dropped").await.len(), 1);
    drop(test);
    DELETED.notified().await;
    assert_eq!(keys(store, "dropped").await, Vec::<String>::new());
}

#[tokio::test]
async fn large_objects_are_written_in_parts_with_encryption_and_class() {
    let Some(store) = S3::running() else { return };
    let mut settings = under(store.settings_of("owner"), "large");
    settings.amazon_s3_sse = true;
    settings.amazon_s3_storage_class = "STANDARD_IA".to_owned();
    settings.amazon_s3_upload_part_size_bytes = 1;
    let bucket = bucket(&settings);
    let content = Bytes::from(vec![7; 6 << 20]);
    for (key, content, is_in_parts) in [("one", content.clone(), true), ("two", content.slice(..9), false)] {
        bucket.write(key, content.clone()).await.unwrap();
        assert_eq!(bucket.read(key).await.unwrap(), content);
        let head = bucket.client().head_object().bucket("files").key(bucket.key(key)).send().await.unwrap();
        assert_eq!(head.server_side_encryption(), Some(&ServerSideEncryption::Aes256));
        assert_eq!(head.storage_class(), Some(&StorageClass::StandardIa));
        assert_eq!(head.e_tag().unwrap().contains("-2"), is_in_parts, "{head:?}");
        bucket.delete(key).await.unwrap();
    }
    assert_eq!(keys(store, "large").await, Vec::<String>::new());
}

#[tokio::test]
async fn settings_that_make_no_sense_reach_no_host() {
    let s3 = |more: serde_json::Value| {
        let mut changed = json!({"DriverName": "amazons3", "AmazonS3Bucket": "files"});
        changed.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings(changed)
    };
    for (wrong, remedy) in [
        (json!({"AmazonS3Bucket": ""}), "FileSettings.AmazonS3Bucket"),
        (json!({"AmazonS3Endpoint": "https://s3.example.com"}), "FileSettings.AmazonS3Endpoint"),
        (json!({"AmazonS3Endpoint": "s3.example.com/path"}), "FileSettings.AmazonS3Endpoint"),
        (json!({"AmazonS3Endpoint": "s3.example.com?x"}), "FileSettings.AmazonS3Endpoint"),
        (json!({"AmazonS3Endpoint": "s3.example.com#x"}), "FileSettings.AmazonS3Endpoint"),
        (json!({"AmazonS3Endpoint": "user:word@s3.example.com"}), "FileSettings.AmazonS3Endpoint"),
        (json!({"AmazonS3Endpoint": ":word@s3.example.com"}), "FileSettings.AmazonS3Endpoint"),
        (json!({"AmazonS3Bucket": "../x"}), "FileSettings.AmazonS3Bucket"),
        (json!({"AmazonS3Bucket": "a/b"}), "FileSettings.AmazonS3Bucket"),
        (json!({"AmazonS3Bucket": "a?x"}), "FileSettings.AmazonS3Bucket"),
        (json!({"AmazonS3Bucket": "evil.example#"}), "FileSettings.AmazonS3Bucket"),
        (json!({"AmazonS3PathPrefix": "../other"}), "FileSettings.AmazonS3PathPrefix"),
        (json!({"AmazonS3SignV2": true}), "FileSettings.AmazonS3SignV2"),
        (json!({"AmazonS3AccessKeyId": "alone"}), "FileSettings.AmazonS3SecretAccessKey"),
    ] {
        expect_failure(&probed(&s3(wrong)).await, Step::Settings, Kind::Unusable, None, remedy);
    }
}

#[tokio::test]
async fn a_host_that_was_typed_is_no_metadata_service() {
    for host in
        ["169.254.169.254", "169.254.169.254:80", "[::ffff:169.254.169.254]", "metadata.google.internal", "0xA9FEA9FE"]
    {
        let all = json!({
            "DriverName": "amazons3",
            "AmazonS3Bucket": "files",
            "AmazonS3Endpoint": host,
            "AmazonS3AccessKeyId": "AKIAEXAMPLE",
            "AmazonS3SecretAccessKey": "canary-secret",
        });
        let typed = settings(all);
        let report = probed(&typed).await;
        let code = Some("ForbiddenAddress");
        expect_failure(&report, Step::Settings, Kind::Unusable, code, "FileSettings.AmazonS3Endpoint");
        assert!(Bucket::open(&StoreSettings { is_pinned: true, ..typed }).is_ok(), "the operator's own word");
    }
}

#[tokio::test]
async fn the_credentials_of_the_machine_go_to_amazon_alone_and_over_tls() {
    let provided = |more: serde_json::Value| {
        let mut all = json!({"DriverName": "amazons3", "AmazonS3Bucket": "files"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings(all)
    };
    for elsewhere in [
        json!({"AmazonS3Endpoint": "127.0.0.1:1"}),
        json!({"AmazonS3Endpoint": "ec2-203-0-113-5.compute-1.amazonaws.com"}),
        json!({"AmazonS3Endpoint": "evil.us-east-1.elb.amazonaws.com"}),
        json!({"AmazonS3Endpoint": "s3.us-east-1.amazonaws.com:8443"}),
        json!({"AmazonS3Endpoint": "storage.googleapis.com"}),
        json!({"AmazonS3SSL": false}),
        json!({"AmazonS3Region": "x.y"}),
    ] {
        let report = probed(&provided(elsewhere.clone())).await;
        expect_failure(&report, Step::Settings, Kind::Unusable, None, "FileSettings.AmazonS3AccessKeyId");
        let pinned = StoreSettings { is_pinned: true, ..provided(elsewhere) };
        assert!(Bucket::open(&pinned).is_err(), "also where the operator pinned the host");
    }
    for own in [
        json!({}),
        json!({"AmazonS3Region": "eu-central-1"}),
        json!({"AmazonS3Endpoint": "s3.dualstack.eu-west-1.amazonaws.com"}),
        json!({"AmazonS3Endpoint": "s3.cn-north-1.amazonaws.com.cn", "AmazonS3Region": "cn-north-1"}),
    ] {
        assert!(Bucket::open(&provided(own)).is_ok());
    }
}

#[test]
fn amazon_has_a_host_for_each_bucket_and_region() {
    for (changed, host, port) in [
        (json!({}), "files.s3.amazonaws.com", 443),
        (json!({"AmazonS3Region": "eu-west-1", "AmazonS3SSL": false}), "files.s3.eu-west-1.amazonaws.com", 80),
        (json!({"AmazonS3Bucket": "my.files"}), "s3.amazonaws.com", 443),
        (json!({"AmazonS3Endpoint": "own.example.com:9000"}), "own.example.com", 9000),
        (json!({"AmazonS3Endpoint": "[::1]:80"}), "::1", 80),
    ] {
        let mut all = json!({
            "DriverName": "amazons3",
            "AmazonS3Bucket": "files",
            "AmazonS3AccessKeyId": "AKIAEXAMPLE",
            "AmazonS3SecretAccessKey": "word",
        });
        all.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        let endpoint = bucket(&settings(all)).endpoint().unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port));
    }
}

fn bucket(settings: &StoreSettings) -> Bucket {
    install_cryptography();
    Bucket::open(settings).unwrap()
}

fn under(mut settings: StoreSettings, prefix: &str) -> StoreSettings {
    prefix.clone_into(&mut settings.amazon_s3_path_prefix);
    settings
}

/// Returns the keys of the objects under a prefix.
async fn keys(store: &S3, prefix: &str) -> Vec<String> {
    let bucket = bucket(&store.settings_of("owner"));
    let listed = bucket.client().list_objects_v2().bucket("files").prefix(format!("{prefix}/")).send().await.unwrap();
    listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
}

static WRITTEN: tokio::sync::Notify = tokio::sync::Notify::const_new();
static DELETED: tokio::sync::Notify = tokio::sync::Notify::const_new();

/// A bucket that never answers a read, and signals each write and delete.
struct Watched(Bucket);

impl Watched {
    fn new(bucket: Bucket) -> Self {
        Self(bucket)
    }
}

impl Objects for Watched {
    fn about(&self) -> &crate::files::objects::StoreDescription {
        self.0.about()
    }

    fn endpoint(&self) -> Option<crate::files::endpoint::Endpoint> {
        self.0.endpoint()
    }

    fn look(&self) -> crate::files::objects::Done<'_, ()> {
        self.0.look()
    }

    fn write<'a>(&'a self, key: &'a str, content: Bytes) -> crate::files::objects::Done<'a, ()> {
        self.0.write(key, content)
    }

    fn read<'a>(&'a self, _: &'a str) -> crate::files::objects::Done<'a, Bytes> {
        WRITTEN.notify_one();
        Box::pin(std::future::pending())
    }

    fn delete<'a>(&'a self, key: &'a str) -> crate::files::objects::Done<'a, ()> {
        Box::pin(async move {
            let deleted = self.0.delete(key).await;
            DELETED.notify_one();
            deleted
        })
    }
}
