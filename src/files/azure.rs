//! The file store in a container of Azure Blob Storage.

mod address;
mod credential;
mod errors;

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use azure_core::error::ErrorKind;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlobContainerClientListBlobsOptions, BlockBlobClientUploadOptions,
};
use azure_storage_blob::{BlobContainerClient, BlobContainerClientOptions};
use bytes::Bytes;
use futures_util::{FutureExt, TryStreamExt};
use quarterdeck_actors::storage::report::{Step, StepFailure};
use quarterdeck_actors::storage::settings::StoreSettings;

use super::client::Web;
use super::endpoint::{Endpoint, certificate_rules};
use super::host_policy::HostPolicy;
use super::objects::{Done, Objects, StoreDescription, climbs, joined, unusable};
use quarterdeck_actors::causes::chain;

/// The block size in which larger blobs are written and read, in bytes.
const BLOCK: NonZero<u32> = NonZero::<u32>::MIN.saturating_add(4 * 1024 * 1024 - 1);

/// The name of the element that a list of blobs consists of.
const LIST: &[u8] = b"EnumerationResults";

/// The request timeout when the settings have none, or an invalid one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A container, and the blobs under a prefix in it.
pub(super) struct Container {
    client: BlobContainerClient,
    endpoint: Endpoint,
    prefix: String,
    about: StoreDescription,
}

impl Container {
    pub(super) fn open(settings: &StoreSettings) -> Result<Self, StepFailure> {
        for (value, name) in [
            (&settings.azure_storage_account, "FileSettings.AzureStorageAccount"),
            (&settings.azure_container, "FileSettings.AzureContainer"),
        ] {
            if value.is_empty() {
                return Err(unusable("a setting is missing", format!("Set {name}.")));
            }
        }
        // A prefix with `..` would lead to another container, for which the signature is valid too.
        if climbs(&settings.azure_path_prefix) {
            return Err(unusable("the prefix points outside the container", "Correct FileSettings.AzurePathPrefix."));
        }
        let address::Account { url: account, note } = address::account(settings)?;
        let url = address::container(&account, &settings.azure_container)?;
        let policy = HostPolicy::of(settings);
        policy.check_host(account.host_str().unwrap_or_default(), place(settings))?;
        let has_key = settings.azure_auth_mode != "default_credential";
        let rules = certificate_rules(settings.skip_certificate_check && has_key)?;
        let endpoint = address::endpoint(&account, &rules, policy)?;
        let web = Web::new(&rules, policy, false);
        let web = web.map_err(|error| unusable(chain(&error), "Check the certificates of this system."))?;
        let mut options = ClientOptions {
            transport: Some(Transport::new(Arc::new(web))),
            // No retries: a test reports the result of one attempt.
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        };
        let identity = credential::Identity::of(settings, &mut options)?;
        // A host that receives a token can use it. A signature reveals no key, so it may go to other hosts.
        if identity.token.is_some() && !address::is_azure(&account) {
            return Err(unusable(
                "the identity of this machine is only sent to Azure, over TLS",
                "Set FileSettings.AzureAuthMode to shared_key, or leave FileSettings.AzureEndpoint empty and \
                 FileSettings.AzureSSL on.",
            ));
        }
        let about = StoreDescription {
            driver: "azureblob",
            target: joined(url.as_str(), settings.azure_path_prefix.trim_matches('/')),
            identity: identity.shown,
            note,
            request_timeout: request_timeout(settings),
            place: place(settings),
            tls: "FileSettings.AzureSSL",
        };
        let options = BlobContainerClientOptions { client_options: options, ..BlobContainerClientOptions::default() };
        let client = BlobContainerClient::new(url, identity.token, Some(options))
            .map_err(|error| unusable(chain(&error), "Check FileSettings.AzureEndpoint and FileSettings.AzureSSL."))?;
        Ok(Self { client, endpoint, prefix: settings.azure_path_prefix.clone(), about })
    }

    /// Returns the client of the container, for tests.
    #[cfg(test)]
    pub(super) fn client(&self) -> &BlobContainerClient {
        &self.client
    }

    fn failure(&self, step: Step, error: &azure_core::Error) -> StepFailure {
        errors::failure(step, error, &self.about, self.endpoint.tls.is_some())
    }

    async fn list(&self) -> azure_core::Result<()> {
        let prefix = self.prefix.trim_matches('/');
        let prefix = (!prefix.is_empty()).then(|| format!("{prefix}/"));
        let options = BlobContainerClientListBlobsOptions { prefix, maxresults: Some(1), ..Default::default() };
        let mut pages = self.client.list_blobs(Some(options))?.into_pages();
        let Some(page) = pages.try_next().await? else { return Ok(()) };
        // The library takes any well-formed document as an empty list, such as the page of a proxy.
        if page.body().windows(LIST.len()).any(|part| part == LIST) {
            return Ok(());
        }
        let raw_response = Some(Box::new(page.to_raw_response()));
        let kind = ErrorKind::HttpResponse { status: page.status(), error_code: None, raw_response };
        Err(azure_core::Error::with_message(kind, "the response is not a list of blobs"))
    }

    async fn download(&self, key: &str) -> azure_core::Result<Bytes> {
        let options = BlobClientDownloadOptions { partition_size: BLOCK.try_into().ok(), ..Default::default() };
        let blob = self.client.blob_client(&joined(&self.prefix, key)).download(Some(options)).await?;
        blob.body.collect().await
    }
}

fn request_timeout(settings: &StoreSettings) -> Duration {
    let set = u64::try_from(settings.azure_request_timeout_milliseconds).ok().filter(|timeout_ms| *timeout_ms > 0);
    set.map_or(DEFAULT_TIMEOUT, Duration::from_millis)
}

/// Returns the name of the setting that determines the host name.
fn place(settings: &StoreSettings) -> &'static str {
    if address::is_custom(settings) { "FileSettings.AzureEndpoint" } else { "FileSettings.AzureStorageAccount" }
}

impl Objects for Container {
    fn about(&self) -> &StoreDescription {
        &self.about
    }

    fn endpoint(&self) -> Option<Endpoint> {
        Some(self.endpoint.clone())
    }

    fn look(&self) -> Done<'_, ()> {
        async move { self.list().await.map_err(|error| self.failure(Step::List, &error)) }.boxed()
    }

    fn write<'a>(&'a self, key: &'a str, content: Bytes) -> Done<'a, ()> {
        async move {
            let blob = self.client.blob_client(&joined(&self.prefix, key));
            let options = BlockBlobClientUploadOptions {
                partition_size: Some(BLOCK.into()),
                blob_content_type: Some("application/octet-stream".to_owned()),
                ..Default::default()
            };
            let written = blob.block_blob_client().upload(content.into(), Some(options)).await;
            written.map(|_| ()).map_err(|error| self.failure(Step::Write, &error))
        }
        .boxed()
    }

    fn read<'a>(&'a self, key: &'a str) -> Done<'a, Bytes> {
        async move { self.download(key).await.map_err(|error| self.failure(Step::Read, &error)) }.boxed()
    }

    fn delete<'a>(&'a self, key: &'a str) -> Done<'a, ()> {
        async move {
            match self.client.blob_client(&joined(&self.prefix, key)).delete(None).await {
                Err(error) if !errors::is_no_such_blob(&error) => Err(self.failure(Step::Delete, &error)),
                Ok(_) | Err(_) => Ok(()),
            }
        }
        .boxed()
    }
}
