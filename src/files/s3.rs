//! The file store in a bucket of Amazon S3 or a compatible service.

mod address;
mod credentials;
mod errors;
mod upload;

use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
use aws_sdk_s3::primitives::AggregatedBytes;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use bytes::Bytes;
use futures_util::FutureExt;
use quarterdeck_actors::storage::report::{Step, StepFailure};
use quarterdeck_actors::storage::settings::StoreSettings;

use super::client::Web;
use super::endpoint::{Endpoint, certificate_rules};
use super::host_policy::HostPolicy;
use super::objects::{Done, Objects, StoreDescription, climbs, joined, unusable};
use address::Address;
use credentials::Identity;
use quarterdeck_actors::causes::chain;

/// The smallest size of all parts but the last, which S3 requires, in bytes.
const MIN_PART_BYTES: usize = 5 * 1024 * 1024;

/// A bucket, and the objects under a prefix in it.
pub(super) struct Bucket {
    name: String,
    prefix: String,
    /// The size of the parts in which larger objects are uploaded, in bytes.
    part_size: usize,
    encryption: Option<ServerSideEncryption>,
    storage_class: Option<StorageClass>,
    address: Address,
    identity: Identity,
    config: Config,
    /// The region that the store reported, when none is set.
    found_region: OnceLock<String>,
    about: StoreDescription,
}

impl Bucket {
    pub(super) fn open(settings: &StoreSettings) -> Result<Self, StepFailure> {
        if settings.amazon_s3_bucket.is_empty() {
            return Err(unusable("no bucket is set", "Set FileSettings.AmazonS3Bucket."));
        }
        if settings.amazon_s3_sign_v2 {
            return Err(unusable(
                "signatures of version 2 are not supported",
                "Turn FileSettings.AmazonS3SignV2 off; current stores accept version 4.",
            ));
        }
        if !address::is_bucket(&settings.amazon_s3_bucket) {
            return Err(unusable(
                "the bucket name is invalid",
                "Set FileSettings.AmazonS3Bucket to letters, digits, dots, hyphens and underscores.",
            ));
        }
        // A prefix with `..` would lead to another bucket.
        if climbs(&settings.amazon_s3_path_prefix) {
            return Err(unusable("the prefix points outside the bucket", "Correct FileSettings.AmazonS3PathPrefix."));
        }
        let is_provided = Identity::is_provided(settings);
        let address = Address::of(settings, settings.skip_certificate_check && !is_provided)?;
        if is_provided && !address.is_amazons_own() {
            return Err(unusable(
                "the credentials of this machine are only sent to Amazon, over TLS",
                "Set FileSettings.AmazonS3AccessKeyId and FileSettings.AmazonS3SecretAccessKey, or leave \
                 FileSettings.AmazonS3Endpoint empty and FileSettings.AmazonS3SSL on.",
            ));
        }
        let rules = certificate_rules(settings.skip_certificate_check && !is_provided)?;
        let made = |policy| {
            let web = Web::new(&rules, policy, settings.amazon_s3_trace);
            web.map_err(|error| unusable(chain(&error), "Check the certificates of this system."))
        };
        let web = made(HostPolicy::of(settings))?;
        // The AWS library chooses the hosts of credentials itself, and a link-local address is one of them.
        let identity = Identity::of(settings, &made(HostPolicy::Everywhere)?)?;
        let request_timeout =
            Duration::from_millis(settings.amazon_s3_request_timeout_milliseconds.try_into().unwrap_or(1));
        let (name, prefix) = (settings.amazon_s3_bucket.clone(), settings.amazon_s3_path_prefix.clone());
        let about = StoreDescription {
            driver: "amazons3",
            target: joined(&address.shown(&name), prefix.trim_matches('/')),
            identity: identity.shown(),
            note: None,
            request_timeout,
            place: address.place(),
            tls: "FileSettings.AmazonS3SSL",
        };
        let part_size = usize::try_from(settings.amazon_s3_upload_part_size_bytes).unwrap_or(0).max(MIN_PART_BYTES);
        Ok(Self {
            part_size,
            encryption: settings.amazon_s3_sse.then_some(ServerSideEncryption::Aes256),
            storage_class: given(&settings.amazon_s3_storage_class).map(StorageClass::from),
            config: config(&web, &identity, &address, request_timeout),
            found_region: OnceLock::new(),
            name,
            prefix,
            address,
            identity,
            about,
        })
    }

    /// Returns the client for the region that is set, or for the one that the store reported.
    pub(super) fn client(&self) -> Client {
        let found = self.found_region.get().map(String::as_str);
        let region = found.unwrap_or(self.address.region());
        let config = self.config.to_builder().region(Region::new(region.to_owned()));
        Client::from_conf(config.endpoint_url(self.address.url(found)).build())
    }

    pub(super) fn key(&self, key: &str) -> String {
        joined(&self.prefix, key)
    }

    fn failure<E>(&self, step: Step, error: &SdkError<E>) -> StepFailure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        errors::failure(step, error, &self.about, &self.address)
    }

    async fn list(&self) -> Result<(), SdkError<ListObjectsV2Error>> {
        let prefix = given(self.prefix.trim_matches('/')).map(|prefix| format!("{prefix}/"));
        let request = self.client().list_objects_v2().bucket(&self.name).max_keys(1).set_prefix(prefix);
        request.send().await.map(|_| ())
    }
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn config(web: &Web, identity: &Identity, address: &Address, request_timeout: Duration) -> Config {
    Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(web.clone())
        .credentials_provider(identity.provider())
        .region(Region::new(address.region().to_owned()))
        .force_path_style(!address.is_virtual_host())
        // No retries: a test reports the result of one attempt.
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(request_timeout).build())
        // Compatible stores often do not support checksums in trailers.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

impl Objects for Bucket {
    fn about(&self) -> &StoreDescription {
        &self.about
    }

    fn endpoint(&self) -> Option<Endpoint> {
        Some(self.address.endpoint(&self.name))
    }

    fn look(&self) -> Done<'_, ()> {
        async move {
            self.identity.check().await?;
            let listed = match self.list().await {
                // Amazon's error names the bucket's region. A request for its location would need another permission.
                Err(error) if !self.address.has_region() && errors::region(&error).is_some() => {
                    let _ = self.found_region.set(errors::region(&error).unwrap_or_default());
                    self.list().await
                }
                listed => listed,
            };
            listed.map_err(|error| self.failure(Step::List, &error))
        }
        .boxed()
    }

    fn write<'a>(&'a self, key: &'a str, content: Bytes) -> Done<'a, ()> {
        async move {
            let written = upload::whole(self, &self.key(key), content).await;
            written.map_err(|error| self.failure(Step::Write, &error))
        }
        .boxed()
    }

    fn read<'a>(&'a self, key: &'a str) -> Done<'a, Bytes> {
        async move {
            let read = self.client().get_object().bucket(&self.name).key(self.key(key)).send().await;
            let object = read.map_err(|error| self.failure(Step::Read, &error))?;
            let content = object.body.collect().await;
            content.map(AggregatedBytes::into_bytes).map_err(|_| errors::broken(Step::Read))
        }
        .boxed()
    }

    fn delete<'a>(&'a self, key: &'a str) -> Done<'a, ()> {
        async move {
            let deleted = self.client().delete_object().bucket(&self.name).key(self.key(key)).send().await;
            deleted.map(|_| ()).map_err(|error| self.failure(Step::Delete, &error))
        }
        .boxed()
    }
}
